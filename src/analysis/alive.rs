//! How much is alive.

use crate::graph::{Graph, NodeKind};

/// Bytes that were alive when a snapshot was taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Alive {
    /// On V8's heap: the post-GC floor, but for what V8 does not count as nodes.
    pub heap: u64,
    /// Outside the heap, held by JavaScript objects.
    pub outside: u64,
}

impl Alive {
    /// What is alive in `graph`. One pass over its nodes.
    pub fn of(graph: &Graph) -> Self {
        let mut alive = Self::default();
        for node in graph.nodes() {
            let outside = graph.kind(node) == NodeKind::Native;
            let sum = if outside { &mut alive.outside } else { &mut alive.heap };
            *sum = sum.saturating_add(graph.self_size(node));
        }
        alive
    }
}
