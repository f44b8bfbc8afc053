//! Functions counted by where they are written.

use rustc_hash::FxHashMap;
use serde::Serialize;

use crate::graph::{Graph, Location, Node, NodeKind};

/// No place has this number.
const NOWHERE: u32 = u32::MAX;

/// The functions that are written in one place: one line makes a new function whenever it is run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct FunctionCount {
    /// Its name, or the class of an object that is called; empty where it has none.
    pub name: String,
    /// Where it is written.
    pub location: Option<Location>,
    /// How often it is there.
    pub count: u64,
}

/// Functions by place and name; an entry a place, however many functions.
#[derive(Debug, Default)]
pub(super) struct Functions {
    by_place: FxHashMap<(u32, u32), (u64, Node)>,
}

impl Functions {
    pub fn add(&mut self, graph: &Graph, function: Node) {
        let place = graph.place_number(function).unwrap_or(NOWHERE);
        self.by_place.entry((place, graph.name_index(function))).or_insert((0, function)).0 += 1;
    }

    /// The `limit` most frequent ones, the most frequent first.
    pub fn ranked(self, graph: &Graph, limit: usize) -> Vec<FunctionCount> {
        let count = |(count, node): (u64, Node)| {
            let name = graph.name(node);
            let name = match graph.kind(node) {
                NodeKind::Closure if name == "native_bind" => "",
                _ => name,
            };
            FunctionCount { name: name.to_owned(), location: graph.location(node), count }
        };
        let mut functions: Vec<_> = self.by_place.into_values().map(count).collect();
        functions.sort_by(|a, b| (b.count, &a.name, &a.location).cmp(&(a.count, &b.name, &b.location)));
        functions.truncate(limit);
        functions
    }
}
