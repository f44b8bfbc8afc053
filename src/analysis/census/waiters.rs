//! Who waits for promises that are not settled.

use serde::Serialize;

use super::functions::{FunctionCount, Functions};
use crate::graph::{Graph, Node, NodeKind};

/// A chain of reactions longer than this is not followed to its end.
const LONGEST_CHAIN: usize = 1_000_000;

/// How a function waits.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Waits {
    /// It stands still at an `await`.
    Await,
    /// It was given to `then`, `catch` or `finally`.
    Then,
}

/// A function that waits for promises.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WaiterSummary {
    /// How it waits.
    pub how: Waits,
    /// Which it is, and how often it waits.
    #[serde(flatten)]
    pub function: FunctionCount,
}

/// Who waits for the promises in `graph`, the most first.
pub(crate) fn waiters(graph: &Graph, limit: usize) -> Vec<WaiterSummary> {
    let mut by_how = [Functions::default(), Functions::default()];
    let Some(promise) = graph.strings().find("Promise") else { return Vec::new() };
    let promises = graph
        .nodes()
        .filter(|&node| graph.name_index(node) == promise && graph.kind(node) == NodeKind::Object);
    for promise in promises {
        let mut next = graph.child_named(promise, "reactions_or_result").filter(|&to| is_reaction(graph, to));
        let mut steps = 0;
        while let Some(reaction) = next
            && steps < LONGEST_CHAIN
        {
            steps += 1;
            next = None;
            let mut handler = None;
            for (_, _, to) in graph.named_edges(reaction) {
                if is_reaction(graph, to) {
                    next = Some(to);
                } else if graph.kind(to) == NodeKind::Closure {
                    handler = handler.or(Some(to));
                }
            }
            let Some(handler) = handler else { continue };
            match awaiting(graph, handler) {
                Some(function) => by_how[0].add(graph, function),
                None => by_how[1].add(graph, handler),
            }
        }
    }
    let rows = by_how.into_iter().zip([Waits::Await, Waits::Then]).flat_map(|(functions, how)| {
        functions.ranked(graph, limit).into_iter().map(move |function| WaiterSummary { how, function })
    });
    let mut rows: Vec<_> = rows.collect();
    rows.sort_by_key(|row| std::cmp::Reverse(row.function.count));
    rows.truncate(limit);
    rows
}

fn is_reaction(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Hidden && graph.name(node).ends_with("PromiseReaction")
}

/// The function that goes on with `handler`: V8 makes handlers of its own for an `await`, whose context knows the function.
fn awaiting(graph: &Graph, handler: Node) -> Option<Node> {
    let context = graph.child_named(handler, "context")?;
    let generator = graph.child_named(context, "extension")?;
    let function = graph.child_named(generator, "function")?;
    (graph.kind(function) == NodeKind::Closure).then_some(function)
}
