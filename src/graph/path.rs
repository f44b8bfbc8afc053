//! The chain of holding edges that keeps a node alive, from the node out to a root.
//!
//! One breadth-first walk from the roots records for every node the edge by which it was first reached; a path is read off by
//! going back. As with [distances](super::distance), the program's global objects come first. What the running functions hold on the
//! stack comes after all other roots: it is let go when they return. Compiled code and hidden classes are walked last: they often
//! give the shorter way (a constant in optimized code), and never the one a person can act on.

use std::sync::atomic::AtomicBool;

use super::holding::Holding;
use super::{Edge, Graph, Node, NodeKind, ROOT, check, filled};
use crate::error::Result;

const NONE: u32 = u32::MAX;

/// V8's names of the roots that are there only as long as some function runs.
const STACK_ROOTS: [&str; 2] = ["(Stack roots)", "(Handle scope)"];

/// One step outwards: `from` holds the node before by `edge`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    /// The edge that holds.
    pub edge: Edge,
    /// The node it starts at, the retainer.
    pub from: Node,
}

/// For every node the first step of its path to a root: 8 bytes a node.
#[derive(Debug)]
pub struct Paths {
    steps: Vec<Step>,
}

impl Paths {
    /// The paths of `graph` over its holding edges.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, holding: &Holding, cancel: &AtomicBool) -> Result<Self> {
        let mut walk = Walk {
            graph,
            holding,
            cancel,
            steps: filled(Step { edge: NONE, from: NONE }, graph.node_count())?,
            queue: Vec::new(),
            stack: Vec::new(),
            later: Vec::new(),
        };
        for edge in graph.edges(ROOT) {
            if graph.kind(graph.edge_to(edge)) != NodeKind::Synthetic {
                walk.reach(ROOT, edge);
            }
        }
        walk.run()?;
        for edge in graph.edges(ROOT) {
            walk.reach(ROOT, edge);
        }
        walk.run()?;
        while !(walk.stack.is_empty() && walk.later.is_empty()) {
            let next = if walk.stack.is_empty() { &mut walk.later } else { &mut walk.stack };
            for node in std::mem::take(next) {
                for edge in graph.edges(node) {
                    walk.reach(node, edge);
                }
            }
            walk.run()?;
        }
        Ok(Self { steps: walk.steps })
    }

    /// The steps from `node` outwards to the root, the nearest retainer first; none where nothing holds `node`.
    pub fn from(&self, node: Node) -> impl Iterator<Item = Step> + '_ {
        let mut at = node;
        std::iter::from_fn(move || {
            let step = self.step(at)?;
            at = step.from;
            Some(step)
        })
    }

    /// The first step of `node`'s path; `None` at the root and where nothing holds `node`.
    pub fn step(&self, node: Node) -> Option<Step> {
        let step = self.steps[node as usize];
        (step.edge != NONE).then_some(step)
    }
}

struct Walk<'g> {
    graph: &'g Graph,
    holding: &'g Holding,
    cancel: &'g AtomicBool,
    steps: Vec<Step>,
    queue: Vec<Node>,
    /// Roots of the functions that run.
    stack: Vec<Node>,
    /// Compiled code and hidden classes.
    later: Vec<Node>,
}

impl Walk<'_> {
    fn reach(&mut self, from: Node, edge: Edge) {
        let to = self.graph.edge_to(edge);
        if to == ROOT || self.steps[to as usize].edge != NONE || !self.holding.holds(edge) {
            return;
        }
        self.steps[to as usize] = Step { edge, from };
        match self.graph.kind(to) {
            NodeKind::Code | NodeKind::Shape => self.later.push(to),
            NodeKind::Synthetic if STACK_ROOTS.contains(&self.graph.name(to)) => self.stack.push(to),
            _ => self.queue.push(to),
        }
    }

    fn run(&mut self) -> Result<()> {
        let mut at = 0;
        while let Some(&node) = self.queue.get(at) {
            if at % 65_536 == 0 {
                check(self.cancel)?;
            }
            at += 1;
            for edge in self.graph.edges(node) {
                self.reach(node, edge);
            }
        }
        self.queue.clear();
        Ok(())
    }
}
