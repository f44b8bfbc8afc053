//! Who listens to what.

use std::collections::HashMap;

use serde::Serialize;

use super::{MAX_ROWS, with_property};
use crate::analysis::class::class_name;
use crate::graph::{EdgeKind, Graph, Location, Node, NodeKind};

/// A chain of listeners longer than this is not followed to its end.
const LONGEST_CHAIN: usize = 100_000;

/// The listeners of one event on all emitters of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ListenerSummary {
    /// The emitter's class, or the target's: `AbortSignal`.
    pub constructor_name: String,
    /// The event's name.
    pub event: String,
    /// How many emitters of the class have listeners to it.
    pub emitters: u64,
    /// How many listeners there are in all.
    pub count: u64,
    /// How many the emitter with most of them has.
    pub most: u64,
    /// Where one of them is written: on the emitter with most.
    pub location: Option<Location>,
}

#[derive(Default)]
struct Row {
    emitters: u64,
    count: u64,
    most: u64,
    listener: Option<Node>,
}

/// The listeners of all emitters and event targets in `graph`, the most first.
pub(crate) fn listeners(graph: &Graph) -> Vec<ListenerSummary> {
    let mut rows: HashMap<(&str, &str), Row> = HashMap::new();
    for (node, [events, targets]) in with_property(graph, ["_events", "<symbol kEvents>"]) {
        let class = class_name(graph, node);
        let mut found = |event, count: u64, listener: Option<Node>| {
            if count == 0 {
                return;
            }
            let row = rows.entry((class, event)).or_default();
            row.emitters += 1;
            row.count += count;
            if count > row.most {
                (row.most, row.listener) = (count, listener);
            }
        };
        if let Some(table) = events {
            for (kind, name, to) in graph.named_edges(table) {
                if kind == EdgeKind::Property {
                    let (count, listener) = in_emitter(graph, to);
                    found(graph.strings().get(name), count, listener);
                }
            }
        } else if let Some(map) = targets {
            in_target(graph, map, &mut found);
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(a, x), (b, y)| (y.count, a).cmp(&(x.count, b)));
    rows.truncate(MAX_ROWS);
    let summary = |((class, event), row): ((&str, &str), Row)| ListenerSummary {
        constructor_name: class.to_owned(),
        event: event.to_owned(),
        emitters: row.emitters,
        count: row.count,
        most: row.most,
        location: row.listener.and_then(|listener| graph.location(listener)),
    };
    rows.into_iter().map(summary).collect()
}

/// An emitter's entry for an event: one function, or an array of them.
fn in_emitter(graph: &Graph, entry: Node) -> (u64, Option<Node>) {
    if graph.kind(entry) == NodeKind::Closure {
        return (1, Some(entry));
    }
    let elements = graph.named_edges(entry).filter(|&(kind, _, _)| kind == EdgeKind::Element);
    let functions = elements.map(|(_, _, to)| to).filter(|&to| graph.kind(to) == NodeKind::Closure);
    functions.fold((0, None), |(count, _), listener| (count + 1, Some(listener)))
}

/// A target's Map of events: in each entry's value a chain of listeners.
fn in_target<'g>(graph: &'g Graph, map: Node, found: &mut impl FnMut(&'g str, u64, Option<Node>)) {
    let Some(table) = graph.child_named(map, "table") else { return };
    let mut event = "";
    for (_, _, entry) in graph.named_edges(table) {
        if graph.kind(entry).is_string() {
            event = graph.name(entry);
            continue;
        }
        let (mut count, mut last, mut at) = (0, None, graph.child_named(entry, "next"));
        while let Some(listener) = at
            && (count as usize) < LONGEST_CHAIN
            && graph.kind(listener) == NodeKind::Object
        {
            count += 1;
            last =
                graph.child_named(listener, "callback").or_else(|| graph.child_named(listener, "listener"));
            at = graph.child_named(listener, "next");
        }
        found(event, count, last);
    }
}
