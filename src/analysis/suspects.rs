//! Where memory piles up: after the leak suspects of Eclipse's Memory Analyzer, on V8's graph.
//!
//! A *suspect* is an object that keeps much alive, while nothing that it keeps does so by itself: going down the dominator tree from the
//! root, it is where much becomes many. Of a list, where each link keeps the next, it is the first link. A class is a suspect as a whole
//! where its instances together keep much, and no one of them does.

use std::collections::HashMap;

use serde::Serialize;

use super::grouping::Grouping;
use super::path::{PathStep, is_visible, label, owners, reported};
use crate::graph::dominators::Numbered;
use crate::graph::holding::page_roots;
use crate::graph::path::Paths;
use crate::graph::sizes::Sizes;
use crate::graph::{Graph, Location, Node, NodeKind};

/// What keeps less than this share of all is no suspect, nor a class with less than twice of it.
const SHARE: f64 = 0.05;

/// An object whose largest child keeps this much of what it keeps is only on the way there.
const PASSED_ON: f64 = 0.8;

/// A reader looks at the first few.
const MAX_SUSPECTS: usize = 10;

/// The longest path that is told.
const MAX_STEPS: usize = 32;

/// An object, or all instances of a class, that keeps much alive.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Suspect {
    /// The class; `(closure) name` for a function.
    pub constructor_name: String,
    /// V8's number of the object; `None` for a class, and 0 where ids were not asked for.
    pub id: Option<u32>,
    /// 1, or how many instances the class has.
    pub count: u64,
    /// The bytes kept alive.
    pub retained_size: u64,
    /// The part of the whole heap that is, from 0 to 1.
    pub share: f64,
    /// What it mostly keeps: the class with most bytes among what it holds.
    pub accumulates: Option<Accumulated>,
    /// From the object outwards to the root.
    pub retainer_path: Vec<PathStep>,
    /// Where it, or its constructor, is written.
    pub location: Option<Location>,
}

/// A class in what a suspect holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Accumulated {
    /// The class.
    pub constructor_name: String,
    /// How many.
    pub count: u64,
    /// The bytes they keep alive.
    pub retained_size: u64,
}

/// A suspect that was found, before anything is told of it.
#[derive(Debug)]
pub(crate) struct Found {
    pub node: Node,
    pub retained: u64,
    pub accumulates: Option<Accumulated>,
}

/// The objects in which memory piles up, the largest first.
pub(crate) fn find(graph: &Graph, grouping: &Grouping, tree: &Numbered, retained: &Sizes) -> Vec<Found> {
    let least = (retained.get(0) as f64 * SHARE) as u64;
    let passed_on = |size: u64| (size as f64 * PASSED_ON) as u64;
    // By number, the largest of the children that are large themselves.
    let mut largest: HashMap<u32, u64> = HashMap::new();
    let large: Vec<u32> =
        (1..tree.order.len() as u32).filter(|&n| retained.get(n) >= passed_on(least).max(1)).collect();
    for &number in &large {
        let most = largest.entry(tree.idom[number as usize]).or_default();
        *most = retained.get(number).max(*most);
    }
    let globals = page_roots(graph);
    let mut heads: Vec<u32> = Vec::new();
    for &number in &large {
        let size = retained.get(number);
        let below = largest.get(&number).copied().unwrap_or(0);
        if size < least.max(1) || (below >= least && below >= passed_on(size)) {
            continue;
        }
        let above = tree.order[tree.idom[number as usize] as usize];
        if graph.kind(tree.order[number as usize]).is_string() && graph.kind(above) == NodeKind::Code {
            // The source of a script: it is no suspect, and all ways to it lead through code.
            continue;
        }
        let head = head(graph, grouping, tree, number);
        // Everything hangs on the global objects: that says nothing.
        if head != 0 && !globals.contains(&tree.order[head as usize]) && !heads.contains(&head) {
            heads.push(head);
        }
    }
    heads.sort_by_key(|&number| (std::cmp::Reverse(retained.get(number)), number));
    heads.truncate(MAX_SUSPECTS);
    let mut held = held(graph, grouping, tree, retained, &heads);
    let found = |&number: &u32| Found {
        node: tree.order[number as usize],
        retained: retained.get(number),
        accumulates: held.remove(&number),
    };
    heads.iter().map(found).collect()
}

