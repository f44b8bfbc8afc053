//! A retaining path as a person would tell it.
//!
//! V8's graph has more steps than the program: a Map holds its table and the table the entry; a function holds its context and
//! the context the variable. Here such steps are folded into their owner, which then holds by `[[Entries]]`, by `[n]` or by the
//! name of the variable.

use serde::{Deserialize, Serialize};

use super::class::class_name;
use crate::graph::holding::ephemeron;
use crate::graph::path::Paths;
use crate::graph::{Edge, EdgeKind, EdgeName, Graph, Location, Node, NodeKind, ROOT};

/// One retainer on the way from a leaking object out to the root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PathStep {
    /// The retainer's class; `(closure) name` for a function.
    pub name: String,
    /// The property, variable or slot by which it holds the step before.
    pub edge: String,
    /// Where the function is written, for functions.
    pub location: Option<Location>,
}

/// A step, still with its node.
#[derive(Debug, Clone)]
pub(crate) struct Owner {
    pub node: Node,
    pub edge: String,
    /// Whether it holds by a variable that a function has captured, rather than by a property or as an entry.
    pub by_variable: bool,
    /// How many steps of V8's graph lead here from where the path begins.
    pub steps: usize,
    /// How many of its class follow one another here.
    pub run: usize,
}

/// Whether the program can see `node`; the rest is V8's: stores, contexts, code, hidden classes.
pub(crate) fn is_visible(graph: &Graph, node: Node) -> bool {
    match graph.kind(node) {
        NodeKind::Hidden | NodeKind::Array | NodeKind::Code | NodeKind::Shape => false,
        NodeKind::Object | NodeKind::Native => !graph.name(node).starts_with("system / "),
        _ => true,
    }
}

/// What `node` is called in a finding: its class, and for a function its name.
pub(crate) fn label(graph: &Graph, node: Node) -> String {
    match graph.kind(node) {
        NodeKind::Closure if graph.name(node).is_empty() => "(closure) <anonymous>".to_owned(),
        NodeKind::Closure => format!("(closure) {}", graph.name(node)),
        NodeKind::Object if is_global(graph, node) => "global".to_owned(),
        // The state of a function that waits: an async function, a generator, a module's top level.
        NodeKind::Object if is_generator(graph, node) => match function_of(graph, node) {
            Some(function) => label(graph, function),
            None => graph.name(node).to_owned(),
        },
        NodeKind::Object if is_abort_signal(graph, node) => "AbortSignal".to_owned(),
        // A group of GC roots: `(Global handles)`, `(Stack roots)`.
        NodeKind::Synthetic => graph.name(node).to_owned(),
        // The three forms of text are one class to a reader.
        kind if kind.is_string() => "(string)".to_owned(),
        _ => class_name(graph, node).to_owned(),
    }
}

/// Whether `node` is the global object: `global`, with an origin or a scope after it by version.
pub(crate) fn is_global(graph: &Graph, node: Node) -> bool {
    let name = graph.name(node);
    graph.kind(node) == NodeKind::Object && (name == "global" || name.starts_with("global "))
}

/// Whether `node` is what is kept of a function that has been left to be gone on with.
pub(crate) fn is_generator(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Object
        && matches!(
            graph.name(node),
            "Generator" | "AsyncGenerator" | "AsyncFunction" | "AsyncGeneratorFunction"
        )
        && graph.child_named(node, "parameters_and_registers").is_some()
}

/// The function whose state `node` is.
fn function_of(graph: &Graph, node: Node) -> Option<Node> {
    graph.child_named(node, "function").filter(|&function| graph.kind(function) == NodeKind::Closure)
}

/// Whether `node` is an AbortSignal: Node makes it of an EventTarget, whose name V8 then tells.
fn is_abort_signal(graph: &Graph, node: Node) -> bool {
    graph.name(node) == "EventTarget" && graph.child_named(node, "<symbol kAborted>").is_some()
}

/// Whether objects of `class` hold entries rather than fields.
pub(crate) fn is_keyed(class: &str) -> bool {
    matches!(class, "Map" | "Set" | "WeakMap" | "WeakSet")
}

/// `owners` with runs of one class made one: a list is entered where it is
/// entered, not node by node.
pub(crate) fn collapsed<'p>(
    graph: &'p Graph,
    owners: impl Iterator<Item = Owner> + 'p,
) -> impl Iterator<Item = Owner> + 'p {
    let mut all = owners.peekable();
    std::iter::from_fn(move || {
        let mut owner = all.next()?;
        let first = owner.node;
        let edge = owner.edge.clone();
        let is_run = |next: &Owner| {
            graph.kind(next.node) == graph.kind(first)
                && graph.name_index(next.node) == graph.name_index(first)
                && (is_link(graph, first) || (next.edge == edge && !edge.starts_with('[')))
        };
        while let Some(next) = all.next_if(is_run) {
            (owner.node, owner.steps, owner.run) = (next.node, next.steps, owner.run + 1);
        }
        Some(owner)
    })
}

