//! What was promised.

use serde::Serialize;

use crate::graph::{Graph, NodeKind};

/// The promises of a snapshot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct PromiseSummary {
    /// How many there are.
    pub count: u64,
    /// How many are not settled and have somebody waiting: `then`, `catch`, `finally` or `await`.
    pub awaited: u64,
}

/// The promises in `graph`.
pub(crate) fn promises(graph: &Graph) -> PromiseSummary {
    let mut summary = PromiseSummary::default();
    let Some(name) = graph.strings().find("Promise") else { return summary };
    let promises =
        graph.nodes().filter(|&node| graph.name_index(node) == name && graph.kind(node) == NodeKind::Object);
    for promise in promises {
        // `Promise.prototype` is called so as well, and is none: it has the methods.
        if graph.child_named(promise, "then").is_some() {
            continue;
        }
        summary.count += 1;
        let reactions = graph.child_named(promise, "reactions_or_result");
        let is_waiting = reactions.is_some_and(|to| graph.name(to).ends_with("PromiseReaction"));
        summary.awaited += u64::from(is_waiting);
    }
    summary
}