/// The visible object that `number` stands for: the owner of a store, the first link of a list.
fn head(graph: &Graph, grouping: &Grouping, tree: &Numbered, number: u32) -> u32 {
    let mut at = number;
    while at != 0 && !is_visible(graph, tree.order[at as usize]) {
        at = tree.idom[at as usize];
    }
    let group = |number: u32| grouping.by_node[tree.order[number as usize] as usize];
    let mut first = at;
    let mut up = at;
    while up != 0 {
        up = tree.idom[up as usize];
        if group(up) != group(at) && is_visible(graph, tree.order[up as usize]) {
            break;
        }
        if group(up) == group(at) {
            first = up;
        }
    }
    first
}

/// By suspect, the class with most bytes among what it dominates directly, or through its stores.
fn held(
    graph: &Graph,
    grouping: &Grouping,
    tree: &Numbered,
    retained: &Sizes,
    suspects: &[u32],
) -> HashMap<u32, Accumulated> {
    let mut sums: HashMap<(u32, u32), (u64, u64)> = HashMap::new();
    let Some(&least) = suspects.iter().min() else { return HashMap::new() };
    for number in least + 1..tree.order.len() as u32 {
        let node = tree.order[number as usize];
        let mut above = tree.idom[number as usize];
        if !suspects.contains(&above) {
            above = tree.idom[above as usize];
            if !suspects.contains(&above)
                || is_visible(graph, tree.order[tree.idom[number as usize] as usize])
            {
                continue;
            }
        }
        if is_visible(graph, node) {
            let sum = sums.entry((above, grouping.by_node[node as usize])).or_default();
            sum.0 += 1;
            sum.1 = sum.1.saturating_add(retained.get(number));
        }
    }
    let mut best: HashMap<u32, (u64, u32, u64)> = HashMap::new();
    for ((suspect, group), (count, size)) in sums {
        let most = best.entry(suspect).or_insert((size, group, count));
        *most = (*most).max((size, group, count));
    }
    let accumulated = |(suspect, (retained_size, group, count))| {
        let name = &grouping.groups[group as usize].name;
        (suspect, Accumulated { constructor_name: name.to_string(), count, retained_size })
    };
    best.into_iter().map(accumulated).collect()
}

/// What is told of `found`, of `total` bytes in all.
pub(crate) fn report(graph: &Graph, paths: &Paths, found: &Found, total: u64) -> Suspect {
    let steps = owners(graph, paths, found.node).take(MAX_STEPS);
    let retainer_path: Vec<PathStep> = steps.map(|owner| reported(graph, &owner)).collect();
    Suspect {
        constructor_name: label(graph, found.node),
        id: Some(graph.id(found.node)),
        count: 1,
        retained_size: found.retained,
        share: share(found.retained, total),
        accumulates: found.accumulates.clone(),
        location: graph.location(found.node),
        retainer_path,
    }
}

/// The classes that keep much as a whole, `rows` being class, count, retained size and place of each.
pub(crate) fn classes<'a>(
    rows: impl Iterator<Item = (&'a str, u64, u64, &'a Option<Location>)>,
    total: u64,
) -> Vec<Suspect> {
    let large = rows.filter(|&(_, count, size, location)| {
        // Of what everybody uses, as of arrays, there is always much.
        let is_ours = location.as_ref().is_some_and(Location::is_user_code);
        count > 1 && is_ours && share(size, total) >= 2.0 * SHARE
    });
    let suspect = |(name, count, size, location): (&str, u64, u64, &Option<Location>)| Suspect {
        constructor_name: name.to_owned(),
        id: None,
        count,
        retained_size: size,
        share: share(size, total),
        accumulates: None,
        retainer_path: Vec::new(),
        location: location.clone(),
    };
    large.take(MAX_SUSPECTS).map(suspect).collect()
}

fn share(part: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { part as f64 / total as f64 }
}
