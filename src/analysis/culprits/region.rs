//! The part of a graph that is new, as a tree of what the program can see.

use crate::analysis::path::is_visible;
use crate::analysis::trees::Trees;
use crate::error::Result;
use crate::graph::path::Paths;
use crate::graph::{Graph, Node, NodeKind, ROOT, filled};

const NONE: Node = Node::MAX;

/// The new nodes and how they hang together.
#[derive(Debug)]
pub(crate) struct Region {
    added: Vec<bool>,
    visible: Vec<bool>,
    /// The nearest visible dominator.
    parent: Vec<Node>,
    /// New bytes at and below a node in the dominator tree.
    size: Vec<u64>,
    first_child: Vec<Node>,
    next_child: Vec<Node>,
}

impl Region {
    pub fn of(graph: &Graph, trees: &Trees, added: Vec<bool>) -> Result<Self> {
        let nodes = graph.node_count();
        let mut region = Self {
            added,
            visible: filled(false, nodes)?,
            parent: filled(ROOT, nodes)?,
            size: filled(0, nodes)?,
            first_child: filled(NONE, nodes)?,
            next_child: filled(NONE, nodes)?,
        };
        for node in graph.nodes() {
            region.visible[node as usize] = is_visible(graph, node);
        }
        region.visible[ROOT as usize] = true;
        let order = trees.dominators.order();
        for &node in &order[1..] {
            let above = trees.dominators.parent(node);
            region.parent[node as usize] =
                if region.visible[above as usize] { above } else { region.parent[above as usize] };
        }
        for &node in order[1..].iter().rev() {
            if region.added[node as usize] {
                region.size[node as usize] = region.size[node as usize].saturating_add(graph.self_size(node));
            }
            let size = region.size[node as usize];
            let above = &mut region.size[trees.dominators.parent(node) as usize];
            *above = above.saturating_add(size);
        }
        for &node in order[1..].iter().rev() {
            if region.added[node as usize] && region.visible[node as usize] {
                let head = &mut region.first_child[region.parent[node as usize] as usize];
                region.next_child[node as usize] = std::mem::replace(head, node);
            }
        }
        Ok(region)
    }

    /// New bytes that would be freed with `node`.
    pub fn size(&self, node: Node) -> u64 {
        self.size[node as usize]
    }

    /// The visible new nodes whose nearest visible dominator is `node`.
    pub fn children(&self, node: Node) -> impl Iterator<Item = Node> + '_ {
        let mut child = self.first_child[node as usize];
        std::iter::from_fn(move || {
            let found = child;
            if found == NONE {
                return None;
            }
            child = self.next_child[found as usize];
            Some(found)
        })
    }

    /// The new nodes that no new node dominates: the independent units of growth.
    pub fn tops(&self) -> impl Iterator<Item = Node> + '_ {
        (1..self.added.len() as Node).filter(|&node| {
            let at = node as usize;
            self.added[at] && self.visible[at] && !self.added[self.parent[at] as usize]
        })
    }

    /// New backing stores of at least `size` bytes in something old: a collection of numbers grows by nothing else.
    pub fn stores(&self, graph: &Graph, size: u64) -> impl Iterator<Item = Node> + '_ {
        let large = move |node: &Node| {
            let at = *node as usize;
            self.added[at] && !self.visible[at] && !self.added[self.parent[at] as usize]
        };
        let stores: Vec<Node> = graph
            .nodes()
            .filter(|&node| {
                graph.self_size(node) >= size
                    && matches!(graph.kind(node), NodeKind::Array | NodeKind::Native)
            })
            .collect();
        stores.into_iter().filter(large)
    }

    fn is_holder(&self, node: Node) -> bool {
        node == ROOT || (self.visible[node as usize] && !self.added[node as usize])
    }
}

/// For each node the nearest old, visible owner on its path to the root.
#[derive(Debug)]
pub(crate) struct Holders {
    known: Vec<Node>,
    walked: Vec<Node>,
}

impl Holders {
    pub fn new(graph: &Graph) -> Result<Self> {
        Ok(Self { known: filled(NONE, graph.node_count())?, walked: Vec::new() })
    }

    /// The holder of `node`; the root where nothing else is old. Each step is walked once, however many nodes share it.
    pub fn of(&mut self, region: &Region, paths: &Paths, node: Node) -> Node {
        self.walked.clear();
        let mut at = node;
        let holder = loop {
            let known = self.known[at as usize];
            if known != NONE {
                break known;
            }
            self.walked.push(at);
            match paths.step(at) {
                None => break ROOT,
                Some(step) if region.is_holder(step.from) => break step.from,
                Some(step) => at = step.from,
            }
        };
        for &walked in &self.walked {
            self.known[walked as usize] = holder;
        }
        holder
    }
}
