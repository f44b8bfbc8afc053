//! Who listens to what.

use std::collections::HashMap;

use serde::Serialize;

use super::functions::{FunctionCount, Functions};
use super::with_property;
use crate::analysis::class::class_name;
use crate::analysis::path::PathStep;
use crate::graph::{EdgeKind, Graph, Location, Node, NodeKind};

/// A chain of listeners longer than this is not followed to its end.
const LONGEST_CHAIN: usize = 1_000_000;
/// A reader looks at the first few functions of a row.
const MAX_FUNCTIONS: usize = 10;
/// Wrappers around wrappers are followed this far.
const DEEPEST_WRAPPER: usize = 4;

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
    /// Where the first of `functions` that is the program's own is written.
    pub location: Option<Location>,
    /// The functions that listen, those that do so most often first; the few first of them.
    pub functions: Vec<FunctionCount>,
    /// What keeps the emitter with most alive, from it outwards to the root; in an audit alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retainer_path: Vec<PathStep>,
}

#[derive(Default)]
struct Row {
    emitters: u64,
    count: u64,
    most: u64,
    emitter: Node,
    functions: Functions,
}

/// The listeners of all emitters and event targets in `graph`, each row with the emitter that has most: the `limit` rows with the most
/// listeners.
pub(crate) fn listeners(graph: &Graph, limit: usize) -> Vec<(ListenerSummary, Node)> {
    let mut rows: HashMap<(&str, &str), Row> = HashMap::new();
    let mut found = Vec::new();
    for (node, [events, targets]) in with_property(graph, ["_events", "<symbol kEvents>"]) {
        let class = class_of_target(graph, node).unwrap_or_else(|| class_name(graph, node));
        let mut add = |event, found: &mut Vec<Node>| {
            let count = found.len() as u64;
            if count > 0 {
                let row: &mut Row = rows.entry((class, event)).or_default();
                row.emitters += 1;
                row.count += count;
                if count > row.most {
                    (row.most, row.emitter) = (count, node);
                }
                found.drain(..).for_each(|listener| row.functions.add(graph, listener));
            }
        };
        if let Some(table) = events {
            for (kind, name, to) in graph.named_edges(table) {
                if kind == EdgeKind::Property {
                    in_emitter(graph, to, &mut found);
                    add(graph.strings().get(name), &mut found);
                }
            }
        } else if let Some(map) = targets {
            in_target(graph, map, &mut found, &mut add);
        }
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(a, x), (b, y)| (y.count, a).cmp(&(x.count, b)));
    rows.truncate(limit);
    let summary = |((class, event), row): ((&str, &str), Row)| {
        let functions = row.functions.ranked(graph, MAX_FUNCTIONS);
        let own = functions.iter().find_map(|f| f.location.as_ref().filter(|place| place.is_user_code()));
        let any = || functions.iter().find_map(|f| f.location.as_ref());
        let summary = ListenerSummary {
            constructor_name: class.to_owned(),
            event: event.to_owned(),
            emitters: row.emitters,
            count: row.count,
            most: row.most,
            location: own.or_else(any).cloned(),
            functions,
            retainer_path: Vec::new(),
        };
        (summary, row.emitter)
    };
    rows.into_iter().map(summary).collect()
}

/// The class of a target by its prototype: up to Node 20 an AbortSignal is made as a target and gets its prototype afterwards, which V8
/// does not name it by.
fn class_of_target(graph: &Graph, node: Node) -> Option<&str> {
    let prototype = (graph.name(node) == "EventTarget").then(|| graph.child_named(node, "__proto__"))??;
    let constructor = graph.child_named(prototype, "constructor")?;
    (graph.kind(constructor) == NodeKind::Closure).then(|| graph.name(constructor))
}

/// An emitter's entry for an event: one listener, or an array of them.
fn in_emitter(graph: &Graph, entry: Node, found: &mut Vec<Node>) {
    if let Some(listener) = written(graph, entry) {
        found.push(listener);
        return;
    }
    let elements = graph.named_edges(entry).filter(|&(kind, _, _)| kind == EdgeKind::Element);
    found.extend(elements.filter_map(|(_, _, to)| written(graph, to)));
}

/// A target's Map of events: in each entry's value a chain of listeners.
fn in_target<'g>(
    graph: &'g Graph,
    map: Node,
    found: &mut Vec<Node>,
    add: &mut impl FnMut(&'g str, &mut Vec<Node>),
) {
    let Some(table) = graph.child_named(map, "table") else { return };
    let mut event = "";
    for (_, _, entry) in graph.named_edges(table) {
        if graph.kind(entry).is_string() {
            event = graph.name(entry);
            continue;
        }
        let mut at = graph.child_named(entry, "next");
        let mut steps = 0;
        while let Some(link) = at
            && steps < LONGEST_CHAIN
            && graph.kind(link) == NodeKind::Object
        {
            steps += 1;
            let given = |name| graph.child_named(link, name).and_then(|to| written(graph, to));
            found.extend(given("listener").or_else(|| given("callback")));
            at = graph.child_named(link, "next");
        }
        add(event, found);
    }
}

/// What the program wrote of a listener: behind the wrappers of `once` and `onabort =`, of a weak reference, of an object with
/// `handleEvent`. `None` for what is no listener, or one that was collected.
fn written(graph: &Graph, node: Node) -> Option<Node> {
    let property = |node: Node, name: &str, kind: NodeKind| {
        let edge = graph.edge_named(node, name)?;
        let to = graph.edge_to(edge);
        (graph.edge_kind(node, edge) == EdgeKind::Property && graph.kind(to) == kind).then_some(to)
    };
    let mut at = node;
    for _ in 0..DEEPEST_WRAPPER {
        let inner = match graph.kind(at) {
            // `handler` is anybody's word: only Node's own function is a wrapper by it.
            NodeKind::Closure => property(at, "listener", NodeKind::Closure).or_else(|| {
                (graph.name(at) == "eventHandler").then(|| property(at, "handler", NodeKind::Closure))?
            }),
            NodeKind::Object if graph.name(at) == "WeakRef" => {
                let target = graph.child_named(at, "target");
                Some(target.filter(|&to| matches!(graph.kind(to), NodeKind::Closure | NodeKind::Object))?)
            }
            // Some emitters keep a record with the function.
            NodeKind::Object => property(at, "handleEvent", NodeKind::Closure)
                .or_else(|| property(at, "fn", NodeKind::Closure)),
            _ => return None,
        };
        match inner {
            Some(inner) => at = inner,
            None => break,
        }
    }
    let is_listener = match graph.kind(at) {
        NodeKind::Closure => true,
        // `handleEvent` of its class.
        NodeKind::Object => !matches!(graph.name(at), "Object" | "Array" | "WeakRef"),
        _ => false,
    };
    is_listener.then_some(at)
}
