//! Who holds how much of the heap: the dominator tree as far as it matters.
//!
//! Of millions of objects a few hundred retain nearly everything, one inside the other. They stand for themselves; what else one of them
//! dominates at first hand is told by class. So no byte is counted twice: an object's retained size is its own bytes, its children's, and what
//! is too little to be told.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::grouping::Grouping;
use crate::error::Result;
use crate::graph::dominators::Numbered;
use crate::graph::sizes::Sizes;
use crate::graph::{EdgeKind, EdgeName, Graph, Node, ROOT, reserve};

/// Of what is told by class, the least part of the whole heap that is worth a row.
const LEAST_SHARE: u64 = 5_000;
/// Classes told of one object.
const MOST_CLASSES: usize = 12;

/// An object that retains much, or the objects of one class that one of these dominates at first hand. Sizes are in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Territory {
    /// The place of the dominator in the list, which stands before it; of the root none.
    pub parent: Option<u32>,
    /// The class.
    pub constructor_name: String,
    /// By what name the dominator refers to it; empty where it does so over others, or without a name.
    pub edge: String,
    /// How many objects this is: 1, or all of the class that stand for nothing by themselves.
    pub count: u64,
    /// Their own bytes.
    pub shallow_size: u64,
    /// What would be freed with them.
    pub retained_size: u64,
}

/// The root and `chosen`, which are the numbers of the objects that retain most, with what these dominate by class. Each after its dominator.
pub(super) fn of(
    graph: &Graph,
    grouping: &Grouping,
    tree: &Numbered,
    retained: &Sizes,
    chosen: &[usize],
) -> Result<Vec<Territory>> {
    let is_chosen: HashSet<u32> =
        std::iter::once(0).chain(chosen.iter().map(|&number| number as u32)).collect();
    let mut inside: HashMap<u32, Vec<u32>> = HashMap::new();
    // Of objects that retain alike the inner one may have been chosen without the outer one, whose bytes are then less by these.
    let mut told: HashMap<u32, u64> = HashMap::new();
    for &number in is_chosen.iter().filter(|&&number| number != 0) {
        let mut below = number;
        let mut up = tree.idom[number as usize];
        while !is_chosen.contains(&up) {
            (below, up) = (up, tree.idom[up as usize]);
        }
        inside.entry(up).or_default().push(number);
        if below != number {
            *told.entry(below).or_default() += retained.get(number);
        }
    }
    // Level by level, the largest first. Numbers are not the same each time that a graph is walked, nodes are.
    let mut numbers = Vec::new();
    reserve(&mut numbers, is_chosen.len())?;
    numbers.push((0, None));
    let mut place: HashMap<u32, u32> = HashMap::new();
    let mut at = 0;
    while let Some(&(number, _)) = numbers.get(at) {
        place.insert(number, at as u32);
        let mut children = inside.remove(&number).unwrap_or_default();
        children.sort_unstable_by_key(|&child| (Reverse(retained.get(child)), tree.order[child as usize]));
        numbers.extend(children.into_iter().map(|child| (child, Some(at as u32))));
        at += 1;
    }
    let names = edges_to(graph, tree, &numbers);
    let mut rows = Vec::new();
    reserve(&mut rows, numbers.len())?;
    for &(number, parent) in &numbers {
        let node = tree.order[number as usize];
        rows.push(Territory {
            parent,
            constructor_name: grouping.name(node).to_owned(),
            edge: names.get(&node).cloned().unwrap_or_default(),
            count: 1,
            shallow_size: graph.self_size(node),
            retained_size: retained.get(number),
        });
    }
    let left = |number: u32| retained.get(number) - told.get(&number).copied().unwrap_or(0);
    let least = (retained.get(0) / LEAST_SHARE).max(1);
    let classes = classes(graph, grouping, tree, &left, (&place, least));
    reserve(&mut rows, classes.len())?;
    rows.extend(classes);
    Ok(rows)
}

/// What the objects of `place` dominate at first hand and is not among them, by class, the most first; none of less than `least`. `left` is what
/// an object retains besides what stands for itself.
fn classes(
    graph: &Graph,
    grouping: &Grouping,
    tree: &Numbered,
    left: &impl Fn(u32) -> u64,
    (place, least): (&HashMap<u32, u32>, u64),
) -> Vec<Territory> {
    let mut groups: HashMap<(u32, u32), (u64, u64, u64)> = HashMap::new();
    for (number, &up) in (0u32..).zip(&tree.idom).skip(1) {
        let Some(&parent) = place.get(&up).filter(|_| !place.contains_key(&number)) else { continue };
        let node = tree.order[number as usize];
        if left(number) == 0 {
            continue;
        }
        let sum = groups.entry((parent, grouping.by_node[node as usize])).or_default();
        *sum = (sum.0 + 1, sum.1 + graph.self_size(node), sum.2 + left(number));
    }
    let mut found: Vec<_> = groups.into_iter().filter(|(_, (_, _, size))| *size >= least).collect();
    // Groups are numbered in the order of the graph's nodes: the same snapshot gives the same list.
    found.sort_unstable_by_key(|&((parent, group), (_, _, size))| (parent, Reverse(size), group));
    let told = found.chunk_by(|a, b| a.0.0 == b.0.0).flat_map(|of_one| of_one.iter().take(MOST_CLASSES));
    told.map(|&((parent, group), (count, shallow_size, retained_size))| Territory {
        parent: Some(parent),
        constructor_name: grouping.groups[group as usize].name.to_string(),
        edge: String::new(),
        count,
        shallow_size,
        retained_size,
    })
    .collect()
}

/// The names by which dominators refer to those of their objects that are among `numbers`, where they have one that tells something.
fn edges_to(graph: &Graph, tree: &Numbered, numbers: &[(u32, Option<u32>)]) -> HashMap<Node, String> {
    let mut wanted: HashMap<Node, Vec<Node>> = HashMap::new();
    for &(number, _) in numbers.iter().filter(|&&(number, _)| number != 0) {
        let up = tree.order[tree.idom[number as usize] as usize];
        // The root refers to all by numbers.
        if up != ROOT {
            wanted.entry(up).or_default().push(tree.order[number as usize]);
        }
    }
    let mut names = HashMap::new();
    for (from, mut to) in wanted {
        to.sort_unstable();
        for edge in graph.edges(from) {
            let target = graph.edge_to(edge);
            if to.binary_search(&target).is_err() || names.contains_key(&target) {
                continue;
            }
            let tells = matches!(
                graph.edge_kind(from, edge),
                EdgeKind::Property | EdgeKind::Context | EdgeKind::Internal | EdgeKind::Shortcut
            );
            if let (true, EdgeName::Name(name)) = (tells, graph.edge_name(from, edge)) {
                names.insert(target, name.to_owned());
            }
        }
    }
    names
}
