//! One snapshot by class, as DevTools' Summary shows it.
//!
//! Everything that a step needs and later ones do not is given back before the next begins: at its peak the whole takes some fifty
//! bytes a node, two thirds of the snapshot's file. In this order:
//!
//! ```text
//!  graph -> groundwork: stores moved, distances (a byte a node kept), dominators, groups -> totals
//!        -> retained sizes -> largest objects, suspects, collections -> retained sizes of groups -> paths of the suspects
//! ```

use serde::{Deserialize, Serialize};

use super::census::{self, CollectionSummary, ListenerSummary, PromiseSummary, TimerSummary};
use super::groundwork::{self, Groundwork};
use super::grouping::Grouping;
use super::suspects::{self, Suspect};
use super::territory::{self, Territory};
use crate::control::{Control, Stage};
use crate::error::Result;
use crate::graph::distance::CompactDistances;
use crate::graph::dominators::Numbered;
use crate::graph::path::Paths;
use crate::graph::retained::retained_sizes;
use crate::graph::sizes::Sizes;
use crate::graph::spare::Spare;
use crate::graph::{Graph, Location, Node, NodeKind, check, filled, reserve};

/// What a snapshot contains. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Serialize)]
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
    /// Where memory piles up, the largest first: objects, then classes.
    pub suspects: Vec<Suspect>,
    /// Who listens to what, the most listeners first.
    pub listeners: Vec<ListenerSummary>,
    /// The timers by function, the most first.
    pub timers: Vec<TimerSummary>,
    /// The promises.
    pub promises: PromiseSummary,
    /// The collections that retain most.
    pub collections: Vec<CollectionSummary>,
    /// The objects that retain most, as many as were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub objects: Vec<ObjectSummary>,
    /// Who holds how much: the dominator tree, as much of it as was asked for. Each after its dominator, the root first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub territories: Vec<Territory>,
}

/// All instances of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ConstructorSummary {
    /// The class, as DevTools names it: plain objects by their properties, `{id, name}`.
    pub constructor_name: String,
    /// How many there are, of those that take any memory.
    pub count: u64,
    /// Their own bytes, and those of the stores that belong to them alone.
    pub shallow_size: u64,
    /// The bytes they keep alive; what an instance inside another instance keeps is counted once.
    pub retained_size: u64,
    /// How many steps the nearest is from the program's global objects; 100 000 000 and more where only V8 or Node refers to any.
    pub distance: u32,
    /// Where the class is written, for classes of the program.
    pub location: Option<Location>,
}

/// One object. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ObjectSummary {
    /// V8's number of the object, by which DevTools shows it: `@12345`.
    pub id: u32,
    /// Its class.
    pub constructor_name: String,
    /// Its own bytes.
    pub shallow_size: u64,
    /// What would be freed with it.
    pub retained_size: u64,
    /// As in [`ConstructorSummary::distance`].
    pub distance: u32,
}

/// How shallow sizes are counted, and with them classes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum View {
    /// As DevTools shows them: stores belong to the object that uses them, plain objects are told apart by their properties, classes by
    /// where they are written, and what takes no memory is not counted.
    #[default]
    Devtools,
    /// As they stand in the file, by the class that stands there.
    File,
}

/// What a summary is to contain besides the classes.
#[derive(Debug, Clone, Copy, Default)]
pub struct SummaryOptions {
    /// How many of the largest objects; their ids take 4 bytes a node.
    pub objects: usize,
    /// How many objects stand for themselves in `territories`.
    pub territories: usize,
    /// How many threads may work at a time; 0 and 1 mean this one.
    pub threads: usize,
    /// Whose shallow sizes, and with them whose classes.
    pub view: View,
}

