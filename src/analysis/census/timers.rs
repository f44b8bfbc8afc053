//! What waits for its time.

use std::collections::HashMap;

use serde::Serialize;

use super::{MAX_ROWS, with_property};
use crate::analysis::class::class_name;
use crate::graph::{Graph, Location, Node, NodeKind};

/// The timers of one function.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct TimerSummary {
    /// `Timeout` for `setTimeout` and `setInterval`, `Immediate` for `setImmediate`.
    pub constructor_name: String,
    /// The name of the function; empty where it has none.
    pub callback: String,
    /// How many of its timers there are.
    pub count: u64,
    /// Where the function is written.
    pub location: Option<Location>,
}

/// The timers in `graph` that have a function to call, the most first. A timer that was cleared, or is over, has none.
pub(crate) fn timers(graph: &Graph) -> Vec<TimerSummary> {
    type Key<'g> = (&'g str, &'g str, Option<Location>);
    let mut rows: HashMap<Key<'_>, u64> = HashMap::new();
    let mut places: HashMap<Node, Option<Location>> = HashMap::new();
    for (node, callbacks) in with_property(graph, ["_onTimeout", "_onImmediate"]) {
        let callback = callbacks.into_iter().flatten().next();
        let Some(callback) = callback.filter(|&to| graph.kind(to) == NodeKind::Closure) else { continue };
        let place = places.entry(callback).or_insert_with(|| graph.location(callback)).clone();
        *rows.entry((class_name(graph, node), graph.name(callback), place)).or_default() += 1;
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(a, x), (b, y)| (y, a).cmp(&(x, b)));
    rows.truncate(MAX_ROWS);
    let summary = |((class, callback, location), count): (Key<'_>, u64)| TimerSummary {
        constructor_name: class.to_owned(),
        callback: callback.to_owned(),
        count,
        location,
    };
    rows.into_iter().map(summary).collect()
}
