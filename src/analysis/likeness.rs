//! Nodes matched by what they are and by what holds them, where ids mean nothing.
//!
//! Two nodes are alike when the paths that keep them alive read alike: the same classes, the same names of properties and
//! variables, list and index positions left out. All entries of one Map are alike; of 100 before and 4100 now, 4000 are new, and
//! for the count and the sizes it does not matter which.
//!
//! A collection moves objects, and with them the order of nodes and edges in the next snapshot. So that nothing follows from that order,
//! of equally short paths a node gets the one that reads first, by the hash of its names: whichever place V8 writes first, what two places
//! hold is always told as held by the same one.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::atomic::AtomicBool;

use super::path::{generic, is_dictionary, is_link, is_visible};
use crate::error::Result;
use crate::graph::holding::ephemeron;
use crate::graph::path::{Paths, Step, Ties};
use crate::graph::{EdgeName, Graph, Node, NodeKind, ROOT, check, filled};

/// Fewer alike than this are not looked at one by one: growth of interest is ten and more.
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
    /// The likeness of all nodes of `graph`, with the paths that it speaks of: 12 bytes a node beside them, 32 meanwhile and 16 a string.
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<(Paths, Self)> {
        let mut reading = Reading::new(graph)?;
        let paths = Paths::by(graph, &mut reading, cancel)?;
        check(cancel)?;
        let Reading { by_node, depth, .. } = reading;
        let (order, levels) = by_depth(&paths, &depth)?;
        Ok((paths, Self { by_node, order, levels }))
    }

    /// The likeness of `node`, the same in every snapshot; 0 where nothing holds it.
    pub fn get(&self, node: Node) -> u64 {
        self.by_node[node as usize]
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
                    // V8's own groups of roots are many, and none is anything that a program has.
                    && graph.kind(node) != NodeKind::Synthetic
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
fn by_depth(paths: &Paths, depth: &[u32]) -> Result<(Vec<Node>, Vec<u32>)> {
    let reached = || (ROOT..).zip(depth).filter(|&(node, _)| paths.step(node).is_some());
    let deepest = reached().map(|(_, &depth)| depth).max().unwrap_or(0);
    let mut first = filled(0u32, deepest as usize + 2)?;
    reached().for_each(|(_, &depth)| first[depth as usize + 1] += 1);
    for at in 1..first.len() {
        first[at] += first[at - 1];
    }
    let mut order = filled(ROOT, reached().count())?;
    for (node, &depth) in reached() {
        let slot = &mut first[depth as usize];
        order[*slot as usize] = node;
        *slot += 1;
    }
    // Each entry has moved from its depth's first to its depth's end.
    Ok((order, first))
}

/// How a node's path reads; of several ways the least is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Text {
    /// The number of steps: what is walked late can be held from near and from far.
    depth: u32,
    /// The likeness of the node.
    own: u64,
    /// What it passes on to what it holds; unseen nodes pass on their owner's.
    passed: u64,
    /// What it is, and by which name it is held; 0 where it is one of many.
    sign: u32,
}

/// Reads paths while they are made.
struct Reading<'g> {
    graph: &'g Graph,
    names: Names<'g>,
    depth: Vec<u32>,
    by_node: Vec<u64>,
    passed: Vec<u64>,
    sign: Vec<u32>,
    /// The nearest visible node on the path.
    above: Vec<Node>,
}

/// After so many visible steps at most a chain repeats itself: an object, its function, the object that this keeps.
const PERIOD: usize = 4;

impl<'g> Reading<'g> {
    fn new(graph: &'g Graph) -> Result<Self> {
        let nodes = graph.node_count();
        Ok(Self {
            graph,
            names: Names::new(graph)?,
            depth: filled(0, nodes)?,
            by_node: filled(0, nodes)?,
            passed: filled(0, nodes)?,
            sign: filled(0, nodes)?,
            above: filled(ROOT, nodes)?,
        })
    }

    /// How `node`'s path reads that begins with `step`: a function of what stands there, and of no index.
    fn text(&mut self, node: Node, step: Step) -> Text {
        let (graph, from) = (self.graph, step.from as usize);
        let name = self.names.edge(&step);
        let label = self.names.label(node);
        let is_visible = is_visible(graph, node);
        let sign = if name <= 1 { 0 } else { (mixed(name, label, 0) >> 32) as u32 | 1 };
        let same_class = graph.kind(node) == NodeKind::Object
            && graph.kind(step.from) == NodeKind::Object
            && graph.name_index(step.from) == graph.name_index(node);
        let own = if same_class && is_link(graph, node) {
            self.by_node[from]
        } else if let Some(before) = self.repeated(step.from, sign).filter(|_| is_visible) {
            self.by_node[before as usize]
        } else {
            mixed(self.passed[from], name, label)
        };
        let passed = if is_visible { own } else { self.passed[from] };
        Text { depth: self.depth[from] + 1, own, passed, sign }
    }

