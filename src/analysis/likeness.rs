//! Nodes matched by what they are and by what holds them, where ids mean nothing.
//!
//! Two nodes are alike when the paths that keep them alive read alike: the same classes, the same names of properties and
//! variables, list and index positions left out. All entries of one Map are alike; of 100 before and 4100 now, 4000 are new, and
//! for the count and the sizes it does not matter which.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::AtomicBool;

use super::path::{is_dictionary, is_link, is_visible};
use crate::error::Result;
use crate::graph::holding::ephemeron;
use crate::graph::path::{Paths, Step};
use crate::graph::{EdgeKind, EdgeName, Graph, Node, NodeKind, ROOT, check, filled};

/// Fewer alike than this are not remembered: growth of interest is ten and more.
const MIN_ALIKE: u32 = 4;

/// The likeness of every node of a graph.
#[derive(Debug)]
pub(crate) struct Likeness {
    by_node: Vec<u64>,
    /// The nodes that a path leads to, those nearer to the root first.
    order: Vec<Node>,
    /// Where in `order` the nodes of each distance end.
    levels: Vec<u32>,
}

impl Likeness {
    pub fn of(graph: &Graph, paths: &Paths, cancel: &AtomicBool) -> Result<Self> {
        let nodes = graph.node_count();
        let (order, levels) = by_depth(graph, paths)?;
        check(cancel)?;
        let mut names = Names { graph, hashes: filled(0, graph.strings().len())? };
        // What a node passes on to what it holds; unseen nodes pass on their owner's.
        let mut passed = filled(0u64, nodes)?;
        let mut by_node = filled(0u64, nodes)?;
        for &node in &order {
            let Some(step) = paths.step(node) else { continue };
            let owner = passed[step.from as usize];
            let own = mixed(owner, names.edge(&step), names.label(node));
            let same_class = graph.kind(node) == NodeKind::Object
                && graph.kind(step.from) == NodeKind::Object
                && graph.name_index(step.from) == graph.name_index(node);
            let same_list = same_class && (is_link(graph, node) || repeats(graph, paths, &step));
            by_node[node as usize] = if same_list { by_node[step.from as usize] } else { own };
            passed[node as usize] = if is_visible(graph, node) { by_node[node as usize] } else { owner };
        }
        Ok(Self { by_node, order, levels })
    }

    /// How many are alike, for likenesses that more than a few share.
    pub fn counts(&self) -> HashMap<u64, u32> {
        let mut counts: HashMap<u64, u32> = HashMap::new();
        for &node in &self.order {
            *counts.entry(self.by_node[node as usize]).or_default() += 1;
        }
        counts.retain(|_, count| *count >= MIN_ALIKE);
        counts
    }

    /// For each node whether it counts as new, given how many were alike before.
    ///
    /// What a new node holds is new with it; where that does not account for all the growth, further ones of the same likeness are.
    pub fn added(&self, graph: &Graph, paths: &Paths, before: &HashMap<u64, u32>) -> Result<Vec<bool>> {
        let mut excess: HashMap<u64, i64> = HashMap::new();
        for (key, count) in self.counts() {
            excess.insert(key, i64::from(count) - i64::from(before.get(&key).copied().unwrap_or(0)));
        }
        let mut added = filled(false, graph.node_count())?;
        let mut start = 0;
        for &end in &self.levels {
            let level = &self.order[start..end as usize];
            start = end as usize;
            for &node in level {
                if paths.step(node).is_some_and(|step| added[step.from as usize]) {
                    added[node as usize] = true;
                    if let Some(excess) = excess.get_mut(&self.by_node[node as usize]) {
                        *excess -= 1;
                    }
                }
            }
            // The later ones of a collection are more likely the newer.
            for &node in level.iter().rev() {
                if !added[node as usize]
                    && let Some(excess) = excess.get_mut(&self.by_node[node as usize])
                    && *excess > 0
                {
                    *excess -= 1;
                    added[node as usize] = true;
                }
            }
        }
        Ok(added)
    }
}

