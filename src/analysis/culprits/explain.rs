//! From a group of new nodes to the class that is growing.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use super::region::Region;
use super::{Label, is_collection, is_program_class, label_of};
use crate::analysis::path::{is_generator, is_link};
use crate::graph::{Graph, Node, NodeKind};

/// Fewer than this of a class are no growth.
pub(crate) const MIN_COUNT: usize = 10;

/// More heads of chains than this are not looked into, the smallest left out.
const MOST_TOPS: usize = 64;

/// One part in so many of what a new object keeps is not looked for inside of it; nor is it in more than so many objects.
const TRIFLE: u64 = 50;
const MOST_VISITED: usize = 10_000;

/// One part in so many of what functions keep makes the class that it is of more telling than the function.
const MUCH: u64 = 5;

/// What grows: instances of one class in one place.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub nodes: Vec<Node>,
    /// New bytes kept alive by all of them.
    pub retained: u64,
    /// Each holds the next, so that only the first is held from outside.
    pub chain: bool,
}

/// What grows in `tops`, nodes of one class in one holder, of which there are `grown` more than before.
///
/// Where there are many more, they are what grows, unless they are Node's own wrappers around something of the program's. Where there are
/// few, or as many as before, what grows is inside: a collection that was made after the first snapshot, or a chain of which only the head
/// is seen.
///
/// What is inside may be several things: all that a program keeps may hang on one new function.
pub(crate) fn explain(graph: &Graph, region: &Region, tops: &[Node], grown: u64) -> Vec<Unit> {
    let unit = Unit { nodes: tops.to_vec(), retained: total(region, tops), chain: false };
    if tops.len() >= MIN_COUNT && grown * 2 >= tops.len() as u64 {
        let better = unwrap(graph, region, &unit)
            .or_else(|| nested(graph, region, &unit))
            .or_else(|| behind(graph, region, &unit));
        return vec![better.unwrap_or(unit)];
    }
    let inner = inside_all(graph, region, tops).filter(|inner| inner.retained * 2 >= unit.retained);
    if let Some(chain) = inner.as_ref().filter(|inner| inner.chain) {
        return vec![chain.clone()];
    }
    let mut several = several(graph, region, tops);
    if let Some(inner) = inner {
        several.retain(|other| other.nodes.first() != inner.nodes.first());
        several.insert(0, inner);
    }
    if several.is_empty() { vec![unit] } else { several }
}

/// All that lies many at a time inside of `tops`, however deep, and is no trifle beside them.
fn several(graph: &Graph, region: &Region, tops: &[Node]) -> Vec<Unit> {
    let least = (total(region, tops) / TRIFLE).max(1);
    let mut found = Vec::new();
    let mut open = tops.to_vec();
    for _ in 0..MOST_VISITED {
        let Some(at) = open.pop() else { break };
        match side_by_side(graph, region, at) {
            Some(unit) => found.push(unwrap(graph, region, &unit).unwrap_or(unit)),
            None => open.extend(region.children(at).filter(|&child| region.size(child) >= least)),
        }
    }
    found
}

/// What is inside the largest of `tops`, with the same of the others.
fn inside_all(graph: &Graph, region: &Region, tops: &[Node]) -> Option<Unit> {
    let mut tops = tops.to_vec();
    tops.sort_unstable_by_key(|&top| (Reverse(region.size(top)), top));
    let mut units = tops.iter().take(MOST_TOPS).filter_map(|&top| inside(graph, region, top));
    let mut all = units.next()?;
    let label = |unit: &Unit| unit.nodes.first().map(|&node| label_of(graph, node));
    let of_all = label(&all);
    for unit in units.filter(|unit| label(unit) == of_all) {
        all.retained = all.retained.saturating_add(unit.retained);
        all.nodes.extend(unit.nodes);
    }
    Some(all)
}

/// The one new thing that most hangs on: the heaviest of all, followed down for as long as one child keeps most of it.
pub(crate) fn heaviest_one(region: &Region) -> Option<Node> {
    let mut at = region.tops().max_by_key(|&top| region.size(top))?;
    while let Some(child) = region.children(at).max_by_key(|&child| region.size(child))
        && region.size(child) * 2 >= region.size(at)
    {
        at = child;
    }
    Some(at)
}

