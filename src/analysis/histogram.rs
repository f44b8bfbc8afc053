//! How many objects of each class there are, and how large: from the nodes alone, in constant memory.

use std::collections::HashMap;

use rustc_hash::FxHashMap;
use serde::Serialize;

use super::class::{Total, kind_class};
use crate::error::Result;
use crate::graph::{NodeKind, NodeSink, Row, Rows, SparseStrings};

/// The classes of a snapshot. Sizes are self sizes in bytes, as they stand in the file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Histogram {
    /// The number of nodes.
    pub node_count: u64,
    /// The sum of all self sizes.
    pub total_shallow_size: u64,
    /// The classes, the one that takes most first.
    pub constructors: Vec<HistogramRow>,
}

/// All instances of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HistogramRow {
    /// The class: the name in the file, and for what has none the kind: `(string)`, `Function`.
    pub constructor_name: String,
    /// How many there are.
    pub count: u64,
    /// Their own bytes.
    pub shallow_size: u64,
}

/// Counts nodes as they pass. Memory: 24 bytes a class.
#[derive(Debug, Default)]
pub struct HistogramBuilder {
    by_kind: [Total; 32],
    by_name: FxHashMap<u32, Total>,
}

impl NodeSink for HistogramBuilder {
    fn take(&mut self, rows: Rows<'_>) -> Result<()> {
        for Row { kind, name, self_size, .. } in rows.iter() {
            let total = match kind {
                NodeKind::Object | NodeKind::Native => self.by_name.entry(name).or_default(),
                kind => &mut self.by_kind[kind as usize],
            };
            total.count += 1;
            total.size = total.size.saturating_add(self_size);
        }
        Ok(())
    }
}

impl HistogramBuilder {
    /// The histogram of what has passed; `names` has the names of objects and native nodes.
    pub fn finish(self, names: &SparseStrings) -> Histogram {
        let mut by_class: HashMap<&str, Total> = HashMap::new();
        let kinds =
            (0..).zip(self.by_kind).map(|(kind, total)| (kind_class(NodeKind::from_number(kind)), total));
        let named = self.by_name.iter().map(|(&name, &total)| (names.get(name), total));
        for (class, total) in kinds.chain(named).filter(|(_, total)| total.count > 0) {
            let sum = by_class.entry(class).or_default();
            sum.count += total.count;
            sum.size = sum.size.saturating_add(total.size);
        }
        let mut constructors: Vec<HistogramRow> = by_class
            .into_iter()
            .map(|(class, total)| HistogramRow {
                constructor_name: class.to_owned(),
                count: total.count,
                shallow_size: total.size,
            })
            .collect();
        constructors.sort_by(|a, b| {
            (b.shallow_size, b.count, &a.constructor_name).cmp(&(
                a.shallow_size,
                a.count,
                &b.constructor_name,
            ))
        });
        Histogram {
            node_count: constructors.iter().map(|row| row.count).sum(),
            total_shallow_size: constructors.iter().fold(0, |sum, row| sum.saturating_add(row.shallow_size)),
            constructors,
        }
    }
}
