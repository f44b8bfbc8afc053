//! The `locations` array.

use super::{NodeIndex, Scanned, U32_LIMIT, index_error, whole_records};
use crate::error::Result;
use crate::graph::location::{Place, Places};
use crate::snapshot::header::{Header, LocationLayout};
use crate::snapshot::scan::Batch;

/// The `locations` array.
#[derive(Debug)]
pub(crate) struct LocationBuilder {
    layout: LocationLayout,
    nodes: NodeIndex,
}

impl LocationBuilder {
    pub fn new(header: &Header, layout: LocationLayout) -> Self {
        Self { layout, nodes: NodeIndex::new(header) }
    }

    /// Copies the whole records of `scanned` to `places`; says how many numbers that were.
    pub fn take(&self, scanned: Scanned<'_>, places: &mut Places) -> Result<usize> {
        let LocationLayout { stride, object_index, script_id, line, column } = self.layout;
        let values = scanned.batch.values();
        let records = values.len() / stride;
        for (record, row) in values.chunks_exact(stride).enumerate() {
            let number = |field: usize| record * stride + field;
            let value = |field: usize| scanned.batch.value(number(field));
            let narrow = |what: &'static str, field: usize| {
                u32::try_from(value(field))
                    .map_err(|_| index_error(what, value(field), U32_LIMIT, scanned.at(number(field))))
            };
            let Some(node) = self.nodes.of(row[object_index]).filter(|_| row[object_index] != u32::MAX)
            else {
                let offset = scanned.at(number(object_index));
                return Err(self.nodes.fault("location object_index", value(object_index), offset));
            };
            let place = Place {
                script: narrow("location script_id", script_id)?,
                line: in_file(narrow("location line", line)?),
                column: in_file(narrow("location column", column)?),
            };
            places.add(node, place)?;
        }
        Ok(records * stride)
    }

    /// Checks that the last record is whole at the closing bracket, at `offset`.
    pub fn finish(&self, batch: &Batch, offset: u64) -> Result<()> {
        whole_records("location", self.layout.stride, batch, offset)
    }
}

/// A program that compiles code with something of its own in front may tell V8 so by an offset below zero; what is in front is then before
/// the first column. Up to Node 22 V8 writes these as numbers of 32 bits without a sign.
fn in_file(number: u32) -> u32 {
    if i32::try_from(number).is_ok() { number } else { 0 }
}
