//! Pools, and members of theirs that are never given back.
//!
//! A pool is an object that keeps all of its members in one place and has another one for those that are free, and that each member refers
//! to: that is how it is given back. Where members know nothing of it, the pool keeps those that are taken in a place of their own.

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

/// How far from where the members pile up the pool may be.
const NEAR: usize = 2;

/// Members that have to refer to the pool.
const ASKED: usize = 16;

/// The pool that the units of `scene` are members of.
pub(crate) fn pool(scene: &Scene<'_>) -> Option<Node> {
    let graph = scene.graph;
    if graph.kind(scene.sample) != NodeKind::Object || scene.unit.chain {
        return None;
    }
    let units: HashSet<Node> = scene.unit.nodes.iter().copied().collect();
    let is_thing = |node: Node| {
        graph.kind(node) == NodeKind::Object && !is_collection(graph, node) && !units.contains(&node)
    };
    let known = known_to(graph, scene.sample).into_iter().filter(|&node| is_thing(node)).find(|&candidate| {
        let mut asked = scene.some(ASKED);
        asked.all(|unit| known_to(graph, unit).contains(&candidate)) && {
            let places = Places::of(graph, candidate, &units);
            places.with_units >= 1 && places.for_others >= 1
        }
    });
    // Or the members know nothing of it, and it keeps them in two places: all of them, and those that are taken.
    let around = scene.meet.map(|meet| &scene.path[meet + 1..]).unwrap_or_default();
    known.or_else(|| {
        let mut near = around.iter().take(NEAR).map(|owner| owner.node).filter(|&node| is_thing(node));
        near.find(|&candidate| {
            let places = Places::of(graph, candidate, &units);
            places.with_units >= 2 && places.for_others >= 1
        })
    })
}

/// The places of an object for many.
#[derive(Default)]
struct Places {
    /// Those that have most of the units, or what is wrapped around them.
    with_units: usize,
    /// Those that are empty or have few of the same class: for the members that are free, for those who wait for one.
    for_others: usize,
}

impl Places {
    fn of(graph: &Graph, candidate: Node, units: &HashSet<Node>) -> Self {
        let mut places = Self::default();
        let Some(&unit) = units.iter().next() else { return places };
        let same_class = |node: Node| {
            graph.kind(node) == graph.kind(unit) && graph.name_index(node) == graph.name_index(unit)
        };
        for place in properties(graph, candidate) {
            let Some(members) = members(graph, place) else { continue };
            let is_unit = |member: &Node| {
                units.contains(member) || properties(graph, *member).iter().any(|inner| units.contains(inner))
            };
            let found = members.iter().filter(|member| is_unit(member)).count();
            if found >= MIN_COUNT && found * 2 >= units.len() {
                places.with_units += 1;
            } else if members.is_empty() || members.iter().all(|&member| same_class(member)) {
                places.for_others += 1;
            }
        }
        places
    }
}

/// What a member refers to: by a property, or by a variable of a function that is one, as a `release` made for it.
fn known_to(graph: &Graph, member: Node) -> Vec<Node> {
    let own = properties(graph, member);
    let functions = own.iter().filter(|&&node| graph.kind(node) == NodeKind::Closure);
    let contexts = functions.filter_map(|&function| graph.child_named(function, "context"));
    let variables = contexts.flat_map(|context| {
        let edges = graph.named_edges(context).take(MOST_PROPERTIES);
        edges.filter(|&(kind, _, _)| kind == EdgeKind::Context).map(|(_, _, to)| to)
    });
    own.iter().copied().chain(variables).collect()
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
    let is_array = match graph.name(node) {
        "Array" => true,
        "Map" | "Set" => false,
        _ => return None,
    };
    let store = graph.child_named(node, if is_array { "elements" } else { "table" });
    let stored = store.into_iter().flat_map(|store| graph.named_edges(store));
    let direct = graph.named_edges(node).filter(|&(kind, _, _)| is_array && kind == EdgeKind::Element);
    let is_entry =
        |&(kind, _, to): &(EdgeKind, u32, Node)| kind != EdgeKind::Property && is_visible(graph, to);
    Some(direct.chain(stored).filter(is_entry).map(|(_, _, to)| to).take(MOST_MEMBERS).collect())
}
