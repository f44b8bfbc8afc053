//! The edges turned around: who refers to a node.

use std::sync::atomic::AtomicBool;

use super::{Edge, Graph, Node, check, filled};
use crate::error::Result;

/// For each node the edges that lead to it, in the order of the file: 8 bytes an edge, 4 a node.
#[derive(Debug)]
pub struct Retainers {
    first: Vec<u32>,
    edges: Vec<Edge>,
    from: Vec<Node>,
}

impl Retainers {
    /// The retainers of every node of `graph`, by a counting sort: two passes over the edges.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        let (nodes, edge_count) = (graph.node_count(), graph.edge_count());
        let mut first = filled(0u32, nodes + 1)?;
        for edge in 0..edge_count as u32 {
            first[graph.edge_to(edge) as usize + 1] += 1;
        }
        for node in 0..nodes {
            first[node + 1] += first[node];
        }
        check(cancel)?;
        let mut edges = filled(0, edge_count)?;
        let mut from = filled(0, edge_count)?;
        let mut next = filled(0u32, nodes)?;
        next.copy_from_slice(&first[..nodes]);
        for node in graph.nodes() {
            for edge in graph.edges(node) {
                let slot = &mut next[graph.edge_to(edge) as usize];
                edges[*slot as usize] = edge;
                from[*slot as usize] = node;
                *slot += 1;
            }
        }
        Ok(Self { first, edges, from })
    }

    /// The edges to `node`, each with the node it starts at.
    pub fn to(&self, node: Node) -> impl ExactSizeIterator<Item = (Edge, Node)> + '_ {
        let range = self.first[node as usize] as usize..self.first[node as usize + 1] as usize;
        self.edges[range.clone()].iter().copied().zip(self.from[range].iter().copied())
    }
}
