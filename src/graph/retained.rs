//! What would be freed with a node.

use super::dominators::Dominators;
use super::{Graph, Node, filled};
use crate::error::Result;

/// The retained size of every node, in bytes: its own and that of all that it dominates.
#[derive(Debug)]
pub struct RetainedSizes {
    by_node: Vec<u64>,
}

impl RetainedSizes {
    /// The retained sizes of `graph`, summed from the leaves up.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub fn of(graph: &Graph, dominators: &Dominators) -> Result<Self> {
        let mut by_node = filled(0u64, graph.node_count())?;
        for node in graph.nodes() {
            by_node[node as usize] = graph.self_size(node);
        }
        for &node in dominators.order().iter().skip(1).rev() {
            let size = by_node[node as usize];
            let parent = &mut by_node[dominators.parent(node) as usize];
            *parent = parent.saturating_add(size);
        }
        Ok(Self { by_node })
    }

    /// The bytes that `node` keeps alive, itself included.
    pub fn get(&self, node: Node) -> u64 {
        self.by_node[node as usize]
    }
}
