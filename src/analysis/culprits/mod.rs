//! One finding per cause: which class grows, in what, held by which variable, written where.
//!
//! ```text
//!   new nodes -> tops     those that no new node dominates: 40 000 Sessions, not their 160 000 strings and arrays
//!             -> holders  the old object on the path of each: the Map `requestsById`
//!             -> groups   by class and holder; the same class in like holders is one
//!             -> explain  what grows in a group: its nodes, what they wrap, or a chain below one of them
//!             -> finding  counts, path and place
//! ```
//!
//! Dominators say what belongs to what, paths say by whose fault: a Session that two old collections hold is dominated by neither,
//! and still has a path through one of them.

mod advice;
mod explain;
mod holder;
mod net;
mod pattern;
mod pool;
mod region;
mod scene;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::class::{Classes, Total, class_name};
use super::diff::signed;
use super::fingerprint::fingerprint;
use super::path::{
    Owner, PathStep, collapsed, is_dictionary, is_keyed, is_link, is_visible, label, owners, reported,
};
use super::trees::Trees;
use crate::error::Result;
use crate::graph::path::Paths;
use crate::graph::{Graph, Location, Node, NodeKind, check};
use advice::advice;
use explain::{MIN_COUNT, Unit, explain};
pub use holder::Holder;
use net::Net;
pub use pattern::Pattern;
use pattern::recognise;
use region::{Holders, Region};
use scene::Scene;

/// Few but large: so many bytes are worth a finding whatever the count.
const MIN_BYTES: u64 = 1024 * 1024;

/// Less than this is nobody's leak.
const NOISE_BYTES: u64 = 4096;

/// A reader acts on the first few.
const MAX_CULPRITS: usize = 20;

/// Longer paths are cut in the middle.
const MAX_STEPS: usize = 48;

/// How many steps make two holders alike.
const LIKE_STEPS: usize = 8;

/// How many owners are looked at for that in all, the largest groups first; and how many for a group when these are used up. Each of
/// forty thousand links of a list may hold something new.
const LIKE_OWNERS: usize = 1_000_000;
const LEAST_OWNERS: usize = 128;

/// A cause of growth.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Culprit {
    /// The class that grows; `(closure) name` for functions, `(string)` for text.
    pub constructor_name: String,
    /// By what mechanism it is kept.
    pub pattern: Pattern,
    /// How many more there are.
    pub count_delta: i64,
    /// Their own bytes.
    pub size_delta: i64,
    /// The bytes that would be freed with them.
    pub retained_size_delta: i64,
    /// What they pile up in; nothing where they have no owner in common.
    #[serde(default)]
    pub holder: Option<Holder>,
    /// From one of them outwards to the root.
    pub retainer_path: Vec<PathStep>,
    /// Of listeners and timers, the function that is called; else the constructor, if it is the program's; else the nearest function or
    /// constructor of the program on the path.
    pub location: Option<Location>,
    /// What to do, in one sentence.
    pub advice: String,
    /// What the same leak has in another process, release or version of Node.
    #[serde(default)]
    pub fingerprint: String,
}

/// What is known of the time before.
pub(crate) struct Before<'a> {
    /// By node of the new graph: whether it was not there.
    pub added: Vec<bool>,
    /// The classes as they were.
    pub totals: &'a HashMap<&'a str, Total>,
}

/// What nodes are grouped by: the class, and for functions the name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Label(NodeKind, u32);

pub(crate) fn label_of(graph: &Graph, node: Node) -> Label {
    match graph.kind(node) {
        kind @ (NodeKind::Object | NodeKind::Native | NodeKind::Closure) => {
            Label(kind, graph.name_index(node))
        }
        kind if kind.is_string() => Label(NodeKind::String, 0),
        kind => Label(kind, 0),
    }
}