/// Whether a run of `node`'s class is a list. Nested arrays, maps and plain objects are structure, not links.
pub(crate) fn is_link(graph: &Graph, node: Node) -> bool {
    let class = class_name(graph, node);
    graph.kind(node) == NodeKind::Object && class != "Object" && class != "Array" && !is_keyed(class)
}

/// The owners on the way from `node` outwards, nearest first, without V8's own steps and without the root.
pub(crate) fn owners<'p>(graph: &'p Graph, paths: &'p Paths, node: Node) -> impl Iterator<Item = Owner> + 'p {
    let mut steps = paths.from(node).zip(1..);
    let mut from_store = graph.kind(node) == NodeKind::Array;
    std::iter::from_fn(move || {
        // The name by which an unseen step holds what came before: a variable, or a slot of a store.
        let mut variable: Option<String> = None;
        let mut stored = std::mem::take(&mut from_store);
        let mut cell = None;
        loop {
            let (step, count) = steps.next()?;
            if step.from == ROOT {
                return None;
            }
            if !is_visible(graph, step.from) {
                match graph.name(step.from) {
                    "system / Cell" => cell = Some(step.from),
                    "system / SourceTextModule" if variable.is_none() => {
                        variable = cell.and_then(|cell| exported_name(graph, step.from, cell));
                    }
                    _ => {}
                }
                match graph.edge_kind(step.from, step.edge) {
                    EdgeKind::Context if variable.is_none() && !stored => {
                        variable = Some(edge_label(graph, step.from, step.edge));
                    }
                    EdgeKind::Context => variable = Some(edge_label(graph, step.from, step.edge)),
                    _ => stored |= graph.kind(step.from) == NodeKind::Array,
                }
                continue;
            }
            let class = class_name(graph, step.from);
            let by_variable = variable.is_some();
            let edge = match (variable, stored) {
                (Some(variable), _) => variable,
                (None, true) if is_keyed(class) => "[[Entries]]".to_owned(),
                (None, true) => "[n]".to_owned(),
                (None, false) => edge_label(graph, step.from, step.edge),
            };
            return Some(Owner { node: step.from, edge, by_variable, steps: count, run: 1 });
        }
    })
}

/// The name under which `module` exports what is in `cell`: its table of exports has the name in the slot before.
fn exported_name(graph: &Graph, module: Node, cell: Node) -> Option<String> {
    let slot = |table: Node, edge: Edge| match graph.edge_name(table, edge) {
        EdgeName::Index(index) => Some(index),
        EdgeName::Name(name) => name.parse::<u32>().ok(),
    };
    let tables = graph.edges(module).map(|edge| graph.edge_to(edge));
    tables.filter(|&table| graph.kind(table) == NodeKind::Array).find_map(|table| {
        let at = graph.edges(table).find(|&edge| graph.edge_to(edge) == cell)?;
        let at = slot(table, at)?;
        let before = graph
            .edges(table)
            .find(|&edge| slot(table, edge).is_some_and(|slot| slot.checked_add(1) == Some(at)))?;
        let name = graph.edge_to(before);
        graph.kind(name).is_string().then(|| graph.name(name).to_owned())
    })
}

/// What an edge is called, with numbers made one.
fn edge_label(graph: &Graph, from: Node, edge: Edge) -> String {
    match graph.edge_name(from, edge) {
        EdgeName::Index(_) => "[n]".to_owned(),
        EdgeName::Name(name) if graph.edge_kind(from, edge) == EdgeKind::Internal => {
            if ephemeron(name).is_some() {
                "[[WeakMap value]]".to_owned()
            } else if name.bytes().all(|byte| byte.is_ascii_digit()) {
                "[n]".to_owned()
            } else {
                name.to_owned()
            }
        }
        EdgeName::Name(name) => name.to_owned(),
    }
}

/// A name with its numbers taken out: `job_17` and `job_18` are one kind of name.
pub(crate) fn generic(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '0'..='9' if text.ends_with('#') => {}
            '0'..='9' => text.push('#'),
            c => text.push(c),
        }
    }
    text
}

/// `owner` as it is reported.
pub(crate) fn reported(graph: &Graph, owner: &Owner) -> PathStep {
    // A generator has the place of its function.
    let is_function = graph.kind(owner.node) == NodeKind::Closure || is_generator(graph, owner.node);
    let location = if is_function { graph.location(owner.node) } else { None };
    PathStep { name: label(graph, owner.node), edge: owner.edge.clone(), location }
}

/// A plain object with more properties than anybody writes down is used as a Map.
pub(crate) fn is_dictionary(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Object
        && graph.edges(node).len() >= 64
        && class_name(graph, node) == "Object"
}
