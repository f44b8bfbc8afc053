//! What libuv knows of: sockets, servers, pipes, watchers, child processes.

use std::collections::HashMap;

use serde::Serialize;

use super::with_property;
use crate::analysis::class::class_name;
use crate::analysis::path::PathStep;
use crate::graph::{Graph, Node, NodeKind};

/// The handles of one kind that objects of one class own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HandleSummary {
    /// The handle's own class: `TCP`, `Pipe`, `FSEvent`, `Process`.
    pub constructor_name: String,
    /// The class of the object that the program uses it by: `Socket`, `Server`, `FSWatcher`, `ChildProcess`.
    pub owner: String,
    /// How many there are, open ones and those that wait to be collected.
    pub count: u64,
    /// What keeps the owner of one of them alive, from it outwards to the root; in an audit alone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub retainer_path: Vec<PathStep>,
}

/// The handles in `graph`, each row with the owner of one of them, the most first.
pub(crate) fn handles(graph: &Graph, limit: usize) -> Vec<(HandleSummary, Node)> {
    let mut rows: HashMap<(&str, &str), (u64, Node)> = HashMap::new();
    for (node, [owner]) in with_property(graph, ["<symbol owner_symbol>"]) {
        let Some(owner) = owner.filter(|&owner| graph.kind(owner) == NodeKind::Object) else { continue };
        rows.entry((class_name(graph, node), class_name(graph, owner))).or_insert((0, owner)).0 += 1;
    }
    let mut rows: Vec<_> = rows.into_iter().collect();
    rows.sort_by(|(a, x), (b, y)| (y.0, a).cmp(&(x.0, b)));
    rows.truncate(limit);
    let summary = |((class, owner), (count, node)): ((&str, &str), (u64, Node))| {
        let (constructor_name, owner) = (class.to_owned(), owner.to_owned());
        (HandleSummary { constructor_name, owner, count, retainer_path: Vec::new() }, node)
    };
    rows.into_iter().map(summary).collect()
}