fn total(region: &Region, nodes: &[Node]) -> u64 {
    nodes.iter().fold(0, |sum: u64, &node| sum.saturating_add(region.size(node)))
}

/// The class that keeps most among the children of `nodes` that count.
pub(crate) fn heaviest(
    graph: &Graph,
    region: &Region,
    nodes: &[Node],
    counts: impl Fn(Node) -> bool,
) -> Option<Unit> {
    let groups = by_label(graph, region, nodes, counts).into_iter();
    groups.max_by_key(|(label, unit)| (unit.retained, *label)).map(|(_, unit)| unit)
}

/// The children of `nodes` that count, by class.
fn by_label(
    graph: &Graph,
    region: &Region,
    nodes: &[Node],
    counts: impl Fn(Node) -> bool,
) -> HashMap<Label, Unit> {
    let mut groups: HashMap<Label, Unit> = HashMap::new();
    for child in nodes.iter().flat_map(|&node| region.children(node)).filter(|&child| counts(child)) {
        let unit = groups.entry(label_of(graph, child)).or_insert_with(|| Unit {
            nodes: Vec::new(),
            retained: 0,
            chain: false,
        });
        unit.retained = unit.retained.saturating_add(region.size(child));
        unit.nodes.push(child);
    }
    groups
}

/// Follows the heaviest child down from `top`, until many of a class lie side by side or a class has come again and again.
fn inside(graph: &Graph, region: &Region, top: Node) -> Option<Unit> {
    let mut walked: HashMap<Label, Vec<Node>> = HashMap::new();
    let mut longest: Option<Label> = None;
    let mut at = top;
    loop {
        let label = label_of(graph, at);
        let seen = walked.entry(label).or_default();
        seen.push(at);
        // The class that came first to a length stays: a chain of objects and functions in turn is one of objects.
        let length = seen.len();
        if longest.is_none_or(|other| walked.get(&other).is_none_or(|nodes| nodes.len() < length)) {
            longest = Some(label);
        }
        let is_chain =
            longest.and_then(|label| walked.get(&label)).is_some_and(|nodes| nodes.len() >= MIN_COUNT);
        if !is_chain && let Some(group) = side_by_side(graph, region, at) {
            return Some(unwrap(graph, region, &group).unwrap_or(group));
        }
        let Some(child) = region.children(at).max_by_key(|&child| {
            // Once it is a chain, what has been on it before goes before what is merely large.
            (is_chain && walked.contains_key(&label_of(graph, child)), region.size(child))
        }) else {
            break;
        };
        let follows = if is_chain {
            walked.contains_key(&label_of(graph, child))
        } else {
            region.size(child) * 2 >= region.size(at)
        };
        if !follows {
            break;
        }
        at = child;
    }
    let nodes = walked.remove(&longest?)?;
    if nodes.len() < MIN_COUNT {
        return None;
    }
    let chain = Unit { retained: region.size(top), nodes, chain: true };
    Some(carried(graph, region, &chain).unwrap_or(chain))
}

/// The class of which most lies side by side in `node`, with all that lies there many at a time, where that is most of what `node` keeps:
/// a socket's listeners, the requests they belong to and the texts of these are one cause.
fn side_by_side(graph: &Graph, region: &Region, node: Node) -> Option<Unit> {
    let mut largest: Option<Unit> = None;
    let (mut many, mut all) = (0u64, 0u64);
    for (_, unit) in by_label(graph, region, &[node], |_| true) {
        all = all.saturating_add(unit.retained);
        if unit.nodes.len() >= MIN_COUNT {
            many = many.saturating_add(unit.retained);
            let key = |unit: &Unit| (unit.retained, unit.nodes.first().copied());
            if largest.as_ref().is_none_or(|other| key(other) < key(&unit)) {
                largest = Some(unit);
            }
        }
    }
    let is_most = many.saturating_mul(2) >= all;
    // The table of a Map is there for its entries, and may be larger than they are.
    let retained = if is_collection(graph, node) { region.size(node) } else { many };
    let is_all = retained.saturating_mul(2) >= region.size(node);
    largest.filter(|_| is_most && is_all).map(|unit| Unit { retained, ..unit })
}

