//! From a group of new nodes to the class that is growing.

use std::collections::HashMap;

use super::region::Region;
use super::{Label, label_of};
use crate::analysis::path::is_link;
use crate::graph::{Graph, Node, NodeKind};

/// Fewer than this of a class are no growth.
pub(crate) const MIN_COUNT: usize = 10;

/// What grows: instances of one class in one place.
#[derive(Debug, Clone)]
pub(crate) struct Unit {
    pub nodes: Vec<Node>,
    /// New bytes kept alive by all of them.
    pub retained: u64,
    /// Each holds the next, so that only the first is held from outside.
    pub chain: bool,
}

/// What grows in `tops`, nodes of one class in one holder.
///
/// Where there are many, they are what grows, unless they are Node's own wrappers around something of the program's. Where there
/// are few, what grows is inside: a collection that was made after the first snapshot, or a chain of which only the head is seen.
pub(crate) fn explain(graph: &Graph, region: &Region, tops: &[Node]) -> Unit {
    let unit = Unit { nodes: tops.to_vec(), retained: total(region, tops), chain: false };
    if tops.len() >= MIN_COUNT {
        return unwrap(graph, region, &unit).or_else(|| nested(graph, region, &unit)).unwrap_or(unit);
    }
    let Some(&largest) = tops.iter().max_by_key(|&&node| region.size(node)) else { return unit };
    inside(graph, region, largest).filter(|inner| inner.retained * 2 >= unit.retained).unwrap_or(unit)
}

fn total(region: &Region, nodes: &[Node]) -> u64 {
    nodes.iter().fold(0, |sum: u64, &node| sum.saturating_add(region.size(node)))
}

/// The class that keeps most among the children of `nodes`.
fn heaviest(graph: &Graph, region: &Region, nodes: &[Node]) -> Option<Unit> {
    let mut groups: HashMap<Label, (u64, Vec<Node>)> = HashMap::new();
    for child in nodes.iter().flat_map(|&node| region.children(node)) {
        let (size, group) = groups.entry(label_of(graph, child)).or_default();
        *size = size.saturating_add(region.size(child));
        group.push(child);
    }
    let (_, (retained, nodes)) = groups.into_iter().max_by_key(|(label, (size, _))| (*size, *label))?;
    Some(Unit { nodes, retained, chain: false })
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
        if !is_chain
            && let Some(group) = heaviest(graph, region, &[at])
            && group.nodes.len() >= MIN_COUNT
            && group.retained * 2 >= region.size(at)
        {
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
    (nodes.len() >= MIN_COUNT).then(|| Unit { retained: region.size(top), nodes, chain: true })
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
    if graph.location(first).is_none_or(|place| place.is_user_code()) {
        return None;
    }
    let inner = heaviest(graph, region, &unit.nodes)?;
    let sample = *inner.nodes.first()?;
    if inner.retained * 2 < unit.retained || inner.nodes.len() < MIN_COUNT || !is_user(graph, sample) {
        return None;
    }
    if graph.kind(sample) != NodeKind::Closure {
        return Some(inner);
    }
    let held = heaviest(graph, region, &inner.nodes);
    let held = held.filter(|held| {
        held.retained * 2 >= inner.retained
            && held.nodes.len() >= MIN_COUNT
            && held
                .nodes
                .first()
                .is_some_and(|&node| graph.kind(node) == NodeKind::Object && is_user(graph, node))
    });
    Some(held.unwrap_or(inner))
}

fn is_user(graph: &Graph, node: Node) -> bool {
    graph.location(node).is_some_and(|place| place.is_user_code())
}
