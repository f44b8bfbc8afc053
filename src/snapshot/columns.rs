//! Batches of numbers to columns: nodes, edges, locations.
//!
//! Each builder takes whole records off the front of a [`Batch`] and checks them against the header as it goes, so that an
//! error names the very number at fault. String indexes are the exception: the strings come last, so the largest index seen
//! is remembered with its place and checked at the end.

use super::header::{EdgeLayout, Header, LocationLayout, NodeLayout};
use super::scan::Batch;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::{Columns, EdgeKind, NodeKind, location};

/// The largest string index seen, and where.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Highest {
    index: u64,
    offset: u64,
}

impl Highest {
    /// The error for an index outside a table of `limit` entries.
    pub fn check(self, field: &'static str, limit: u64) -> Result<()> {
        if self.offset != 0 && self.index >= limit {
            Err(index_error(field, self.index, limit, self.offset))
        } else {
            Ok(())
        }
    }
}

/// The largest string index of one batch, and which number of the batch it is.
struct Names {
    index: u64,
    number: Option<usize>,
}

impl Names {
    fn above(highest: &Highest) -> Self {
        Self { index: highest.index, number: None }
    }

    fn see(&mut self, index: u64, number: usize) {
        if index >= self.index {
            (self.index, self.number) = (index, Some(number));
        }
    }

    /// Finds its place, while the text is at hand.
    fn keep(self, highest: &mut Highest, batch: &Batch, chunk: &[u8]) {
        if let Some(number) = self.number {
            *highest = Highest { index: self.index, offset: batch.offset_of(number, chunk) };
        }
    }
}

/// Room for `extra` more entries: doubled, never beyond what the header declares, never on its word alone.
fn grow<T>(vec: &mut Vec<T>, extra: usize, declared: u32) -> Result<()> {
    if vec.capacity() - vec.len() >= extra {
        return Ok(());
    }
    let needed = vec.len() + extra;
    let target = (vec.len() * 2).max(4096).min(declared as usize + 1).max(needed);
    vec.try_reserve_exact(target - vec.len()).map_err(|_| {
        ErrorKind::OutOfMemory { bytes: (target as u64).saturating_mul(size_of::<T>() as u64) }.into()
    })
}

fn index_error(field: &'static str, index: u64, limit: u64, offset: u64) -> Error {
    Error::at(ErrorKind::SnapshotIndex { field, index, limit }, offset)
}

/// One past the largest number that fits in 32 bits.
const U32_LIMIT: u64 = 1 << 32;

fn count_error(section: &'static str, declared: u64, found: u64, offset: u64) -> Error {
    Error::at(ErrorKind::SnapshotCount { section, declared, found }, offset)
}

/// The `nodes` array.
#[derive(Debug)]
pub(crate) struct NodeBuilder {
    layout: NodeLayout,
    kinds: Vec<NodeKind>,
    declared: u32,
    declared_edges: u64,
    edges: u64,
    pub names: Highest,
}

impl NodeBuilder {
    pub fn new(header: &Header) -> Self {
        Self {
            layout: header.node,
            kinds: header.node_kinds.clone(),
            declared: header.node_count,
            declared_edges: u64::from(header.edge_count),
            edges: 0,
            names: Highest::default(),
        }
    }