/// What the links of a list of Node's own carry: the functions that listen to an event target.
fn carried(graph: &Graph, region: &Region, chain: &Unit) -> Option<Unit> {
    let first = *chain.nodes.first()?;
    if graph.kind(first) != NodeKind::Object || graph.location(first).is_none_or(|place| place.is_user_code())
    {
        return None;
    }
    let links: HashSet<Node> = chain.nodes.iter().copied().collect();
    let carried = heaviest(graph, region, &chain.nodes, |node| !links.contains(&node))?;
    let is_theirs = carried.nodes.first().is_some_and(|&node| is_user(graph, node));
    let carried = (is_theirs && carried.nodes.len() * 2 >= chain.nodes.len()).then_some(carried)?;
    let carried = Unit { retained: chain.retained, ..carried };
    Some(behind(graph, region, &carried).unwrap_or(carried))
}

/// A tree of one class, of which only the topmost are tops. Plain objects and arrays nest without being one.
fn nested(graph: &Graph, region: &Region, unit: &Unit) -> Option<Unit> {
    let first = *unit.nodes.first()?;
    if !is_link(graph, first) {
        return None;
    }
    let label = label_of(graph, first);
    let mut nodes = Vec::new();
    let mut open = unit.nodes.clone();
    while let Some(node) = open.pop() {
        if label_of(graph, node) == label {
            nodes.push(node);
        }
        open.extend(region.children(node));
    }
    (nodes.len() > 2 * unit.nodes.len()).then_some(Unit { nodes, retained: unit.retained, chain: true })
}

/// What Node's own objects are wrapped around: the program's function in a timer, the program's class in that function.
fn unwrap(graph: &Graph, region: &Region, unit: &Unit) -> Option<Unit> {
    let first = *unit.nodes.first()?;
    if let Some(wrapped) = wrapped(graph, unit) {
        return Some(behind(graph, region, &wrapped).unwrap_or(wrapped));
    }
    if graph.location(first).is_none_or(|place| place.is_user_code()) {
        return None;
    }
    let inner = heaviest(graph, region, &unit.nodes, |_| true)?;
    let sample = *inner.nodes.first()?;
    if inner.retained * 2 < unit.retained || inner.nodes.len() < MIN_COUNT || !is_user(graph, sample) {
        return None;
    }
    Some(behind(graph, region, &inner).unwrap_or(inner))
}

/// The listeners in what Node wraps around those that are to be called once: a bound function, with the listener as a property.
fn wrapped(graph: &Graph, unit: &Unit) -> Option<Unit> {
    let is_function = |node: Node| graph.kind(node) == NodeKind::Closure;
    let listener = |&node: &Node| {
        let is_bound = is_function(node) && !is_user(graph, node);
        is_bound.then(|| graph.child_named(node, "listener")).flatten().filter(|&inner| is_function(inner))
    };
    let nodes: Vec<Node> = unit.nodes.iter().map_while(listener).collect();
    let is_all = nodes.len() == unit.nodes.len();
    let mut distinct = nodes.clone();
    distinct.sort_unstable();
    distinct.dedup();
    // One function that is added again and again is told by its wrappers: of itself there is one.
    (is_all && distinct.len() == nodes.len()).then_some(Unit { nodes, ..*unit })
}

/// The objects of the program's class that functions are there for: a listener that calls a method of its own Session.
fn behind(graph: &Graph, region: &Region, unit: &Unit) -> Option<Unit> {
    let first = *unit.nodes.first()?;
    if graph.kind(first) != NodeKind::Closure && !is_generator(graph, first) {
        return None;
    }
    let held = heaviest(graph, region, &unit.nodes, |node| is_program_class(graph, node))?;
    let is_much = held.retained.saturating_mul(MUCH) >= unit.retained;
    let is_each = held.nodes.len() >= MIN_COUNT && held.nodes.len() * 2 >= unit.nodes.len();
    (is_much && is_each).then_some(Unit { retained: unit.retained, ..held })
}

fn is_user(graph: &Graph, node: Node) -> bool {
    graph.location(node).is_some_and(|place| place.is_user_code())
}