/// The causes of the growth since `before`, the one that retains most first.
pub(crate) fn culprits(
    before: Before<'_>,
    graph: &Graph,
    classes: &Classes<'_>,
    trees: &Trees,
    cancel: &AtomicBool,
) -> Result<Vec<Culprit>> {
    let region = Region::of(graph, trees, before.added)?;
    let paths = &trees.paths;
    check(cancel)?;
    let net = Net::of(graph, classes, before.totals);
    let mut findings: Vec<Finding> = Vec::new();
    for group in groups(graph, &region, paths)? {
        check(cancel)?;
        // V8's list of strings whose text is elsewhere keeps none of them: what only it refers to goes with the next collection.
        if graph.kind(group.holder) == NodeKind::Synthetic && graph.name(group.holder) == "(External strings)"
        {
            continue;
        }
        let unit = explain(graph, &region, &group.tops);
        if let Some(finding) = Finding::of(graph, paths, &net, group.holder, unit) {
            findings.push(finding);
        }
    }
    let mut holders = Holders::new(graph)?;
    for store in region.stores(graph, MIN_BYTES) {
        let holder = holders.of(&region, paths, store);
        findings.extend(Finding::of_store(graph, &net, holder, store));
    }
    findings.sort_by(|a, b| (b.retained, a.sample).cmp(&(a.retained, b.sample)));
    let mut holders: Vec<Node> = Vec::new();
    findings.retain(|finding| {
        // The keys of a Map beside its values are the same cause, and so is the table for both.
        let is_side = finding.count >= MIN_COUNT as u64 || !is_visible(graph, finding.sample);
        let repeated = is_side && holders.contains(&finding.holder) && !is_user_class(graph, finding.sample);
        holders.push(finding.holder);
        !repeated
    });
    findings.truncate(MAX_CULPRITS);
    Ok(findings.iter().map(|finding| finding.report(graph, &region, paths)).collect())
}

fn is_user_class(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Object && graph.location(node).is_some_and(|place| place.is_user_code())
}

/// New nodes of one class in one holder, or in holders that are alike.
struct Group {
    holder: Node,
    tops: Vec<Node>,
}

fn groups(graph: &Graph, region: &Region, paths: &Paths) -> Result<Vec<Group>> {
    let mut holders = Holders::new(graph)?;
    let mut by_holder: HashMap<(Label, Node), Vec<Node>> = HashMap::new();
    for top in region.tops() {
        let holder = holders.of(region, paths, top);
        by_holder.entry((label_of(graph, top), holder)).or_default().push(top);
    }
    let mut budget = LIKE_OWNERS;
    let mut alike: HashMap<(Label, String), Group> = HashMap::new();
    let mut by_holder: Vec<_> = by_holder.into_iter().collect();
    by_holder.sort_by_key(|((_, holder), tops)| (std::cmp::Reverse(tops.len()), *holder));
    for ((label, holder), tops) in by_holder {
        let likeness = likeness(graph, paths, tops[0], &mut budget);
        alike
            .entry((label, likeness))
            .or_insert_with(|| Group { holder, tops: Vec::new() })
            .tops
            .extend(tops);
    }
    let mut groups: Vec<Group> = alike.into_values().collect();
    groups.sort_by_key(|group| group.holder);
    Ok(groups)
}

/// The path of `node` by names alone: equal for the 50 arrays of a Map of arrays.
fn likeness(graph: &Graph, paths: &Paths, node: Node, budget: &mut usize) -> String {
    let mut text = String::new();
    let mut list = is_link(graph, node);
    let in_list = list;
    let same = |owner: &Owner| in_list && graph.name_index(owner.node) == graph.name_index(node);
    let most = (*budget).max(LEAST_OWNERS);
    let all = owners(graph, paths, node).take(most).inspect(|_| *budget = budget.saturating_sub(1));
    let path = collapsed(graph, all).skip_while(same);
    for owner in path.take(LIKE_STEPS) {
        // A list is one, whichever of its ends is nearer.
        let edge = match &*owner.edge {
            _ if list => "",
            _ if is_dictionary(graph, owner.node) => "[key]",
            edge => edge,
        };
        list = is_link(graph, owner.node);
        text += &format!("{}\u{0}{edge}\u{0}", class_name(graph, owner.node));
    }
    text
}

/// A unit of growth that is worth telling.
struct Finding {
    sample: Node,
    holder: Node,
    count: u64,
    size: u64,
    retained: u64,
    unit: Unit,
}

