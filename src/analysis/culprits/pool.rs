//! Pools, and members of theirs that are never given back.
//!
//! A pool is an object that keeps all of its members in one place and those that are free in another, and that each member refers to: that
//! is how it is given back.

use std::collections::HashSet;

use super::explain::MIN_COUNT;
use super::is_collection;
use super::scene::Scene;
use crate::analysis::path::is_visible;
use crate::graph::{EdgeKind, Graph, Node, NodeKind};

/// Objects with more properties than that are not looked at.
const MOST_PROPERTIES: usize = 256;

/// Places of a pool have more members than that by accident only; the rest of them is not looked at.
const MOST_MEMBERS: usize = 100_000;

/// Members that have to refer to the pool.
const ASKED: usize = 16;

/// The pool that the units of `scene` are members of.
pub(crate) fn pool(scene: &Scene<'_>) -> Option<Node> {
    let graph = scene.graph;
    if graph.kind(scene.sample) != NodeKind::Object || scene.unit.chain {
        return None;
    }
    let units: HashSet<Node> = scene.unit.nodes.iter().copied().collect();
    let candidates = properties(graph, scene.sample);
    candidates.into_iter().find(|&candidate| {
        let is_theirs = || {
            let mut asked = scene.some(ASKED);
            asked.all(|unit| properties(graph, unit).contains(&candidate))
        };
        graph.kind(candidate) == NodeKind::Object
            && !is_collection(graph, candidate)
            && is_theirs()
            && keeps(graph, candidate, &units)
    })
}

/// Whether `pool` has a place with most of `units`, and another one.
fn keeps(graph: &Graph, pool: Node, units: &HashSet<Node>) -> bool {
    let mut places = 0;
    let mut has_all = false;
    for place in properties(graph, pool) {
        let Some(members) = members(graph, place) else { continue };
        places += 1;
        let found = members.iter().filter(|member| units.contains(member)).count();
        has_all |= found >= MIN_COUNT && found * 2 >= units.len();
    }
    places >= 2 && has_all
}

/// What `node` refers to by properties.
fn properties(graph: &Graph, node: Node) -> Vec<Node> {
    if graph.edges(node).len() > MOST_PROPERTIES {
        return Vec::new();
    }
    let own = graph.named_edges(node).filter(|&(kind, _, _)| kind == EdgeKind::Property);
    own.filter(|&(_, name, _)| graph.strings().get(name) != "__proto__").map(|(_, _, to)| to).collect()
}

/// The entries of a collection, or of one that is all that an object is made of: a queue on an array.
fn members(graph: &Graph, place: Node) -> Option<Vec<Node>> {
    if graph.kind(place) != NodeKind::Object {
        return None;
    }
    if let Some(entries) = entries(graph, place) {
        return Some(entries);
    }
    let mut inner = properties(graph, place).into_iter().filter_map(|inner| entries(graph, inner));
    let first = inner.next()?;
    inner.next().is_none().then_some(first)
}

fn entries(graph: &Graph, node: Node) -> Option<Vec<Node>> {
    let store = match graph.name(node) {
        "Array" => Some(node),
        "Map" | "Set" => graph.child_named(node, "table"),
        _ => None,
    }?;
    let direct = graph.targets(store).iter().map(|target| target.node());
    let elements = graph.child_named(node, "elements").into_iter();
    let deep = elements.flat_map(|store| graph.targets(store).iter().map(|target| target.node()));
    Some(direct.chain(deep).filter(|&to| is_visible(graph, to)).take(MOST_MEMBERS).collect())
}
