//! A unit of growth that is worth telling, and how several become one.

use std::cmp::Reverse;
use std::collections::HashSet;

use super::advice::advice;
use super::explain::{MIN_COUNT, Unit};
use super::holder::Holder;
use super::pattern::recognise;
use super::place::place;
use super::refine::refined;
use super::scene::Scene;
use super::shape::shape;
use super::{Culprit, Ground, Least, MAX_STEPS, is_program_class};
use crate::analysis::diff::signed;
use crate::analysis::fingerprint::fingerprint;
use crate::analysis::path::{
    Owner, PathStep, collapsed, is_dictionary, is_global, is_visible, label, owners, reported,
};
use crate::graph::path::Paths;
use crate::graph::{Graph, Node, NodeKind};

/// The class of objects that have none.
const PLAIN: &str = "Object";

/// A unit of growth that is worth telling.
pub(crate) struct Finding {
    pub sample: Node,
    pub count: u64,
    size: u64,
    pub retained: u64,
    pub unit: Unit,
    /// What the units meet in, and who holds that.
    meet: Option<(Node, Option<Node>)>,
    /// The owners of the sample.
    owners: Vec<Node>,
    /// What the units are called, where that is not their class.
    called: Option<&'static str>,
}

impl Finding {
    /// The finding that `unit` is, if it is one.
    pub fn of(ground: Ground<'_>, unit: Unit) -> Option<Self> {
        Self::measured(ground, &unit)?;
        let sample = sample(ground, &unit)?;
        let (unit, sample) = refined(ground, unit, sample);
        let (count, size, retained) = Self::measured(ground, &unit)?;
        Some(Self::placed(ground, unit, sample, (count, size, retained)))
    }

    /// How many there are more, and their bytes, their own and all; nothing where that is too little to speak of.
    fn measured(ground: Ground<'_>, unit: &Unit) -> Option<(u64, u64, u64)> {
        let found = unit.nodes.len() as u64;
        let count = found.min(ground.net.count(*unit.nodes.first()?));
        let sizes = unit.nodes.iter().map(|&node| ground.graph.self_size(node));
        let size = sizes.fold(0, |sum: u64, size| sum.saturating_add(size));
        // Where some only took the place of others, the growth is their share.
        let share = |bytes: u64| (u128::from(bytes) * u128::from(count) / u128::from(found)) as u64;
        let retained = share(unit.retained);
        let Least { bytes, large, .. } = ground.least;
        let enough = (count >= MIN_COUNT as u64 && retained >= bytes) || retained >= large;
        (count > 0 && enough).then(|| (count, share(size), retained))
    }

    /// A store that has grown: the new one less the old one that it took the place of.
    pub fn of_store(ground: Ground<'_>, store: Node) -> Option<Self> {
        let size = ground.graph.self_size(store);
        let grown = size.min(ground.net.size(store));
        (grown >= ground.least.store / 2).then(|| Self::of_one(ground, store, grown))
    }

    /// The finding that `node`, of which nothing but its size grows, has become larger by `grown` bytes.
    pub fn of_one(ground: Ground<'_>, node: Node, grown: u64) -> Self {
        let unit = Unit { nodes: vec![node], retained: grown, chain: false };
        Self::placed(ground, unit, node, (1, grown, grown))
    }

    fn placed(
        ground: Ground<'_>,
        unit: Unit,
        sample: Node,
        (count, size, retained): (u64, u64, u64),
    ) -> Self {
        let scene = Scene::of(ground, &unit, sample);
        let meet = scene.meet.map(|at| (scene.path[at].node, scene.path.get(at + 1).map(|owner| owner.node)));
        let meet = meet.or_else(|| scene.path.first().map(|owner| (owner.node, None)));
        let owners = scene.path.iter().map(|owner| owner.node).collect();
        Self { sample, count, size, retained, meet, owners, unit, called: None }
    }

    /// The same with another name for the units than that of their class.
    pub fn called(self, name: &'static str) -> Self {
        Self { called: Some(name), ..self }
    }

    /// What is told of it; `by_name` asks for the program's own name for the holder, where the path has none.
    pub fn report(&self, ground: Ground<'_>, by_name: bool) -> Culprit {
        let graph = ground.graph;
        let scene = Scene::of(ground, &self.unit, self.sample);
        let recognised = recognise(&scene);
        let holder = Holder::of(&scene, &recognised, by_name);
        // The links of a list between the sample and its owner are not told: which of them it is follows from nothing.
        let mut path = scene.path[scene.links..].to_vec();
        if let Some(pool) = recognised.pool {
            path = through(graph, ground.paths, pool, &path);
        }
        if let Some(first) = path.first_mut()
            && self.count >= MIN_COUNT as u64
            && (is_dictionary(graph, first.node) || is_global(graph, first.node))
        {
            first.edge = "[key]".to_owned();
        }
        let mut steps: Vec<PathStep> = path.iter().map(|owner| reported(graph, owner)).collect();
        if steps.len() > MAX_STEPS {
            let skipped = steps.len() - MAX_STEPS;
            let gap = PathStep { name: format!("({skipped} more)"), edge: String::new(), location: None };
            steps.splice(MAX_STEPS / 2..MAX_STEPS / 2 + skipped, [gap]);
        }
        let (own, location) = place(&scene, recognised.pattern, holder.as_ref(), &path);
        let name = self.called.map_or_else(|| label(graph, self.sample), str::to_owned);
        let advice = advice(&scene, &name, recognised.pattern, holder.as_ref(), &steps);
        let mut culprit = Culprit {
            properties: if name == PLAIN { shape(graph, &self.unit.nodes) } else { Vec::new() },
            constructor_name: name,
            pattern: recognised.pattern,
            count_delta: signed(self.count),
            size_delta: signed(self.size),
            retained_size_delta: signed(self.retained),
            holder,
            retainer_path: steps,
            location,
            advice,
            fingerprint: String::new(),
        };
        let is_key = |at: usize| path.get(at).is_some_and(|owner| is_dictionary(graph, owner.node));
        culprit.fingerprint = fingerprint(&culprit, own.as_ref(), is_key);
        culprit
    }
}

