//! How many steps a node is from the roots, as DevTools counts them.
//!
//! DevTools walks breadth first from the user's roots (the global objects) with distance 1, and only then from the root proper,
//! whose distance is [`SYSTEM`]: what only V8 or Node refers to is always farther than what the program refers to.

use std::collections::HashSet;
use std::sync::atomic::AtomicBool;

use super::holding::ephemeron;
use super::{Edge, EdgeKind, EdgeName, Graph, Node, NodeKind, ROOT, check, filled};
use crate::error::Result;

/// Distances from here on count from the root proper, not from the program's global objects.
pub const SYSTEM: u32 = 100_000_000;

/// The distance of what cannot be reached.
pub const UNREACHABLE: u32 = u32::MAX;

/// The distance of every node.
#[derive(Debug)]
pub struct Distances {
    by_node: Vec<u32>,
}

impl Distances {
    /// The distances of `graph`, after `calculateDistances` of DevTools' `HeapSnapshot.ts`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        let mut walk = Walk {
            graph,
            by_node: filled(UNREACHABLE, graph.node_count())?,
            queue: Vec::new(),
            pending: HashSet::new(),
        };
        walk.queue
            .try_reserve_exact(graph.node_count())
            .map_err(|_| crate::error::ErrorKind::OutOfMemory { bytes: graph.node_count() as u64 * 4 })?;
        for edge in graph.edges(ROOT) {
            let to = graph.edge_to(edge);
            if graph.kind(to) != NodeKind::Synthetic || graph.name(to) == "(Document DOM trees)" {
                if walk.by_node[to as usize] == UNREACHABLE {
                    walk.queue.push(to);
                }
                walk.by_node[to as usize] = 1;
            }
        }
        let any = !walk.queue.is_empty();
        walk.run(cancel)?;
        walk.by_node[ROOT as usize] = if any { SYSTEM } else { 0 };
        walk.queue.clear();
        walk.queue.push(ROOT);
        walk.run(cancel)?;
        Ok(Self { by_node: walk.by_node })
    }

    /// The distance of `node`; [`UNREACHABLE`] where no edge but weak ones leads there.
    pub fn get(&self, node: Node) -> u32 {
        self.by_node[node as usize]
    }
}

struct Walk<'g> {
    graph: &'g Graph,
    by_node: Vec<u32>,
    queue: Vec<Node>,
    /// WeakMap pairs of which one edge was seen: the value counts from the second, the farther one.
    pending: HashSet<&'g str>,
}

impl Walk<'_> {
    fn run(&mut self, cancel: &AtomicBool) -> Result<()> {
        let mut at = 0;
        while at < self.queue.len() {
            if at % 65_536 == 0 {
                check(cancel)?;
            }
            let node = self.queue[at];
            at += 1;
            let distance = self.by_node[node as usize] + 1;
            for edge in self.graph.edges(node) {
                let to = self.graph.edge_to(edge);
                if self.by_node[to as usize] == UNREACHABLE
                    && self.graph.edge_kind(edge) != EdgeKind::Weak
                    && self.counts(node, edge)
                {
                    self.by_node[to as usize] = distance;
                    self.queue.push(to);
                }
            }
        }
        Ok(())
    }

    /// Whether DevTools walks `edge`: some lead from V8's bookkeeping to what it only describes.
    fn counts(&mut self, node: Node, edge: Edge) -> bool {
        match self.graph.kind(node) {
            NodeKind::Hidden
                if self.graph.name(node) == "system / NativeContext"
                    && self.graph.edge_name(edge) == EdgeName::Name("sloppy_function_map") =>
            {
                return false;
            }
            NodeKind::Array if self.graph.name(node) == "(map descriptors)" => {
                let index = match self.graph.edge_name(edge) {
                    EdgeName::Index(index) => Some(index),
                    EdgeName::Name(name) => name.parse().ok(),
                };
                // Every third slot from the second is a property's value in the map, not in an object.
                return index.is_some_and(|index| index < 2 || index % 3 != 1);
            }
            NodeKind::Array => return true,
            _ => {}
        }
        if self.graph.edge_kind(edge) != EdgeKind::Internal {
            return true;
        }
        let EdgeName::Name(name) = self.graph.edge_name(edge) else { return true };
        match ephemeron(name) {
            Some((pair, _)) => self.pending.remove(pair) || !self.pending.insert(pair),
            None => true,
        }
    }
}
