//! What holds many.

use serde::Serialize;

use super::MAX_ROWS;
use crate::analysis::class::class_name;
use crate::analysis::path::is_dictionary;
use crate::graph::dominators::Numbered;
use crate::graph::sizes::Sizes;
use crate::graph::{EdgeKind, Graph, Node, NodeKind};

/// Smaller ones are of no interest, in bytes.
const SMALLEST: u64 = 4096;

/// A pointer, in bytes: Node does not compress them.
const WORD: u64 = 8;

/// What a collection takes without its store, in bytes.
const OWN_BYTES: u64 = 32;

/// A Map, Set, array, or plain object with many properties.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct CollectionSummary {
    /// V8's number of the object; 0 where ids were not asked for.
    pub id: u32,
    /// `Map`, `Set`, `WeakMap`, `WeakSet`, `Array`, or `Object`.
    pub constructor_name: String,
    /// How many entries it has: of an array, up to the last that is an object; of a Map or Set of plain numbers, how many it has room
    /// for. Neither is told apart in a snapshot.
    pub entries: u64,
    /// What would be freed with it.
    pub retained_size: u64,
}

/// The collections that retain most, the largest first.
pub(crate) fn collections(graph: &Graph, tree: &Numbered, retained: &Sizes) -> Vec<CollectionSummary> {
    let mut found: Vec<(u64, Node)> = Vec::new();
    let mut least = SMALLEST;
    for (number, &node) in (0..).zip(&tree.order) {
        let size = retained.get(number);
        if size < least || graph.kind(node) != NodeKind::Object || !is_collection(graph, node) {
            continue;
        }
        found.push((size, node));
        if found.len() >= 4 * MAX_ROWS {
            // Only what is as large as the last of the first rows can still be among them.
            found.sort_unstable_by_key(|&(size, node)| (std::cmp::Reverse(size), node));
            found.truncate(MAX_ROWS);
            least = found.last().map_or(SMALLEST, |&(size, _)| size);
        }
    }
    found.sort_unstable_by_key(|&(size, node)| (std::cmp::Reverse(size), node));
    found.truncate(MAX_ROWS);
    let summary = |(retained_size, node)| CollectionSummary {
        id: graph.id(node),
        constructor_name: class_name(graph, node).to_owned(),
        entries: entries(graph, node),
        retained_size,
    };
    found.into_iter().map(summary).collect()
}

fn is_collection(graph: &Graph, node: Node) -> bool {
    match graph.name(node) {
        "Map" | "Set" | "WeakMap" | "WeakSet" => graph.child_named(node, "table").is_some(),
        "Array" => true,
        _ => is_dictionary(graph, node),
    }
}

fn entries(graph: &Graph, node: Node) -> u64 {
    let table = |name| graph.child_named(node, name);
    // A store that belongs to this collection alone has given its size away to it.
    let words = |store: Node| match graph.self_size(store) {
        0 => graph.self_size(node).saturating_sub(OWN_BYTES) / WORD,
        size => size / WORD,
    };
    let highest = |node: Node, wanted: EdgeKind| {
        // V8 writes them in order.
        let mut edges = graph.edges(node).rev().filter(|&edge| graph.edge_kind(node, edge) == wanted);
        edges.find_map(|edge| graph.edge_name(node, edge).leading_number())
    };
    match graph.name(node) {
        name @ ("Map" | "Set") => {
            let Some(table) = table("table") else { return 0 };
            // V8's OrderedHashTable: three numbers, a bucket for every two entries, and per entry its fields and the next in its bucket.
            let fields = if name == "Map" { 3 } else { 2 };
            let slots = words(table).saturating_sub(2 + 3);
            let room = slots * 2 / (1 + 2 * fields);
            // The number of buckets is a power of two.
            let room = if room == 0 { 0 } else { 1 << room.ilog2() };
            let first = 3 + room / 2;
            match highest(table, EdgeKind::Internal).filter(|&slot| slot >= first) {
                Some(slot) => ((slot - first) / fields + 1).min(room),
                None => room,
            }
        }
        // Each entry of a weak collection is two edges, of which the table's to the value says both.
        "WeakMap" | "WeakSet" => table("table").map_or(0, |table| graph.edges(table).len() as u64 / 2),
        "Array" => match highest(node, EdgeKind::Element) {
            Some(last) => last + 1,
            None => table("elements").map_or(0, |store| words(store).saturating_sub(2)),
        },
        _ => graph.named_edges(node).filter(|&(kind, _, _)| kind == EdgeKind::Property).count() as u64,
    }
}
