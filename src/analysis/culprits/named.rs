//! By what name the program itself knows a holder, where the path to it leads through other people's code.
//!
//! The shortest path to a pool may start at a timer of its own; the variable `pool` of the program is as good a reason, and the one that a
//! programmer knows.

use crate::graph::{EdgeKind, Graph, Location, Node, NodeKind};

/// How many functions out of which the variable is seen are looked at.
const FUNCTIONS: usize = 64;

/// A variable of the program's that holds something, and the function nearest to the start of its file that has it in sight.
pub(crate) struct Named {
    pub name: String,
    pub location: Location,
}

/// The variable of the program by which `node` is held, if there is one. Costs a look at every edge.
pub(crate) fn named(graph: &Graph, node: Node) -> Option<Named> {
    let mut scopes: Vec<(Node, String)> = Vec::new();
    for from in graph.nodes() {
        let is_scope =
            graph.kind(from) == NodeKind::Object && graph.name(from).starts_with("system / Context");
        if !is_scope || !graph.targets(from).iter().any(|target| target.node() == node) {
            continue;
        }
        let variable = graph
            .edges(from)
            .find(|&edge| graph.edge_to(edge) == node && graph.edge_kind(from, edge) == EdgeKind::Context);
        if let Some(edge) = variable {
            scopes.push((from, graph.edge_name(from, edge).to_string()));
        }
    }
    if scopes.is_empty() {
        return None;
    }
    let mut found: Vec<Named> = Vec::new();
    for function in graph.nodes().filter(|&node| graph.kind(node) == NodeKind::Closure) {
        let Some(place) = graph.location(function).filter(Location::is_program) else { continue };
        let Some(context) = graph.child_named(function, "context") else { continue };
        if let Some((_, name)) = scopes.iter().find(|&&(scope, _)| scope == context) {
            found.push(Named { name: name.clone(), location: place });
        }
        if found.len() == FUNCTIONS {
            break;
        }
    }
    let is_own = |named: &Named| named.name != "this";
    found.retain(is_own);
    found.into_iter().min_by(|a, b| a.location.cmp(&b.location))
}