/// The nodes that paths lead to, by the number of steps: a counting sort.
///
/// With where each depth's nodes end.
fn by_depth(graph: &Graph, paths: &Paths) -> Result<(Vec<Node>, Vec<u32>)> {
    const UNKNOWN: u32 = u32::MAX;
    let mut depth = filled(UNKNOWN, graph.node_count())?;
    depth[ROOT as usize] = 0;
    let mut walked = Vec::new();
    let mut deepest = 0;
    let mut reached = 0;
    for node in graph.nodes() {
        let mut at = node;
        walked.clear();
        while depth[at as usize] == UNKNOWN
            && let Some(Step { from, .. }) = paths.step(at)
        {
            walked.push(at);
            at = from;
        }
        let mut known = depth[at as usize];
        if known == UNKNOWN {
            continue;
        }
        while let Some(node) = walked.pop() {
            known += 1;
            depth[node as usize] = known;
            reached += 1;
        }
        deepest = deepest.max(known);
    }
    let mut first = filled(0u32, deepest as usize + 2)?;
    for &depth in depth.iter().filter(|&&depth| depth != UNKNOWN && depth > 0) {
        first[depth as usize + 1] += 1;
    }
    for at in 1..first.len() {
        first[at] += first[at - 1];
    }
    let mut order = filled(ROOT, reached)?;
    for node in graph.nodes().skip(1) {
        let depth = depth[node as usize];
        if depth != UNKNOWN {
            let slot = &mut first[depth as usize];
            order[*slot as usize] = node;
            *slot += 1;
        }
    }
    // Each entry has moved from its depth's first to its depth's end.
    Ok((order, first))
}

/// Whether a step is by the same property as the one after it: `next` of `next` of `next`.
fn repeats(graph: &Graph, paths: &Paths, step: &Step) -> bool {
    graph.edge_kind(step.from, step.edge) == EdgeKind::Property
        && paths.step(step.from).is_some_and(|outer| {
            graph.edge_kind(outer.from, outer.edge) == EdgeKind::Property
                && graph.edge_name_or_index(outer.from, outer.edge)
                    == graph.edge_name_or_index(step.from, step.edge)
        })
}

/// Hashes of names, each made once. They are compared across snapshots, whose string indexes differ.
struct Names<'g> {
    graph: &'g Graph,
    hashes: Vec<u64>,
}

impl Names<'_> {
    fn string(&mut self, index: u32) -> u64 {
        let Some(slot) = self.hashes.get_mut(index as usize) else { return 0 };
        if *slot == 0 {
            *slot = hashed(self.graph.strings().get(index)) | 1;
        }
        *slot
    }

    fn label(&mut self, node: Node) -> u64 {
        let kind = self.graph.kind(node);
        match kind {
            NodeKind::Object | NodeKind::Native | NodeKind::Closure => {
                mixed(kind as u64, self.string(self.graph.name_index(node)), 0)
            }
            kind if kind.is_string() => NodeKind::String as u64,
            kind => kind as u64,
        }
    }

    fn edge(&mut self, step: &Step) -> u64 {
        match self.graph.edge_name(step.from, step.edge) {
            EdgeName::Index(_) => 0,
            _ if is_dictionary(self.graph, step.from) => 0,
            EdgeName::Name(name) if name.bytes().all(|byte| byte.is_ascii_digit()) => 0,
            EdgeName::Name(name) if ephemeron(name).is_some() => 1,
            EdgeName::Name(_) => self.string(self.graph.edge_name_or_index(step.from, step.edge)),
        }
    }
}

/// The hash of `text`, the same in every run: `DefaultHasher::new` has fixed keys.
fn hashed(text: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    hasher.finish()
}

/// Three numbers as one (the finalizer of `splitmix64` over each).
fn mixed(a: u64, b: u64, c: u64) -> u64 {
    [a, b, c].iter().fold(0x9E37_79B9_7F4A_7C15, |hash: u64, &part| {
        let mut z = (hash ^ part).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z ^= z >> 27;
        z = z.wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    })
}
