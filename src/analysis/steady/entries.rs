//! Entries that are no objects: numbers in an array, a Map, a Set.
//!
//! A snapshot does not show them, and the tables that hold them grow by doubling, which is in proportion to nothing. How many entries a
//! collection has is asked beside each snapshot, of V8 itself, and here it is looked up what the collection is.

use rustc_hash::{FxHashMap, FxHashSet};

use super::Births;
use super::pace::{Grown, is_steady_count};
use crate::analysis::class::class_name;
use crate::graph::{Graph, Node, NodeKind};

/// What collections had for entries beside each of three snapshots, by their number in these.
#[derive(Debug, Default)]
pub struct Lengths(Vec<FxHashMap<u32, u32>>);

/// A collection that grew in proportion in both rounds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Longer {
    /// Its number.
    pub id: u32,
    /// Its entries: before the rounds, and after each.
    pub counts: [u32; 3],
}

impl Lengths {
    /// Adds what was measured beside the next snapshot; a fourth is the first of three others.
    pub fn push(&mut self, lengths: Vec<(u32, u32)>) {
        if self.0.len() == 3 {
            self.0.clear();
        }
        self.0.push(lengths.into_iter().collect());
    }

    /// The collections of which there were three measurements that grew in proportion to `calls`, in the order of their numbers.
    pub fn longer(&self, calls: [u64; 2]) -> Vec<Longer> {
        let [first, middle, last] = &self.0[..] else { return Vec::new() };
        let counts = |id| Some([*first.get(&id)?, *middle.get(&id)?, *last.get(&id)?]);
        let all = last.keys().filter_map(|&id| Some(Longer { id, counts: counts(id)? }));
        let mut longer: Vec<Longer> =
            all.filter(|longer| is_steady_count(&grown(longer.counts, calls))).collect();
        longer.sort_by_key(|longer| longer.id);
        longer
    }
}

fn grown([first, middle, last]: [u32; 3], calls: [u64; 2]) -> [Grown; 2] {
    let by = |from: u32, to: u32| f64::from(to) - f64::from(from);
    [Grown { calls: calls[0], by: by(first, middle) }, Grown { calls: calls[1], by: by(middle, last) }]
}

/// A collection that has more and more entries of which none is an object of its own.
#[derive(Debug, Clone, Copy)]
pub(super) struct Filled {
    /// What it keeps them in.
    pub store: Node,
    /// How many came in each round.
    pub rounds: [Grown; 2],
    /// What an entry takes, as full as the store is.
    pub each: f64,
}

/// What the collections of `longer` are. Those whose entries are new objects are left out: these are seen by themselves.
pub(super) fn filled(births: &Births<'_>, longer: &[Longer], calls: [u64; 2]) -> Vec<Filled> {
    if longer.is_empty() {
        return Vec::new();
    }
    let graph = births.graph;
    let by_id: FxHashMap<u32, &Longer> = longer.iter().map(|longer| (longer.id, longer)).collect();
    let known = graph.nodes().filter_map(|node| Some((node, *by_id.get(&graph.id(node))?)));
    known.filter_map(|(node, longer)| one(births, node, longer, calls)).collect()
}

fn one(births: &Births<'_>, node: Node, longer: &Longer, calls: [u64; 2]) -> Option<Filled> {
    let graph = births.graph;
    let is_same = births.heaps().all(|heap| {
        heap.get(longer.id).is_some_and(|then| class_name(heap.graph, then) == class_name(graph, node))
    });
    if graph.kind(node) != NodeKind::Object || !is_same {
        return None;
    }
    let store = graph.child_named(node, "elements").or_else(|| graph.child_named(node, "table"))?;
    let rounds = grown(longer.counts, calls);
    let objects = new_below(births, graph, &[node, store]) as f64;
    let each = graph.self_size(store) as f64 / f64::from(longer.counts[2]).max(1.0);
    (objects * 2.0 < rounds[0].by + rounds[1].by).then_some(Filled { store, rounds, each })
}

/// How many new objects `holders` refer to, other than one another.
fn new_below(births: &Births<'_>, graph: &Graph, holders: &[Node]) -> usize {
    let targets = holders.iter().flat_map(|&holder| graph.edges(holder)).map(|edge| graph.edge_to(edge));
    let new = targets.filter(|to| !holders.contains(to) && births.round(*to).is_some());
    new.collect::<FxHashSet<Node>>().len()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lengths(rows: [&[(u32, u32)]; 3]) -> Lengths {
        let mut lengths = Lengths::default();
        rows.into_iter().for_each(|row| lengths.push(row.to_vec()));
        lengths
    }

    #[test]
    fn only_what_was_longer_after_both_rounds_is_told() {
        let measured = lengths([
            &[(1, 10), (3, 100), (5, 0), (9, 40)],
            &[(1, 110), (3, 200), (5, 100), (7, 100), (9, 40)],
            &[(1, 210), (3, 200), (5, 200), (7, 200), (9, 39)],
        ]);
        let longer = measured.longer([100, 100]);
        assert_eq!(
            longer,
            [Longer { id: 1, counts: [10, 110, 210] }, Longer { id: 5, counts: [0, 100, 200] }],
            "not the one that is full, nor the one that is new"
        );
        assert_eq!(Lengths::default().longer([100, 100]), [], "nothing was measured");
    }
}
