//! The `edges` array.

use super::{
    Highest, Names, NodeIndex, Scanned, U32_LIMIT, append, count_error, index_error, is_far, whole_records,
};
use crate::error::Result;
use crate::graph::layout::{LONGEST_SHARED, LayoutBuilder};
use crate::graph::{Columns, EdgeKind, Target, reserve};
use crate::snapshot::header::{EdgeLayout, Header};
use crate::snapshot::scan::Batch;

/// The `edges` array.
#[derive(Debug)]
pub(crate) struct EdgeBuilder {
    layout: EdgeLayout,
    kinds: Vec<EdgeKind>,
    declared: u32,
    nodes: NodeIndex,
    /// By type, the flags of a target before its node is known.
    flags: Vec<u32>,
    pub layouts: LayoutBuilder,
    /// The node at hand, and one past its last edge.
    node: u32,
    end: usize,
    own: bool,
    pub highest: Highest,
}

impl EdgeBuilder {
    pub fn new(header: &Header) -> Self {
        Self {
            layout: header.edge,
            flags: header.edge_kinds.iter().map(|&kind| Target::flags(kind)).collect(),
            kinds: header.edge_kinds.clone(),
            declared: header.edge_count,
            nodes: NodeIndex::new(header),
            layouts: LayoutBuilder::new(),
            node: 0,
            end: 0,
            own: false,
            highest: Highest::default(),
        }
    }

    /// Copies the whole records of `scanned` to `columns`; says how many numbers that were.
    pub fn take(&mut self, scanned: Scanned<'_>, columns: &mut Columns, names: &mut Names) -> Result<usize> {
        let EdgeLayout { stride, kind, name_or_index, to_node } = self.layout;
        let Columns { first_edge, edge_to, .. } = columns;
        let left = self.declared as usize - edge_to.len();
        let values = scanned.batch.values();
        let found = values.len() / stride;
        let records = found.min(left);
        reserve(edge_to, records)?;
        let plain = self.take_plain(scanned.batch, records, first_edge, edge_to, names)?;
        let slow = if plain { 0 } else { records };
        let mut rows = values.chunks_exact(stride).take(slow).enumerate();
        while rows.len() > 0 {
            if edge_to.len() == self.end {
                self.next_node(first_edge, edge_to.len())?;
            }
            let node = self.node;
            let mine = (self.end - edge_to.len()).min(rows.len());
            for (record, row) in rows.by_ref().take(mine) {
                let number = |field: usize| record * stride + field;
                let value = |field: usize| scanned.batch.value(number(field));
                let Some(&edge_kind) = self.kinds.get(row[kind] as usize) else {
                    let limit = self.kinds.len() as u64;
                    return Err(index_error("edge type", value(kind), limit, scanned.at(number(kind))));
                };
                let name = row[name_or_index];
                if name == u32::MAX && value(name_or_index) >= U32_LIMIT {
                    let offset = scanned.at(number(name_or_index));
                    return Err(index_error("edge name_or_index", value(name_or_index), U32_LIMIT, offset));
                }
                let Some(to) = self.nodes.of(row[to_node]).filter(|_| row[to_node] != u32::MAX) else {
                    return Err(self.nodes.fault(
                        "edge to_node",
                        value(to_node),
                        scanned.at(number(to_node)),
                    ));
                };
                if edge_kind.is_named() {
                    let records = first_edge.len() + edge_to.len();
                    self.highest.see(name, records, || scanned.at(number(name_or_index)));
                }
                if self.own {
                    if edge_kind.is_named() {
                        names.see(name, first_edge.len() + edge_to.len());
                    }
                    self.layouts.push_own(edge_kind, name)?;
                } else {
                    self.layouts.push(edge_kind, name);
                }
                edge_to.push(Target::new(node, edge_kind, to));
            }
            if edge_to.len() == self.end {
                self.end_node(names, first_edge.len() + edge_to.len())?;
            }
        }
        if found > records {
            let declared = u64::from(self.declared);
            return Err(count_error("edges", declared, declared + 1, scanned.at(records * stride)));
        }
        Ok(records * stride)
    }