    /// The visible node at `from` or before it.
    fn base(&self, from: Node) -> Node {
        if is_visible(self.graph, from) { from } else { self.above[from as usize] }
    }

    /// The visible node, `from` or shortly before it, that is held by the same name and is the same as one that `sign` stands for, with
    /// nothing in between but names: the link of a chain before this one. `next` of `next`, or `previous` of `close` of `previous`.
    fn repeated(&self, from: Node, sign: u32) -> Option<Node> {
        let mut at = self.base(from);
        for _ in 0..PERIOD {
            match self.sign[at as usize] {
                0 => return None,
                found if found == sign => return Some(at),
                _ => at = self.above[at as usize],
            }
        }
        None
    }

    /// The signs that a chain is told by, from the visible node at `from` on.
    fn signs(&self, from: Node) -> [u32; PERIOD] {
        let mut at = self.base(from);
        std::array::from_fn(|_| {
            let sign = self.sign[at as usize];
            at = self.above[at as usize];
            sign
        })
    }

    /// Whether two steps read the same at a glance: most that meet in a node come from two objects of one class, by the same property.
    fn is_same(&self, a: Step, b: Step) -> bool {
        let graph = self.graph;
        let (from, other) = (a.from as usize, b.from as usize);
        let slot = |step: Step| step.edge - graph.edges(step.from).start;
        let layout = graph.layout(a.from);
        layout.is_some()
            && layout == graph.layout(b.from)
            && slot(a) == slot(b)
            && graph.kind(a.from) == graph.kind(b.from)
            && graph.name_index(a.from) == graph.name_index(b.from)
            && self.depth[from] == self.depth[other]
            && self.by_node[from] == self.by_node[other]
            && self.passed[from] == self.passed[other]
            && self.signs(a.from) == self.signs(b.from)
    }
}

impl Ties for Reading<'_> {
    const MATTER: bool = true;

    fn settle(&mut self, node: Node, step: Step) {
        let Text { depth, own, passed, sign } = self.text(node, step);
        let node = node as usize;
        (self.depth[node], self.by_node[node], self.passed[node], self.sign[node]) =
            (depth, own, passed, sign);
        self.above[node] = self.base(step.from);
    }

    fn prefers(&mut self, node: Node, other: Step, step: Step) -> bool {
        !self.is_same(other, step) && self.text(node, other) < self.text(node, step)
    }
}

/// Hashes of names, each made once. They are compared across snapshots, whose string indexes differ.
struct Names<'g> {
    graph: &'g Graph,
    labels: Vec<u64>,
    edges: Vec<u64>,
}

impl<'g> Names<'g> {
    fn new(graph: &'g Graph) -> Result<Self> {
        let count = graph.strings().len();
        Ok(Self { graph, labels: filled(0, count)?, edges: filled(Self::UNKNOWN, count)? })
    }

    /// No hash of a name.
    const UNKNOWN: u64 = 2;

    fn label(&mut self, node: Node) -> u64 {
        let kind = self.graph.kind(node);
        match kind {
            NodeKind::Object | NodeKind::Native | NodeKind::Closure => {
                let index = self.graph.name_index(node);
                let hash = match self.labels.get_mut(index as usize) {
                    Some(slot) => {
                        if *slot == 0 {
                            *slot = hashed(self.graph.strings().get(index)) | 1;
                        }
                        *slot
                    }
                    None => 0,
                };
                mixed(kind as u64, hash, 0)
            }
            kind if kind.is_string() => NodeKind::String as u64,
            kind => kind as u64,
        }
    }

    /// One number for all places in a list; else the name's.
    fn edge(&mut self, step: &Step) -> u64 {
        let EdgeName::Name(name) = self.graph.edge_name(step.from, step.edge) else { return 0 };
        if is_dictionary(self.graph, step.from) {
            return 0;
        }
        let index = self.graph.edge_name_or_index(step.from, step.edge);
        let Some(slot) = self.edges.get_mut(index as usize) else { return 0 };
        if *slot == Self::UNKNOWN {
            *slot = match name {
                _ if name.bytes().all(|byte| byte.is_ascii_digit()) => 0,
                _ if ephemeron(name).is_some() => 1,
                _ => hashed(&generic(name)) | 1,
            };
        }
        *slot
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
