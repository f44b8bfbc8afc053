//! What is better told instead of the units themselves.
//!
//! ```text
//!   Connection <- Client <- [n] of clients      the Client: a new one each time, and what piles up in the array
//!   Object <- page of render <- reactions       render: a function of the program says more than the plain object it keeps
//!   resolve function of V8's <- reaction        the Promise that the reaction settles: of the program's handlers there are none
//!   Buffer <- Upload <- onCancel <- listeners   where all is about bytes, the Upload that owns them
//! ```

use super::explain::{MIN_COUNT, Unit, heaviest};
use super::finding::sample as chosen;
use super::pattern::{MOSTLY, buffer_share, is_reaction, is_timer};
use super::scene::{FARTHEST, Scene};
use super::{Ground, is_collection, is_program_class, is_user_class};
use crate::analysis::path::is_generator;
use crate::graph::{Graph, Node, NodeKind};

/// How deep in a function the owner of its bytes is looked for.
const DEEPEST: usize = 8;

/// `unit` with its sample, or what is better told.
pub(crate) fn refined(ground: Ground<'_>, unit: Unit, sample: Node) -> (Unit, Node) {
    let better = {
        let scene = Scene::of(ground, &unit, sample);
        entries(ground, &scene)
            .or_else(|| waiting(ground, &scene))
            .or_else(|| functions(ground, &scene))
            .or_else(|| owners(ground, &scene))
    };
    match better.and_then(|better| Some((chosen(ground, &better)?, better))) {
        Some((sample, better)) => (better, sample),
        None => (unit, sample),
    }
}

/// What stands between the units and what accumulates and has a class that says more: the outermost of the program's, or of a package's
/// where the units are not the program's, or of Node's where they have no class at all.
fn entries(ground: Ground<'_>, scene: &Scene<'_>) -> Option<Unit> {
    let graph = ground.graph;
    if scene.meet.is_none() || scene.unit.chain || scene.unit.nodes.len() < MIN_COUNT {
        return None;
    }
    let outermost = |is_better: &dyn Fn(Node) -> bool| {
        scene.before_meeting().iter().rev().find(|owner| is_better(owner.node))
    };
    let entry = outermost(&|node| is_program_class(graph, node)).or_else(|| {
        let is_theirs = is_program_class(graph, scene.sample);
        let of_packages = || outermost(&|node| is_user_class(graph, node));
        let of_node = || outermost(&|node| is_thing(graph, node));
        match graph.kind(scene.sample) {
            _ if is_theirs => None,
            NodeKind::Object if !is_plain(graph, scene.sample) => of_packages(),
            _ => of_packages().or_else(of_node),
        }
    })?;
    let accumulator = scene.accumulator()?.node;
    let same_class = |node: Node| {
        graph.kind(node) == graph.kind(entry.node) && graph.name_index(node) == graph.name_index(entry.node)
    };
    let below = |unit: Node| {
        let steps = scene.paths.from(unit).take(FARTHEST).take_while(|step| step.from != accumulator);
        steps.map(|step| step.from).filter(|&node| same_class(node)).last()
    };
    distinct(ground, scene, below)
}

/// The functions that hold plain objects, each its own, by a variable.
fn functions(ground: Ground<'_>, scene: &Scene<'_>) -> Option<Unit> {
    let graph = ground.graph;
    let function = scene.before_meeting().first().filter(|_| scene.meet.is_some() && !scene.unit.chain)?;
    let is_named = graph.kind(scene.sample) == NodeKind::Closure || !is_plain(graph, scene.sample);
    if is_named || !function.by_variable || !is_function(graph, function.node) {
        return None;
    }
    let around = |unit: Node| {
        let mut steps = scene.paths.from(unit).take(FARTHEST).map(|step| step.from);
        steps.find(|&node| is_function(graph, node))
    };
    distinct(ground, scene, around)
}

/// The promises that wait for another by V8's own functions, as `Promise.race` leaves them behind. What else a reaction keeps depends on the
/// version of V8: the race's result up to Node 24, from 26 on nothing.
fn waiting(ground: Ground<'_>, scene: &Scene<'_>) -> Option<Unit> {
    let graph = ground.graph;
    if graph.kind(scene.sample) != NodeKind::Closure || graph.location(scene.sample).is_some() {
        return None;
    }
    let waiter = |unit: Node| {
        let reaction =
            scene.paths.step(unit).map(|step| step.from).filter(|&from| is_reaction(graph, from))?;
        let mut kept = graph.targets(reaction).iter().map(|target| target.node());
        kept.find(|&to| graph.kind(to) == NodeKind::Object && graph.name(to) == "Promise")
    };
    let found = distinct(ground, scene, waiter)?;
    let own: u64 = found.nodes.iter().map(|&promise| ground.region.size(promise)).sum();
    Some(Unit { retained: found.retained.saturating_add(own), ..found })
}

/// Whether the class of `node` says nothing, or it has none.
fn is_plain(graph: &Graph, node: Node) -> bool {
    graph.kind(node) != NodeKind::Object || matches!(graph.name(node), "Object" | "Array" | "Promise")
}

/// Whether `node` is something that a programmer knows by its class: a request, a socket; no collection, and nothing that Node wraps around a
/// function.
fn is_thing(graph: &Graph, node: Node) -> bool {
    let wraps = |name: &str| {
        graph.child_named(node, name).is_some_and(|inner| graph.kind(inner) == NodeKind::Closure)
    };
    let is_wrapper = is_timer(graph, node) || wraps("callback") || wraps("listener");
    let is_named = graph.location(node).is_some() && !is_plain(graph, node);
    is_named && !is_collection(graph, node) && !is_generator(graph, node) && !is_wrapper
}

fn is_function(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Closure || is_generator(graph, node)
}

/// The distinct `better` of each unit, where they have grown by as many as are worth telling.
fn distinct(ground: Ground<'_>, scene: &Scene<'_>, better: impl Fn(Node) -> Option<Node>) -> Option<Unit> {
    let mut nodes: Vec<Node> = scene.unit.nodes.iter().filter_map(|&unit| better(unit)).collect();
    nodes.sort_unstable();
    nodes.dedup();
    let grown = ground.net.count(*nodes.first()?).min(nodes.len() as u64);
    (grown >= MIN_COUNT as u64).then_some(Unit { nodes, retained: scene.unit.retained, chain: false })
}

/// Who owns the bytes of array buffers that functions keep.
fn owners(ground: Ground<'_>, scene: &Scene<'_>) -> Option<Unit> {
    let graph = ground.graph;
    let is_wrapper = |node: Node| is_function(graph, node) || is_timer(graph, node);
    if !is_wrapper(scene.sample) || scene.unit.chain || buffer_share(scene) < MOSTLY {
        return None;
    }
    let mut nodes = scene.unit.nodes.clone();
    for _ in 0..DEEPEST {
        let inner = heaviest(graph, ground.region, &nodes, |_| true)?;
        let &first = inner.nodes.first()?;
        let is_owner = !is_plain(graph, first) && !is_generator(graph, first);
        if inner.nodes.len() < MIN_COUNT || inner.retained * 2 < scene.unit.retained {
            return None;
        }
        if is_owner {
            return Some(Unit { retained: scene.unit.retained, ..inner });
        }
        nodes = inner.nodes;
    }
    None
}
