//! The `nodes` array.

use super::{Highest, Names, Scanned, U32_LIMIT, append, count_error, index_error, is_far, whole_records};
use crate::error::Result;
use crate::graph::{Columns, KindByte, NodeKind, reserve};
use crate::snapshot::header::{Header, NodeLayout};
use crate::snapshot::scan::Batch;

/// The `nodes` array.
#[derive(Debug)]
pub(crate) struct NodeBuilder {
    layout: NodeLayout,
    kinds: Vec<NodeKind>,
    declared: u32,
    declared_edges: u64,
    edges: u64,
    /// How many were taken so far.
    seen: usize,
    /// By type, whether the name is one: of all but strings; where nothing but nodes is wanted, of what has its class for a name.
    is_name: Vec<bool>,
    pub highest: Highest,
}

impl NodeBuilder {
    /// A builder for nodes with edges to come, or `alone`.
    pub fn new(header: &Header, alone: bool) -> Self {
        Self {
            layout: header.node,
            is_name: header
                .node_kinds
                .iter()
                .map(|kind| match kind {
                    NodeKind::Object | NodeKind::Native => true,
                    kind => !(alone || kind.is_string()),
                })
                .collect(),
            kinds: header.node_kinds.clone(),
            declared: header.node_count,
            declared_edges: u64::from(header.edge_count),
            edges: 0,
            seen: 0,
            highest: Highest::default(),
        }
    }

    /// Copies the whole records of `scanned` to `columns`; says how many numbers that were.
    pub fn take(&mut self, scanned: Scanned<'_>, columns: &mut Columns, names: &mut Names) -> Result<usize> {
        let layout = self.layout;
        let left = self.declared as usize - self.seen;
        let values = scanned.batch.values();
        let found = values.len() / layout.stride;
        let records = found.min(left);
        reserve(&mut columns.kind, records)?;
        reserve(&mut columns.name, records)?;
        reserve(&mut columns.id, records)?;
        columns.self_size.reserve(records)?;
        reserve(&mut columns.first_edge, records + 1)?;
        if columns.first_edge.is_empty() {
            columns.first_edge.push(0);
        }
        let fast = match layout.stride {
            6 => self.take_plain::<6>(scanned.batch, records, columns, names),
            7 => self.take_plain::<7>(scanned.batch, records, columns, names),
            _ => false,
        };
        let slow = if fast { 0 } else { records };
        for (record, row) in values.chunks_exact(layout.stride).take(slow).enumerate() {
            let number = |field: usize| record * layout.stride + field;
            let value = |field: usize| match row[field] {
                u32::MAX => scanned.batch.value(number(field)),
                value => u64::from(value),
            };
            let Some(&kind) = self.kinds.get(row[layout.kind] as usize) else {
                let limit = self.kinds.len() as u64;
                return Err(index_error(
                    "node type",
                    value(layout.kind),
                    limit,
                    scanned.at(number(layout.kind)),
                ));
            };
            let narrow = |field: usize, what: &'static str| match u32::try_from(value(field)) {
                Ok(value) => Ok(value),
                Err(_) => Err(index_error(what, value(field), U32_LIMIT, scanned.at(number(field)))),
            };
            let name = narrow(layout.name, "node name")?;
            let id = narrow(layout.id, "node id")?;
            // Neither wraps: the sum so far is at most the declared count, which fits in 32 bits.
            self.edges = self.edges.saturating_add(value(layout.edge_count));
            if self.edges > self.declared_edges {
                let offset = scanned.at(number(layout.edge_count));
                return Err(count_error("edges", self.declared_edges, self.edges, offset));
            }
            if let Some(at) = layout.detachedness
                && row[at] != 0
            {
                reserve(&mut columns.detachedness, 1)?;
                columns.detachedness.push((columns.kind.len() as u32, row[at].min(u32::from(u8::MAX)) as u8));
            }
            if self.is_name[row[layout.kind] as usize] {
                names.see(name, self.seen);
            }
            self.highest.see(name, self.seen, || scanned.at(number(layout.name)));
            columns.kind.push(KindByte::new(kind));
            columns.name.push(name);
            columns.id.push(id);
            columns.self_size.push(value(layout.self_size));
            columns.first_edge.push(self.edges as u32);
            self.seen += 1;
        }
        if found > records {
            let declared = u64::from(self.declared);
            return Err(count_error("nodes", declared, declared + 1, scanned.at(records * layout.stride)));
        }
        Ok(records * layout.stride)
    }

    /// Copies `records` nodes of `S` fields column by column, if there is nothing about them that must be looked at one by one: no number
    /// of more than 32 bits, no fault, no document. Says whether it has.
    fn take_plain<const S: usize>(
        &mut self,
        batch: &Batch,
        records: usize,
        columns: &mut Columns,
        names: &mut Names,
    ) -> bool {
        let NodeLayout { kind, name, id, self_size, edge_count, detachedness, .. } = self.layout;
        let rows = &batch.values().as_chunks::<S>().0[..records];
        let (mut highest_kind, mut highest_name, mut edges, mut detached) = (0, 0, 0u64, 0);
        for row in rows {
            highest_kind = highest_kind.max(row[kind]);
            highest_name = highest_name.max(row[name]);
            edges += u64::from(row[edge_count]);
            detached |= detachedness.map_or(0, |at| row[at]);
        }
        let plain = !batch.has_wide()
            && detached == 0
            && (highest_kind as usize) < self.kinds.len()
            && !is_far(highest_name, self.seen)
            && self.edges + edges <= self.declared_edges;
        if !plain {
            return false;
        }
        self.highest.index = self.highest.index.max(highest_name);
        let kinds = &self.kinds[..];
        append(&mut columns.kind, rows, KindByte::new(NodeKind::Other), |row| {
            KindByte::new(kinds[row[kind] as usize])
        });
        append(&mut columns.name, rows, 0, |row| row[name]);
        append(&mut columns.id, rows, 0, |row| row[id]);
        append(columns.self_size.narrow_column(), rows, 0, |row| row[self_size]);
        let mut end = self.edges as u32;
        append(&mut columns.first_edge, rows, 0, |row| {
            end += row[edge_count];
            end
        });
        self.edges += edges;
        for row in rows {
            if self.is_name[row[kind] as usize] {
                names.see(row[name], self.seen);
            }
        }
        self.seen += records;
        true
    }

    /// Checks the totals at the closing bracket, at `offset`.
    pub fn finish(&self, batch: &Batch, offset: u64) -> Result<()> {
        whole_records("node", self.layout.stride, batch, offset)?;
        let found = self.seen as u64;
        if found != u64::from(self.declared) {
            return Err(count_error("nodes", u64::from(self.declared), found, offset));
        }
        if self.edges != self.declared_edges {
            return Err(count_error("edges", self.declared_edges, self.edges, offset));
        }
        Ok(())
    }
}