    /// Moves the whole records of `batch` to `columns`.
    ///
    /// `chunk` is the text that the batch was last filled from.
    pub fn take(&mut self, batch: &mut Batch, columns: &mut Columns, chunk: &[u8]) -> Result<()> {
        let NodeLayout { stride, kind, name, id, self_size, edge_count } = self.layout;
        let left = self.declared as usize - columns.kind.len();
        let found = batch.values().len() / stride;
        let records = found.min(left);
        grow(&mut columns.kind, records, self.declared)?;
        grow(&mut columns.name, records, self.declared)?;
        grow(&mut columns.id, records, self.declared)?;
        grow(&mut columns.self_size, records, self.declared)?;
        grow(&mut columns.first_edge, records + 1, self.declared)?;
        if columns.first_edge.is_empty() {
            columns.first_edge.push(0);
        }
        let mut names = Names::above(&self.names);
        for first in (0..records * stride).step_by(stride) {
            let value = |field: usize| batch.value(first + field);
            let offset = |field: usize| batch.offset_of(first + field, chunk);
            let Some(&node_kind) = self.kinds.get(usize::try_from(value(kind)).unwrap_or(usize::MAX)) else {
                return Err(index_error("node type", value(kind), self.kinds.len() as u64, offset(kind)));
            };
            if value(name) >= U32_LIMIT {
                return Err(index_error("node name", value(name), U32_LIMIT, offset(name)));
            }
            if value(id) >= U32_LIMIT {
                return Err(index_error("node id", value(id), U32_LIMIT, offset(id)));
            }
            // Neither wraps: the sum so far is at most the declared count, which fits in 32 bits.
            self.edges = self.edges.saturating_add(value(edge_count));
            if self.edges > self.declared_edges {
                return Err(count_error("edges", self.declared_edges, self.edges, offset(edge_count)));
            }
            names.see(value(name), first + name);
            columns.kind.push(node_kind);
            columns.name.push(value(name) as u32);
            columns.id.push(value(id) as u32);
            columns.self_size.push(value(self_size));
            columns.first_edge.push(self.edges as u32);
        }
        if found > records {
            let declared = u64::from(self.declared);
            let offset = batch.offset_of(records * stride, chunk);
            return Err(count_error("nodes", declared, declared + 1, offset));
        }
        names.keep(&mut self.names, batch, chunk);
        batch.consume(records * stride);
        Ok(())
    }

    /// Checks the totals at the closing bracket, at `offset`.
    pub fn finish(&self, batch: &Batch, columns: &Columns, offset: u64) -> Result<()> {
        whole_records("node", self.layout.stride, batch, offset)?;
        let found = columns.kind.len() as u64;
        if found != u64::from(self.declared) {
            return Err(count_error("nodes", u64::from(self.declared), found, offset));
        }
        if self.edges != self.declared_edges {
            return Err(count_error("edges", self.declared_edges, self.edges, offset));
        }
        Ok(())
    }
}

fn whole_records(what: &str, stride: usize, batch: &Batch, offset: u64) -> Result<()> {
    match batch.values().len() {
        0 => Ok(()),
        rest => Err(Error::at(
            ErrorKind::SnapshotSchema {
                expected: format!("{stride} numbers a {what}"),
                found: format!("{rest} in the last"),
            },
            offset,
        )),
    }
}

/// Numbers in the file point at the first number of a node; this makes them node indexes.
#[derive(Debug, Clone, Copy)]
struct NodeIndex {
    stride: u64,
    limit: u64,
}

impl NodeIndex {
    fn new(header: &Header) -> Self {
        let stride = header.node.stride as u64;
        Self { stride, limit: stride * u64::from(header.node_count) }
    }

    fn of(self, field: &'static str, value: u64, offset: impl Fn() -> u64) -> Result<u32> {
        // A division by a constant is a multiplication; these two are all that V8 has written since Node 14.
        let (node, rest) = match self.stride {
            7 => (value / 7, value % 7),
            6 => (value / 6, value % 6),
            stride => (value / stride, value % stride),
        };
        if value >= self.limit {
            return Err(index_error(field, value, self.limit, offset()));
        }
        if rest != 0 {
            let kind = ErrorKind::SnapshotSchema {
                expected: format!("{field}: a multiple of {}", self.stride),
                found: value.to_string(),
            };
            return Err(Error::at(kind, offset()));
        }
        Ok(node as u32)
    }
}

/// The `edges` array.
#[derive(Debug)]
pub(crate) struct EdgeBuilder {
    layout: EdgeLayout,
    kinds: Vec<EdgeKind>,
    declared: u32,
    nodes: NodeIndex,
    pub names: Highest,
}

impl EdgeBuilder {
    pub fn new(header: &Header) -> Self {
        Self {
            layout: header.edge,
            kinds: header.edge_kinds.clone(),
            declared: header.edge_count,
            nodes: NodeIndex::new(header),
            names: Highest::default(),
        }
    }

