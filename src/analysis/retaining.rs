//! What keeps chosen objects alive.

use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::path::{PathStep, label, owners, reported};
use crate::error::Result;
use crate::graph::path::Paths;
use crate::graph::spare::Spare;
use crate::graph::{Graph, Location, Node, NodeKind};

/// Longer paths are cut: a list of a million links is told by its first.
const MAX_STEPS: usize = 256;

/// Which objects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Chosen {
    /// Those with these ids, in this order.
    Ids(Vec<u32>),
    /// The first so many of a class, in the order of the file.
    Class {
        /// The class, as V8 names it.
        name: String,
        /// How many.
        limit: usize,
    },
}

/// An object and what keeps it alive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct RetainingPath {
    /// V8's number of the object.
    pub id: u32,
    /// Its class; `(closure) name` for functions. Empty where the snapshot has no such object.
    pub constructor_name: String,
    /// Its own bytes, as they stand in the file.
    pub shallow_size: u64,
    /// From the object outwards to the root; empty where nothing holds it.
    pub retainer_path: Vec<PathStep>,
    /// The ids of all nodes on it, also of those that a step is made of several of.
    pub path_ids: Vec<u32>,
    /// Whether the path was longer than what is told of it.
    pub truncated: bool,
    /// Where it, or its constructor, is written.
    pub location: Option<Location>,
}

/// The retaining paths of `chosen` objects, the shortest of each.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub fn retaining_paths(graph: &Graph, chosen: &Chosen, cancel: &AtomicBool) -> Result<Vec<RetainingPath>> {
    let found = find(graph, chosen);
    let nodes: Vec<Node> = found.iter().filter_map(|&(_, node)| node).collect();
    let paths = Paths::to(graph, &nodes, &mut Spare::default(), cancel)?;
    Ok(found.into_iter().map(|(id, node)| report(graph, &paths, id, node)).collect())
}

/// The ids asked for, each with its node.
fn find(graph: &Graph, chosen: &Chosen) -> Vec<(u32, Option<Node>)> {
    match chosen {
        Chosen::Ids(ids) => {
            let mut found: Vec<(u32, Option<Node>)> = ids.iter().map(|&id| (id, None)).collect();
            let mut sorted: Vec<(u32, usize)> = ids.iter().copied().zip(0..).collect();
            sorted.sort_unstable();
            for node in graph.nodes() {
                let id = graph.id(node);
                let first = sorted.partition_point(|&(other, _)| other < id);
                for &(_, at) in sorted[first..].iter().take_while(|&&(other, _)| other == id) {
                    found[at].1.get_or_insert(node);
                }
            }
            found
        }
        Chosen::Class { name, limit } => {
            let is_it = |&node: &Node| {
                matches!(graph.kind(node), NodeKind::Object | NodeKind::Native) && graph.name(node) == name
            };
            let nodes = graph.nodes().filter(is_it).take(*limit);
            nodes.map(|node| (graph.id(node), Some(node))).collect()
        }
    }
}

fn report(graph: &Graph, paths: &Paths, id: u32, node: Option<Node>) -> RetainingPath {
    let Some(node) = node else {
        return RetainingPath {
            id,
            constructor_name: String::new(),
            shallow_size: 0,
            retainer_path: Vec::new(),
            path_ids: Vec::new(),
            truncated: false,
            location: None,
        };
    };
    let mut owners = owners(graph, paths, node);
    let steps = owners.by_ref().take(MAX_STEPS).map(|owner| reported(graph, &owner)).collect();
    RetainingPath {
        id,
        constructor_name: label(graph, node),
        shallow_size: graph.self_size(node),
        retainer_path: steps,
        path_ids: paths.from(node).take(MAX_STEPS).map(|step| graph.id(step.from)).collect(),
        truncated: owners.next().is_some(),
        location: graph.location(node),
    }
}