    /// Copies `records` edges, if there is nothing about them that must be looked at one by one: no number of more than 32 bits, no
    /// fault, no name out of line. Says whether it has.
    fn take_plain(
        &mut self,
        batch: &Batch,
        records: usize,
        first_edge: &[u32],
        edge_to: &mut Vec<Target>,
        names: &mut Names,
    ) -> Result<bool> {
        const PLAIN: EdgeLayout = EdgeLayout { stride: 3, kind: 0, name_or_index: 1, to_node: 2 };
        if self.layout != PLAIN || batch.has_wide() {
            return Ok(false);
        }
        let rows = &batch.values().as_chunks::<3>().0[..records];
        let start = edge_to.len();
        let seen = first_edge.len() + start;
        if is_far(rows.iter().fold(0, |most, row| most.max(row[1])), seen) {
            return Ok(false);
        }
        let is_good = match self.nodes.stride {
            7 => targets::<7>(rows, edge_to, &self.flags, self.nodes.limit),
            6 => targets::<6>(rows, edge_to, &self.flags, self.nodes.limit),
            _ => false,
        };
        if !is_good {
            return Ok(false);
        }
        let mut at = 0;
        while at < records {
            let is_first = start + at == self.end;
            if is_first {
                self.next_node(first_edge, start + at)?;
            }
            let left = self.end - (start + at);
            let mine = &rows[at..at + left.min(records - at)];
            let kinds = &self.kinds[..];
            let list = mine.iter().map(|row| (kinds[row[0] as usize], row[1]));
            let highest = &mut self.highest;
            let mut see = |name: u32| {
                highest.index = highest.index.max(name);
                names.see(name, seen);
            };
            if self.own {
                for (kind, name) in list {
                    if kind.is_named() {
                        see(name);
                    }
                    self.layouts.push_own(kind, name)?;
                }
            } else if is_first && mine.len() == left {
                self.layouts.node(list, see)?;
            } else {
                list.for_each(|(kind, name)| self.layouts.push(kind, name));
                if mine.len() == left {
                    self.layouts.finish_node(see)?;
                }
            }
            for target in &mut edge_to[start + at..start + at + mine.len()] {
                target.settle(self.node);
            }
            at += mine.len();
        }
        Ok(true)
    }

    /// Goes to the node that edge number `edge` belongs to.
    fn skip_empty(&mut self, first_edge: &[u32], edge: usize) -> Result<()> {
        loop {
            self.node = self.layouts.node_count() as u32;
            // The counts of the nodes add up to the declared edges, of which this is one.
            self.end = first_edge.get(self.node as usize + 1).map_or(usize::MAX, |&end| end as usize);
            if self.end > edge {
                return Ok(());
            }
            self.layouts.reserve(1)?;
            self.layouts.empty();
        }
    }

    /// Goes to the node that the next edge, number `edge`, belongs to.
    fn next_node(&mut self, first_edge: &[u32], edge: usize) -> Result<()> {
        self.skip_empty(first_edge, edge)?;
        self.layouts.reserve(1)?;
        self.own = self.end - edge > LONGEST_SHARED;
        if self.own {
            self.layouts.start_own()?;
        }
        Ok(())
    }

    fn end_node(&mut self, names: &mut Names, records: usize) -> Result<()> {
        if !self.own {
            self.layouts.finish_node(|name| names.see(name, records))?;
        }
        Ok(())
    }

    /// Checks the total at the closing bracket, at `offset`.
    pub fn finish(&mut self, batch: &Batch, columns: &Columns, offset: u64) -> Result<()> {
        whole_records("edge", self.layout.stride, batch, offset)?;
        let found = columns.edge_to.len() as u64;
        if found != u64::from(self.declared) {
            return Err(count_error("edges", u64::from(self.declared), found, offset));
        }
        let nodes = columns.kind.len();
        self.layouts.reserve(nodes - self.layouts.node_count())?;
        while self.layouts.node_count() < nodes {
            self.layouts.empty();
        }
        Ok(())
    }
}

/// Appends the targets of `rows`, whose numbers are of nodes of `S` fields; says whether they are all good, with all types and all
/// names at places where they need no second look.
#[inline]
fn targets<const S: u32>(rows: &[[u32; 3]], edge_to: &mut Vec<Target>, flags: &[u32], limit: u64) -> bool {
    let (mut highest_kind, mut highest_to, mut rest) = (0, 0, 0);
    for row in rows {
        highest_kind = highest_kind.max(row[0]);
        highest_to = highest_to.max(row[2]);
        rest |= row[2] - row[2] / S * S;
    }
    if highest_kind as usize >= flags.len() || u64::from(highest_to) >= limit || rest != 0 {
        return false;
    }
    append(edge_to, rows, Target::NONE, |row| Target::raw(row[2] / S, flags[row[0] as usize]));
    true
}