    /// Moves the whole records of `batch` to `columns`.
    ///
    /// `chunk` is the text that the batch was last filled from.
    pub fn take(&mut self, batch: &mut Batch, columns: &mut Columns, chunk: &[u8]) -> Result<()> {
        let EdgeLayout { stride, kind, name_or_index, to_node } = self.layout;
        let left = self.declared as usize - columns.edge_to.len();
        let found = batch.values().len() / stride;
        let records = found.min(left);
        grow(&mut columns.edge_kind, records, self.declared)?;
        grow(&mut columns.edge_name, records, self.declared)?;
        grow(&mut columns.edge_to, records, self.declared)?;
        let mut names = Names::above(&self.names);
        for first in (0..records * stride).step_by(stride) {
            let value = |field: usize| batch.value(first + field);
            let offset = |field: usize| batch.offset_of(first + field, chunk);
            let Some(&edge_kind) = self.kinds.get(usize::try_from(value(kind)).unwrap_or(usize::MAX)) else {
                return Err(index_error("edge type", value(kind), self.kinds.len() as u64, offset(kind)));
            };
            let name = value(name_or_index);
            if name >= U32_LIMIT {
                return Err(index_error("edge name_or_index", name, U32_LIMIT, offset(name_or_index)));
            }
            if edge_kind.is_named() {
                names.see(name, first + name_or_index);
            }
            let to = self.nodes.of("edge to_node", value(to_node), || offset(to_node))?;
            columns.edge_kind.push(edge_kind);
            columns.edge_name.push(name as u32);
            columns.edge_to.push(to);
        }
        if found > records {
            let declared = u64::from(self.declared);
            let offset = batch.offset_of(records * stride, chunk);
            return Err(count_error("edges", declared, declared + 1, offset));
        }
        names.keep(&mut self.names, batch, chunk);
        batch.consume(records * stride);
        Ok(())
    }

    /// Checks the total at the closing bracket, at `offset`.
    pub fn finish(&self, batch: &Batch, columns: &Columns, offset: u64) -> Result<()> {
        whole_records("edge", self.layout.stride, batch, offset)?;
        let found = columns.edge_to.len() as u64;
        if found != u64::from(self.declared) {
            return Err(count_error("edges", u64::from(self.declared), found, offset));
        }
        Ok(())
    }
}

/// The `locations` array.
#[derive(Debug)]
pub(crate) struct LocationBuilder {
    layout: LocationLayout,
    nodes: NodeIndex,
    node_count: u32,
}

impl LocationBuilder {
    pub fn new(header: &Header, layout: LocationLayout) -> Self {
        Self { layout, nodes: NodeIndex::new(header), node_count: header.node_count }
    }

    /// Moves the whole records of `batch` to `places`.
    ///
    /// `chunk` is the text that the batch was last filled from.
    pub fn take(&self, batch: &mut Batch, places: &mut Vec<location::Raw>, chunk: &[u8]) -> Result<()> {
        let LocationLayout { stride, object_index, script_id, line, column } = self.layout;
        let records = batch.values().len() / stride;
        grow(places, records, self.node_count)?;
        for first in (0..records * stride).step_by(stride) {
            let value = |field: usize| batch.value(first + field);
            let offset = |field: usize| batch.offset_of(first + field, chunk);
            let narrow = |field: &'static str, at: usize| {
                u32::try_from(value(at)).map_err(|_| index_error(field, value(at), U32_LIMIT, offset(at)))
            };
            let object =
                self.nodes.of("location object_index", value(object_index), || offset(object_index))?;
            places.push(location::Raw {
                node: object,
                script: narrow("location script_id", script_id)?,
                line: narrow("location line", line)?,
                column: narrow("location column", column)?,
            });
        }
        batch.consume(records * stride);
        Ok(())
    }

    /// Checks that the last record is whole at the closing bracket, at `offset`.
    pub fn finish(&self, batch: &Batch, offset: u64) -> Result<()> {
        whole_records("location", self.layout.stride, batch, offset)
    }
}
