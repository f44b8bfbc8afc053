//! What V8 says of documents, passed on to what hangs on them: DevTools' `propagateDOMState`.

use std::collections::HashMap;

use crate::error::Result;
use crate::graph::bits::Bits;
use crate::graph::{EdgeKind, Graph, Node, NodeKind};

const ATTACHED: u8 = 1;
const DETACHED: u8 = 2;

/// The native nodes that are called detached.
///
/// What an attached node leads to is attached; what only detached ones lead to is detached. The state passes through native nodes only,
/// and not over hidden or weak edges. Node.js marks the wrappers that JavaScript no longer refers to.
///
/// # Errors
///
/// `OutOfMemory`.
pub(crate) fn nodes(graph: &Graph) -> Result<HashMap<Node, ()>> {
    let mut named = HashMap::new();
    if graph.detachedness().is_empty() {
        return Ok(named);
    }
    let mut visited = Bits::new(graph.node_count())?;
    let mut open: [Vec<Node>; 2] = [Vec::new(), Vec::new()];
    let mut visit = |node: Node, state: u8, open: &mut [Vec<Node>; 2]| {
        if visited.set(node) || graph.kind(node) != NodeKind::Native {
            return;
        }
        match state {
            ATTACHED => open[0].push(node),
            DETACHED => {
                named.insert(node, ());
                open[1].push(node);
            }
            _ => {}
        }
    };
    for &(node, state) in graph.detachedness() {
        visit(node, state, &mut open);
    }
    for (at, state) in [ATTACHED, DETACHED].into_iter().enumerate() {
        while let Some(node) = open[at].pop() {
            for (kind, _, to) in graph.named_edges(node) {
                if !matches!(kind, EdgeKind::Hidden | EdgeKind::Weak) {
                    visit(to, state, &mut open);
                }
            }
        }
    }
    Ok(named)
}