impl Finding {
    fn of(graph: &Graph, paths: &Paths, net: &Net<'_>, holder: Node, unit: Unit) -> Option<Self> {
        let sample = if unit.chain { *unit.nodes.first()? } else { nearest(paths, &unit.nodes)? };
        let found = unit.nodes.len() as u64;
        let count = found.min(net.count(sample));
        let enough =
            (count >= MIN_COUNT as u64 && unit.retained >= NOISE_BYTES) || unit.retained >= MIN_BYTES;
        if count == 0 || !enough {
            return None;
        }
        let size = unit.nodes.iter().fold(0, |sum: u64, &node| sum.saturating_add(graph.self_size(node)));
        // Where some only took the place of others, the growth is their share.
        let share = |bytes: u64| (u128::from(bytes) * u128::from(count) / u128::from(found)) as u64;
        Some(Self { sample, holder, count, size: share(size), retained: share(unit.retained), unit })
    }

    /// A store that has grown: the new one less the old one that it took the place of.
    fn of_store(graph: &Graph, net: &Net<'_>, holder: Node, store: Node) -> Option<Self> {
        let size = graph.self_size(store);
        let grown = size.min(net.size(store));
        (grown >= MIN_BYTES / 2).then_some(Self {
            sample: store,
            holder,
            count: 1,
            size: grown,
            retained: grown,
            unit: Unit { nodes: vec![store], retained: grown, chain: false },
        })
    }

    fn report(&self, graph: &Graph, region: &Region, paths: &Paths) -> Culprit {
        let scene = Scene::of(graph, region, paths, &self.unit, self.sample);
        let recognised = recognise(&scene);
        let holder = Holder::of(&scene, &recognised);
        let mut path = scene.path.clone();
        if let Some(pool) = recognised.pool {
            path = through(graph, paths, pool, &path);
        }
        if let Some(first) = path.first_mut()
            && self.count >= MIN_COUNT as u64
            && is_dictionary(graph, first.node)
        {
            first.edge = "[key]".to_owned();
        }
        let mut steps: Vec<PathStep> = path.iter().map(|owner| reported(graph, owner)).collect();
        if steps.len() > MAX_STEPS {
            let skipped = steps.len() - MAX_STEPS;
            let gap = PathStep { name: format!("({skipped} more)"), edge: String::new(), location: None };
            steps.splice(MAX_STEPS / 2..MAX_STEPS / 2 + skipped, [gap]);
        }
        let is_user = |place: &Location| place.is_user_code();
        let own = graph.location(self.sample).filter(is_user);
        let called = matches!(recognised.pattern, Pattern::Listener | Pattern::Timer).then(|| {
            let before = scene.before_meeting();
            let functions = before.iter().filter(|owner| graph.kind(owner.node) == NodeKind::Closure);
            let mut places = functions.filter_map(|owner| graph.location(owner.node).filter(is_user));
            places.next()
        });
        let mut owners = path.iter().filter_map(|owner| graph.location(owner.node).filter(is_user));
        let own = called.flatten().or(own);
        let location = own.clone().or_else(|| owners.next());
        let name = label(graph, self.sample);
        let advice = advice(&scene, &name, recognised.pattern, holder.as_ref(), &steps);
        let mut culprit = Culprit {
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
        let is_key = |i: usize| path.get(i).is_some_and(|owner| is_dictionary(graph, owner.node));
        culprit.fingerprint = fingerprint(&culprit, own.as_ref(), is_key);
        culprit
    }
}

/// A path by way of `pool`, whose members the units are: their sockets hold them too, but not because anybody forgot them.
fn through(graph: &Graph, paths: &Paths, pool: Node, path: &[Owner]) -> Vec<Owner> {
    if path.iter().any(|owner| owner.node == pool) {
        return path.to_vec();
    }
    let member = Owner { node: pool, edge: "[member]".to_owned(), by_variable: false, steps: 0, run: 1 };
    std::iter::once(member).chain(collapsed(graph, owners(graph, paths, pool))).collect()
}

/// The node with the shortest path, of some spread over all.
fn nearest(paths: &Paths, nodes: &[Node]) -> Option<Node> {
    const TRIED: usize = 64;
    const FAR: usize = 1000;
    let step = (nodes.len() / TRIED).max(1);
    let tried = nodes.iter().step_by(step).chain(nodes.last());
    tried.copied().min_by_key(|&node| (paths.from(node).take(FAR).count(), node))
}

fn is_collection(graph: &Graph, node: Node) -> bool {
    let class = class_name(graph, node);
    is_keyed(class) || class == "Array" || is_dictionary(graph, node)
}
