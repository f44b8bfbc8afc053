//! The chain of holding edges that keeps a node alive, from the node out to a root.
//!
//! Whether a debugger's hold counts, which for [dominators](super::holding) depends on what the page owns, is no question here: what a
//! debugger alone holds has a path through the debugger.
//!
//! One breadth-first walk from the roots records for every node the edge by which it was first reached; a path is read off by
//! going back. As with [distances](super::distance), the program's global objects come first. What the running functions hold on the
//! stack comes after all other roots: it is let go when they return. Compiled code and hidden classes are walked last: they often
//! give the shorter way (a constant in optimized code), and never the one a person can act on.

use std::sync::atomic::AtomicBool;

use super::bits::Bits;
use super::spare::Spare;
use super::{Edge, Graph, Node, NodeKind, ROOT, check, reserve};
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
    /// By node, the edge by which it was reached first, and where that starts.
    edge: Vec<Edge>,
    from: Vec<Node>,
}

impl Paths {
    /// The paths of `graph` over its holding edges.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        Self::walk(graph, Bits::default(), usize::MAX, &mut Spare::default(), cancel)
    }

    /// The same, no farther than all of `nodes` have theirs: what comes after them in the walk has none.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub(crate) fn to(graph: &Graph, nodes: &[Node], spare: &mut Spare, cancel: &AtomicBool) -> Result<Self> {
        let mut wanted = Bits::new(graph.node_count())?;
        let count = nodes.iter().filter(|&&node| node != ROOT && !wanted.set(node)).count();
        Self::walk(graph, wanted, count, spare, cancel)
    }

    fn walk(
        graph: &Graph,
        wanted: Bits,
        missing: usize,
        spare: &mut Spare,
        cancel: &AtomicBool,
    ) -> Result<Self> {
        let mut walk = Walk {
            graph,
            wanted,
            missing,
            cancel,
            edge: spare.filled(NONE, graph.node_count())?,
            from: spare.filled(NONE, graph.node_count())?,
            queue: spare.empty(0)?,
            stack: Vec::new(),
            later: Vec::new(),
        };
        for edge in graph.edges(ROOT) {
            if graph.kind(graph.edge_to(edge)) != NodeKind::Synthetic {
                walk.reach(ROOT, edge)?;
            }
        }
        walk.run()?;
        walk.reach_all(ROOT)?;
        walk.run()?;
        while walk.missing > 0 && !(walk.stack.is_empty() && walk.later.is_empty()) {
            let next = if walk.stack.is_empty() { &mut walk.later } else { &mut walk.stack };
            for node in std::mem::take(next) {
                walk.reach_all(node)?;
            }
            walk.run()?;
        }
        Ok(Self { edge: walk.edge, from: walk.from })
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
        let edge = self.edge[node as usize];
        (edge != NONE).then(|| Step { edge, from: self.from[node as usize] })
    }
}

struct Walk<'g> {
    graph: &'g Graph,
    /// The nodes to get to, and how many of them are still to be reached; no bits where it is all.
    wanted: Bits,
    missing: usize,
    cancel: &'g AtomicBool,
    edge: Vec<Edge>,
    from: Vec<Node>,
    queue: Vec<Node>,
    /// Roots of the functions that run.
    stack: Vec<Node>,
    /// Compiled code and hidden classes.
    later: Vec<Node>,
}

impl Walk<'_> {
    #[inline]
    fn reach(&mut self, from: Node, edge: Edge) -> Result<()> {
        let target = self.graph.target(edge);
        let to = target.node();
        let known = &mut self.edge[to as usize];
        if *known != NONE || !target.may_hold() || to == ROOT {
            return Ok(());
        }
        *known = edge;
        self.from[to as usize] = from;
        if self.missing != usize::MAX && self.wanted.get(to) {
            self.missing -= 1;
        }
        let list = match self.graph.kind(to) {
            NodeKind::Code | NodeKind::Shape => &mut self.later,
            NodeKind::Synthetic if STACK_ROOTS.contains(&self.graph.name(to)) => &mut self.stack,
            _ => &mut self.queue,
        };
        reserve(list, 1)?;
        list.push(to);
        Ok(())
    }

    fn reach_all(&mut self, node: Node) -> Result<()> {
        self.graph.edges(node).try_for_each(|edge| self.reach(node, edge))
    }

    fn run(&mut self) -> Result<()> {
        let mut at = 0;
        while self.missing > 0
            && let Some(&node) = self.queue.get(at)
        {
            if at % 65_536 == 0 {
                check(self.cancel)?;
            }
            at += 1;
            self.reach_all(node)?;
        }
        self.queue.clear();
        Ok(())
    }
}