/// The classes of `graph` with their retained sizes, after DevTools: see the page on its semantics.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub fn summarize(mut graph: Graph, options: SummaryOptions, control: &Control) -> Result<SnapshotSummary> {
    let cancel = control.cancel_flag();
    let mut spare = Spare::default();
    if options.objects == 0 {
        spare.give(graph.forget_ids());
    }
    let total_shallow_size = graph.total_size();
    let groundwork = if options.threads > 1 {
        groundwork::side_by_side(&mut graph, options.view, &mut spare, control)?
    } else {
        groundwork::in_turn(&mut graph, options.view, &mut spare, control)?
    };
    let Groundwork { tree, distances, grouping, census } = groundwork;
    check(cancel)?;
    control.stage(Stage::Classes);
    let empty_counts = options.view == View::File;
    let side_by_side = options.threads > 1;
    let (totals, retained) = groundwork::both(
        side_by_side,
        || totals(&graph, &grouping, &distances, empty_counts),
        || {
            control.stage(Stage::Retained);
            retained_sizes(&graph, &tree, &mut spare)
        },
    )?;
    check(cancel)?;
    let objects = largest(&tree, &retained, options.objects)
        .into_iter()
        .map(|number| {
            let node = tree.order[number];
            ObjectSummary {
                id: graph.id(node),
                constructor_name: grouping.name(node).to_owned(),
                shallow_size: graph.self_size(node),
                retained_size: retained.get(number as u32),
                distance: distances.get(node),
            }
        })
        .collect();
    drop(distances);
    let territories = match options.territories {
        0 => Vec::new(),
        count => territory::of(&graph, &grouping, &tree, &retained, &largest(&tree, &retained, count))?,
    };
    let (collections, found) = groundwork::both(
        side_by_side,
        || Ok(census::collections(&graph, &tree, &retained)),
        || Ok(suspects::find(&graph, &grouping, &tree, &retained)),
    )?;
    let total = retained.get(0);
    check(cancel)?;
    let nodes: Vec<Node> = found.iter().map(|found| found.node).collect();
    let groups = (totals.len(), empty_counts);
    // The paths take the arrays of what is done with when they come after it, and their own beside it.
    let mut own = Spare::default();
    let (retained, paths) = groundwork::both(
        side_by_side,
        || by_group(&graph, grouping.by_node, tree, retained, groups, &mut spare),
        || {
            control.stage(Stage::Paths);
            if side_by_side { Paths::to(&graph, &nodes, &mut own, cancel).map(Some) } else { Ok(None) }
        },
    )?;
    let paths = match paths {
        Some(paths) => paths,
        None => Paths::to(&graph, &nodes, &mut spare, cancel)?,
    };
    let mut suspects: Vec<Suspect> =
        found.iter().map(|found| suspects::report(&graph, &paths, found, total)).collect();
    drop(paths);
    let mut constructors: Vec<ConstructorSummary> = totals
        .iter()
        .zip(retained)
        .zip(&grouping.groups)
        .filter(|((total, _), _)| total.count > 0)
        .map(|((total, retained_size), group)| ConstructorSummary {
            constructor_name: group.name.to_string(),
            count: total.count,
            shallow_size: total.size,
            retained_size,
            distance: total.distance,
            location: total.placed.and_then(|node| graph.location(node)),
        })
        .collect();
    constructors.sort_by(|a, b| {
        (b.retained_size, b.shallow_size, &a.constructor_name, &a.location).cmp(&(
            a.retained_size,
            a.shallow_size,
            &b.constructor_name,
            &b.location,
        ))
    });
    let rows = constructors
        .iter()
        .map(|row| (row.constructor_name.as_str(), row.count, row.retained_size, &row.location));
    suspects.extend(suspects::classes(rows, total));
    let summary = SnapshotSummary {
        suspects,
        listeners: census.listeners,
        timers: census.timers,
        promises: census.promises,
        collections,
        node_count: graph.node_count() as u64,
        edge_count: graph.edge_count() as u64,
        total_shallow_size,
        constructors,
        objects,
        territories,
    };
    if side_by_side {
        // To give back so much memory takes a hundredth of the whole. Where there is no thread for it, it happens here.
        let _ = std::thread::Builder::new()
            .name("heapwarden-work".to_owned())
            .spawn(move || drop((graph, spare)));
    }
    Ok(summary)
}

/// What the instances of a group come to.
#[derive(Debug, Clone, Copy)]
struct Total {
    count: u64,
    size: u64,
    distance: u32,
    /// One that is written somewhere.
    placed: Option<Node>,
}

