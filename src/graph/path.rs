//! The chain of holding edges that keeps a node alive, from the node out to a root.
//!
//! Whether a debugger's hold counts, which for [dominators](super::holding) depends on what the page owns, is no question here: what a
//! debugger alone holds has a path through the debugger.
//!
//! One breadth-first walk from the roots records for every node the edge by which it was first reached; a path is read off by
//! going back. As with [distances](super::distance), the program's global objects come first. What the running functions hold on the
//! stack comes after all other roots: it is let go when they return. Compiled code and hidden classes are walked last: they often
//! give the shorter way (a constant in optimized code), and never the one a person can act on.
//!
//! Of equally short paths the first one found is taken, which depends on where V8 has put things; for work that compares paths of two
//! snapshots `Ties` decides.

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
        Self::by(graph, &mut FirstFound, cancel)
    }

    /// The same, `ties` choosing among equally short ones. It is told of each node that has a path once that is chosen, the nodes
    /// nearer to the root first.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub(crate) fn by<T: Ties>(graph: &Graph, ties: &mut T, cancel: &AtomicBool) -> Result<Self> {
        Self::walk(graph, (Bits::default(), usize::MAX), ties, &mut Spare::default(), cancel)
    }

    /// The same, no farther than all of `nodes` have theirs: what comes after them in the walk has none.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub(crate) fn to(graph: &Graph, nodes: &[Node], spare: &mut Spare, cancel: &AtomicBool) -> Result<Self> {
        let mut wanted = Bits::new(graph.node_count())?;
        let count = nodes.iter().filter(|&&node| node != ROOT && !wanted.set(node)).count();
        Self::walk(graph, (wanted, count), &mut FirstFound, spare, cancel)
    }

    fn walk<T: Ties>(
        graph: &Graph,
        (wanted, missing): (Bits, usize),
        ties: &mut T,
        spare: &mut Spare,
        cancel: &AtomicBool,
    ) -> Result<Self> {
        let mut walk = Walk {
            graph,
            wanted,
            missing,
            ties,
            round: 0,
            reached_in: if T::MATTER { spare.filled(0, graph.node_count())? } else { Vec::new() },
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
        walk.round += 1;
        walk.reach_all(ROOT)?;
        walk.run()?;
        while walk.missing > 0 && !(walk.stack.is_empty() && walk.later.is_empty()) {
            let next = if walk.stack.is_empty() { &mut walk.later } else { &mut walk.stack };
            walk.round += 1;
            for node in std::mem::take(next) {
                walk.expand(node)?;
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

/// What decides which of several equally short paths a node gets.
pub(crate) trait Ties {
    /// Whether it matters: where it does not, the walk asks nothing and remembers less.
    const MATTER: bool;

    /// The path of `node` begins with `step`, and so it stays. What `step` starts from was settled before.
    fn settle(&mut self, node: Node, step: Step);

    /// Whether `node`'s path is better begun with `other` than with `step`, which is as short.
    fn prefers(&mut self, node: Node, other: Step, step: Step) -> bool;
}

/// The path that is found first.
struct FirstFound;

impl Ties for FirstFound {
    const MATTER: bool = false;

    fn settle(&mut self, _: Node, _: Step) {}

    fn prefers(&mut self, _: Node, _: Step, _: Step) -> bool {
        false
    }
}

struct Walk<'g, T> {
    graph: &'g Graph,
    ties: &'g mut T,
    /// How many times the front has moved on. What is reached in one round is reached by paths that are equally good.
    round: u32,
    /// By node, the round in which it was reached; empty where ties do not matter.
    reached_in: Vec<u32>,
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

impl<T: Ties> Walk<'_, T> {
    #[inline]
    fn reach(&mut self, from: Node, edge: Edge) -> Result<()> {
        let target = self.graph.target(edge);
        let to = target.node();
        let known = &mut self.edge[to as usize];
        if *known != NONE || !target.may_hold() || to == ROOT {
            if T::MATTER && *known != NONE && target.may_hold() && self.reached_in[to as usize] == self.round
            {
                let step = Step { edge: *known, from: self.from[to as usize] };
                if self.ties.prefers(to, Step { edge, from }, step) {
                    *known = edge;
                    self.from[to as usize] = from;
                }
            }
            return Ok(());
        }
        *known = edge;
        self.from[to as usize] = from;
        if T::MATTER {
            self.reached_in[to as usize] = self.round;
        }
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

    /// What `node` holds is one step farther than itself.
    fn expand(&mut self, node: Node) -> Result<()> {
        if T::MATTER {
            let step = Step { edge: self.edge[node as usize], from: self.from[node as usize] };
            self.ties.settle(node, step);
        }
        self.reach_all(node)
    }

    fn run(&mut self) -> Result<()> {
        let (mut at, mut end) = (0, 0);
        while self.missing > 0
            && let Some(&node) = self.queue.get(at)
        {
            if at % 65_536 == 0 {
                check(self.cancel)?;
            }
            if T::MATTER && at == end {
                end = self.queue.len();
                self.round += 1;
            }
            at += 1;
            self.expand(node)?;
        }
        self.queue.clear();
        Ok(())
    }
}
