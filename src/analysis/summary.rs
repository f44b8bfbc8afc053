//! One snapshot by class.

use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::class::Classes;
use super::trees::dominators;
use crate::error::Result;
use crate::graph::dominators::Dominators;
use crate::graph::retained::RetainedSizes;
use crate::graph::{Graph, Location, Node, NodeKind, ROOT, check, filled};

/// What a snapshot contains. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SnapshotSummary {
    /// The number of nodes.
    pub node_count: u64,
    /// The number of edges.
    pub edge_count: u64,
    /// The sum of all self sizes.
    pub total_shallow_size: u64,
    /// The classes, the one that retains most first.
    pub constructors: Vec<ConstructorSummary>,
}

/// All instances of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConstructorSummary {
    /// The class, as DevTools names it.
    pub constructor_name: String,
    /// How many there are.
    pub count: u64,
    /// Their own bytes.
    pub shallow_size: u64,
    /// The bytes they keep alive; what an instance inside another instance keeps is counted once.
    pub retained_size: u64,
    /// Where the class is written, for classes of the program.
    pub location: Option<Location>,
}

/// The classes of `graph` with their retained sizes.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub fn summarize(graph: &Graph, cancel: &AtomicBool) -> Result<SnapshotSummary> {
    let dominators = dominators(graph, cancel)?;
    let retained = RetainedSizes::of(graph, &dominators)?;
    check(cancel)?;
    let classes = Classes::of(graph)?;
    let totals = classes.totals(graph);
    let sizes = retained_by_class(graph, &classes, &dominators, &retained)?;
    let mut locations: Vec<Option<Location>> = vec![None; totals.len()];
    for node in graph.nodes() {
        let slot = &mut locations[classes.get(node) as usize];
        if slot.is_none() && graph.kind(node) == NodeKind::Object {
            *slot = graph.location(node);
        }
    }
    let mut constructors: Vec<ConstructorSummary> = totals
        .iter()
        .zip(sizes)
        .zip(locations)
        .zip(classes.names())
        .map(|(((total, retained_size), location), name)| ConstructorSummary {
            constructor_name: (*name).to_owned(),
            count: total.count,
            shallow_size: total.size,
            retained_size,
            location,
        })
        .collect();
    constructors.sort_by(|a, b| {
        (b.retained_size, b.shallow_size, &a.constructor_name).cmp(&(
            a.retained_size,
            a.shallow_size,
            &b.constructor_name,
        ))
    });
    Ok(SnapshotSummary {
        node_count: graph.node_count() as u64,
        edge_count: graph.edge_count() as u64,
        total_shallow_size: graph.total_size(),
        constructors,
    })
}

/// The retained size of each class: of its instances that no other instance dominates, after DevTools'
/// `calculateClassesRetainedSize`.
fn retained_by_class(
    graph: &Graph,
    classes: &Classes<'_>,
    dominators: &Dominators,
    retained: &RetainedSizes,
) -> Result<Vec<u64>> {
    let tree = ChildLists::of(graph, dominators)?;
    let mut sizes = filled(0u64, classes.names().len())?;
    // How many instances of a class lie between the root and the current node.
    let mut open = filled(0u32, classes.names().len())?;
    let mut node = ROOT;
    loop {
        let class = classes.get(node) as usize;
        if open[class] == 0 {
            sizes[class] = sizes[class].saturating_add(retained.get(node));
        }
        open[class] += 1;
        let mut next = tree.first[node as usize];
        while next == NONE {
            open[classes.get(node) as usize] -= 1;
            if node == ROOT {
                return Ok(sizes);
            }
            next = tree.sibling[node as usize];
            if next == NONE {
                node = dominators.parent(node);
            }
        }
        node = next;
    }
}

const NONE: Node = Node::MAX;

/// The dominator tree from the top: the first child of a node and the next child of its parent.
struct ChildLists {
    first: Vec<Node>,
    sibling: Vec<Node>,
}

impl ChildLists {
    fn of(graph: &Graph, dominators: &Dominators) -> Result<Self> {
        let mut lists =
            Self { first: filled(NONE, graph.node_count())?, sibling: filled(NONE, graph.node_count())? };
        for node in graph.nodes().skip(1) {
            let head = &mut lists.first[dominators.parent(node) as usize];
            lists.sibling[node as usize] = std::mem::replace(head, node);
        }
        Ok(lists)
    }
}