/// The findings, largest first, of which each is a cause of its own.
pub(crate) fn folded(ground: Ground<'_>, mut findings: Vec<Finding>) -> Vec<Finding> {
    findings.sort_by_key(|finding| (Reverse(finding.retained), finding.sample));
    let mut causes: Vec<(Finding, HashSet<Node>)> = Vec::new();
    for finding in findings {
        let is_same = |(cause, units): &(Finding, HashSet<Node>)| {
            cause.unit.nodes.len() > 1
                && finding.unit.nodes.iter().filter(|unit| units.contains(unit)).count() * 2
                    > finding.unit.nodes.len()
        };
        if let Some((cause, _)) = causes.iter_mut().find(|cause| is_same(cause)) {
            // The same units, by what else they keep alive.
            cause.retained = cause.retained.saturating_add(finding.retained);
            continue;
        }
        if causes.iter().any(|(cause, units)| is_part(ground.graph, &finding, cause, units)) {
            continue;
        }
        let units: HashSet<Node> = finding.unit.nodes.iter().copied().collect();
        // Keys may be as long as the objects are that they lead to, or longer: told is the class that the program has written.
        if let Some((keys, theirs)) =
            causes.iter_mut().find(|(cause, _)| is_key(ground.graph, cause, &finding, &units))
        {
            let retained = finding.retained.saturating_add(keys.retained);
            *keys = Finding { retained, ..finding };
            *theirs = units;
            continue;
        }
        causes.push((finding, units));
    }
    let mut findings: Vec<Finding> = causes.into_iter().map(|(finding, _)| finding).collect();
    findings.sort_by_key(|finding| (Reverse(finding.retained), finding.sample));
    findings
}

/// Whether `texts` are keys, one for each of the program's objects in `finding`.
fn is_key(graph: &Graph, texts: &Finding, finding: &Finding, units: &HashSet<Node>) -> bool {
    graph.kind(texts.sample).is_string()
        && is_program_class(graph, finding.sample)
        && texts.count.abs_diff(finding.count) * 10 <= finding.count
        && is_part(graph, texts, finding, units)
}

/// Whether `finding` only is what comes with `cause`: held by one of its units, or the keys of a Map beside its values, or one of several
/// arrays of one cache.
fn is_part(graph: &Graph, finding: &Finding, cause: &Finding, units: &HashSet<Node>) -> bool {
    if finding.owners.iter().any(|owner| units.contains(owner)) {
        return true;
    }
    let is_side = finding.count >= MIN_COUNT as u64 || !is_visible(graph, finding.sample);
    if !is_side || is_program_class(graph, finding.sample) {
        return false;
    }
    let is_thing = |node: Node| graph.kind(node) == NodeKind::Object && !is_global(graph, node);
    match (finding.meet, cause.meet) {
        (Some((at, _)), Some((other, _))) if at == other => true,
        (Some((_, Some(owner))), Some((_, Some(other)))) => owner == other && is_thing(owner),
        _ => false,
    }
}

/// The unit whose path is told: the first of a list, else the one that meets the others soonest, of some with short paths.
pub(crate) fn sample(ground: Ground<'_>, unit: &Unit) -> Option<Node> {
    let first = *unit.nodes.first()?;
    if unit.chain {
        return Some(first);
    }
    let middle = unit.nodes[unit.nodes.len() / 2];
    let mut tried = vec![nearest(ground.paths, &unit.nodes)?, middle, first, *unit.nodes.last()?];
    tried.dedup();
    let meeting = |&node: &Node| {
        let scene = Scene::of(ground, unit, node);
        (scene.meet.map_or(usize::MAX, |at| at - scene.links), scene.path.len())
    };
    tried.into_iter().min_by_key(meeting)
}

/// The node with the shortest path, of some spread over all.
fn nearest(paths: &Paths, nodes: &[Node]) -> Option<Node> {
    const TRIED: usize = 64;
    const FAR: usize = 1000;
    let step = (nodes.len() / TRIED).max(1);
    let tried = nodes.iter().step_by(step).chain(nodes.last());
    tried.copied().min_by_key(|&node| (paths.from(node).take(FAR).count(), node))
}

/// A path by way of `pool`, whose members the units are: their sockets hold them too, but not because anybody forgot them.
fn through(graph: &Graph, paths: &Paths, pool: Node, path: &[Owner]) -> Vec<Owner> {
    if path.iter().any(|owner| owner.node == pool) {
        return path.to_vec();
    }
    let member = Owner { node: pool, edge: "[member]".to_owned(), by_variable: false, steps: 0, run: 1 };
    std::iter::once(member).chain(collapsed(graph, owners(graph, paths, pool))).collect()
}
