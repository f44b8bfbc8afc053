//! What keeps programs alive by design, counted: listeners, timers, promises, collections.
//!
//! Found by structure: an emitter is what has `_events`, whatever its class is called.

mod audit;
mod collections;
mod functions;
mod handles;
mod listeners;
mod promises;
mod timers;
mod waiters;

pub use audit::{Audit, audit};
pub use collections::CollectionSummary;
pub(crate) use collections::collections;
pub use functions::FunctionCount;
pub use handles::HandleSummary;
pub(crate) use handles::handles;
pub use listeners::ListenerSummary;
pub(crate) use listeners::listeners;
pub use promises::PromiseSummary;
pub(crate) use promises::promises;
pub use timers::TimerSummary;
pub(crate) use timers::timers;
pub(crate) use waiters::waiters;
pub use waiters::{WaiterSummary, Waits};

use crate::graph::{EdgeKind, Graph, Node, NodeKind};

/// A reader looks at the first few rows.
pub(crate) const MAX_ROWS: usize = 50;

/// The objects that have a property of one of these names, in order.
///
/// What the nodes of a layout have in common is looked at once; the rest of a heap passes by at a number a node.
pub(crate) fn with_property<'g, const N: usize>(
    graph: &'g Graph,
    names: [&str; N],
) -> impl Iterator<Item = (Node, [Option<Node>; N])> + 'g {
    let names = names.map(|name| graph.strings().find(name));
    let slots = move |node: Node| {
        names.map(|name| {
            let name = name?;
            let mut edges = graph.named_edges(node);
            edges.position(|(kind, found, _)| kind == EdgeKind::Property && found == name)
        })
    };
    // By layout; `None` where nobody looked.
    let mut known: Vec<Option<[Option<usize>; N]>> = vec![None; graph.layout_count()];
    graph.nodes().filter_map(move |node| {
        let found = match graph.layout(node) {
            None => slots(node),
            Some(layout) => *known[layout as usize].get_or_insert_with(|| slots(node)),
        };
        if found.iter().all(Option::is_none) || graph.kind(node) != NodeKind::Object {
            return None;
        }
        let target = |slot: Option<usize>| graph.targets(node).get(slot?).map(|target| target.node());
        Some((node, found.map(target)))
    })
}

#[cfg(test)]
mod tests;