/// The totals of each group. Unless `empty_counts`, what takes no memory is left out, and with it the stores that were moved.
fn totals(
    graph: &Graph,
    grouping: &Grouping,
    distances: &CompactDistances,
    empty_counts: bool,
) -> Result<Vec<Total>> {
    let none = Total { count: 0, size: 0, distance: u32::MAX, placed: None };
    let mut totals = filled(none, grouping.groups.len())?;
    for (node, &group) in (0..).zip(&grouping.by_node) {
        let size = graph.self_size(node);
        if size == 0 && !empty_counts {
            continue;
        }
        let total = &mut totals[group as usize];
        total.count += 1;
        total.size = total.size.saturating_add(size);
        total.distance = total.distance.min(distances.get(node));
    }
    for &(node, _) in graph.placed_nodes() {
        if graph.kind(node) == NodeKind::Object {
            totals[grouping.by_node[node as usize] as usize].placed.get_or_insert(node);
        }
    }
    Ok(totals)
}

/// The numbers of the `count` nodes that retain most, the largest first, without the root.
fn largest(tree: &Numbered, retained: &Sizes, count: usize) -> Vec<usize> {
    let mut heap = std::collections::BinaryHeap::with_capacity(count.min(tree.order.len()) + 1);
    for number in 1..tree.order.len() {
        let entry =
            std::cmp::Reverse((retained.get(number as u32), std::cmp::Reverse(tree.order[number]), number));
        if heap.len() < count {
            heap.push(entry);
        } else if heap.peek().is_some_and(|least| entry < *least) {
            heap.pop();
            heap.push(entry);
        }
    }
    heap.into_sorted_vec().into_iter().map(|std::cmp::Reverse((_, _, number))| number).collect()
}

const NONE: u32 = u32::MAX;

/// The retained size of each group: of its nodes that no other of its nodes dominates, after DevTools'
/// `calculateClassesRetainedSize`.
fn by_group(
    graph: &Graph,
    mut by_node: Vec<u32>,
    tree: Numbered,
    retained: Sizes,
    (groups, empty_counts): (usize, bool),
    spare: &mut Spare,
) -> Result<Vec<u64>> {
    let Numbered { order: mut group, idom: mut sibling } = tree;
    // With a bit for what takes no memory: such nodes neither count nor hide others.
    const EMPTY: u32 = 1 << 31;
    for (node, group) in (0..).zip(&mut by_node) {
        if !empty_counts && graph.self_size(node) == 0 {
            *group |= EMPTY;
        }
    }
    // At this point memory is shortest: the order, which is needed no more, becomes the groups by number.
    for slot in &mut group {
        *slot = by_node[*slot as usize];
    }
    let mut first = by_node;
    first.fill(NONE);
    // Each node's slot goes from its dominator's number to that of the dominator's next child.
    for number in (1..sibling.len()).rev() {
        let head = &mut first[sibling[number] as usize];
        sibling[number] = std::mem::replace(head, number as u32);
    }
    let mut sizes = filled(0u64, groups)?;
    let mut open = filled(false, groups)?;
    // The way down to the node at hand, with whether each opened its group.
    let mut path: Vec<(u32, bool)> = Vec::new();
    let mut at = 0u32;
    loop {
        let mine = group[at as usize];
        let is_new = mine & EMPTY == 0 && !open[mine as usize];
        if is_new {
            let size = &mut sizes[mine as usize];
            *size = size.saturating_add(retained.get(at));
        }
        let mut next = first[at as usize];
        if next == NONE {
            // Nothing below that could be hidden.
            next = if at == 0 { NONE } else { sibling[at as usize] };
        } else {
            if is_new {
                open[mine as usize] = true;
            }
            reserve(&mut path, 1)?;
            path.push((at, is_new));
        }
        while next == NONE {
            let Some((up, opened)) = path.pop() else {
                for array in [group, sibling, first, retained.into_column()] {
                    spare.give(array);
                }
                return Ok(sizes);
            };
            if opened {
                open[(group[up as usize] & !EMPTY) as usize] = false;
            }
            next = if up == 0 { NONE } else { sibling[up as usize] };
        }
        at = next;
    }
}
