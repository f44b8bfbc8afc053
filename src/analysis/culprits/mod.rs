//! One finding per cause: which class grows, in what, held by which variable, written where.
//!
//! ```text
//!   new nodes -> tops     those that no new node dominates: 40 000 Sessions, not their 160 000 strings and arrays
//!             -> holders  the old object on the path of each: the Map `requestsById`
//!             -> groups   by class and holder; the same class in like holders is one
//!             -> explain  what grows in a group: its nodes, what they wrap, or a chain below one of them
//!             -> refine   what is better told: the entry that piles up, the function, the owner of the bytes
//!             -> fold     the same units, parts of units, keys beside values: one cause
//!             -> scene    the path of one unit, and where those of the others join it: what accumulates
//!             -> finding  counts and path; by the scene the pattern, the holder, the place and the advice
//! ```
//!
//! Dominators say what belongs to what, paths say by whose fault: a Session that two old collections hold is dominated by neither,
//! and still has a path through one of them.

mod advice;
mod explain;
mod finding;
mod holder;
mod named;
mod net;
mod pattern;
mod place;
mod pool;
mod refine;
mod region;
mod scene;
mod shape;

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::class::{Classes, Total, class_name};
use super::path::{Owner, PathStep, collapsed, generic, is_dictionary, is_keyed, is_link, owners};
use super::trees::Trees;
use crate::error::Result;
use crate::graph::path::Paths;
use crate::graph::{Graph, Location, Node, NodeKind, check};
use explain::explain;
pub(crate) use explain::{MIN_COUNT, heaviest_one};
pub(crate) use finding::Finding;
use finding::folded;
pub use holder::Holder;
use net::Net;
pub use pattern::Pattern;
use region::{Holders, Region};

/// Few but large: so many bytes are worth a finding whatever the count.
const MIN_BYTES: u64 = 1024 * 1024;

/// Less than this is nobody's leak.
const NOISE_BYTES: u64 = 4096;

/// Less than this of text that hangs on Node's own objects alone is nobody's either: which of them leads to it first changes with each timer.
const MOVED_BYTES: i64 = 65_536;

/// A reader acts on the first few.
const MAX_CULPRITS: usize = 20;

/// Of the first few it is looked for by what name the program itself knows their holder.
const MOST_NAMED: usize = 3;

/// What has neither a pattern nor a place has to keep so many times as much to be told first.
const DARK: i64 = 4;

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
    /// Of plain objects, what most of them have: the names of their properties, in the order in which they were added, if these are few enough
    /// to be a shape and not a dictionary. Of those that hold a small integer a snapshot has nothing. Empty for objects of a class.
    #[serde(default)]
    pub properties: Vec<String>,
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

/// What growth has to come to to be worth telling.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Least {
    /// Many objects of a class have to retain as much.
    pub bytes: u64,
    /// Few of them, or one.
    pub large: u64,
    /// A backing store by itself.
    pub store: u64,
}

impl Least {
    /// In a process that has served for hours.
    pub const IN_SERVICE: Self = Self { bytes: NOISE_BYTES, large: MIN_BYTES, store: MIN_BYTES };
}

/// The causes of the growth since `before`, the one that retains most first.
pub(crate) fn culprits(
    before: Before<'_>,
    graph: &Graph,
    classes: &Classes<'_>,
    trees: &Trees,
    cancel: &AtomicBool,
) -> Result<Vec<Culprit>> {
    let told =
        judged(before, graph, classes, (trees, Least::IN_SERVICE), |_, _| vec![], |_, _| Some(()), cancel)?;
    Ok(told.into_iter().map(|(culprit, ())| culprit).collect())
}

/// The same of what comes to `least`, with what `also` finds, as far as `judge` has something to say of it.
pub(crate) fn judged<T>(
    before: Before<'_>,
    graph: &Graph,
    classes: &Classes<'_>,
    (trees, least): (&Trees, Least),
    also: impl FnOnce(Ground<'_>, &[Finding]) -> Vec<Finding>,
    judge: impl Fn(Ground<'_>, &Finding) -> Option<T>,
    cancel: &AtomicBool,
) -> Result<Vec<(Culprit, T)>> {
    let region = Region::of(graph, trees, before.added)?;
    let paths = &trees.paths;
    check(cancel)?;
    let net = Net::of(graph, classes, before.totals);
    let ground = Ground { graph, region: &region, paths, net: &net, least };
    let mut findings: Vec<Finding> = Vec::new();
    for group in groups(graph, &region, paths)? {
        check(cancel)?;
        if is_register(graph, group.holder) {
            continue;
        }
        let grown = group.tops.first().map_or(0, |&top| net.count(top));
        let units = explain(graph, &region, &group.tops, grown);
        findings.extend(units.into_iter().filter_map(|unit| Finding::of(ground, unit)));
    }
    findings.extend(region.stores(graph, least.store).filter_map(|store| Finding::of_store(ground, store)));
    let more = also(ground, &findings);
    findings.extend(more);
    findings.retain(|finding| judge(ground, finding).is_some());
    let mut findings = folded(ground, findings);
    findings.truncate(MAX_CULPRITS);
    let told = (0..)
        .zip(&findings)
        .map(|(at, finding)| (finding.report(ground, at < MOST_NAMED), judge(ground, finding)));
    let mut culprits: Vec<(Culprit, T)> = told.filter_map(|(culprit, said)| Some((culprit, said?))).collect();
    culprits.retain(|(culprit, _)| !is_moved(culprit));
    // What hangs on something of Node's alone is most often the far side of what the program itself keeps.
    let is_dark = |culprit: &Culprit| culprit.pattern == Pattern::Unknown && culprit.location.is_none();
    culprits.sort_by_key(|(culprit, _)| {
        let share = if is_dark(culprit) { DARK } else { 1 };
        Reverse(culprit.retained_size_delta / share)
    });
    Ok(culprits)
}

/// Whether it is some text of Node's own, which has been reached in another way before.
fn is_moved(culprit: &Culprit) -> bool {
    let nobody =
        culprit.location.is_none() && culprit.holder.as_ref().is_none_or(|holder| holder.location.is_none());
    nobody && culprit.constructor_name == "(string)" && culprit.retained_size_delta < MOVED_BYTES
}

/// Whether `node` is one of V8's registers of strings, which keep none of them: what only they refer to goes with the next collection.
fn is_register(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Synthetic
        && matches!(graph.name(node), "(External strings)" | "(Internalized strings)")
}

/// What all findings are made from.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub graph: &'a Graph,
    pub region: &'a Region,
    pub paths: &'a Paths,
    pub net: &'a Net<'a>,
    pub least: Least,
}

/// Whether `node` is of a class that is written in JavaScript outside of Node.
pub(crate) fn is_user_class(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Object && graph.location(node).is_some_and(|place| place.is_user_code())
}

/// Whether `node` is of a class of the program itself.
pub(crate) fn is_program_class(graph: &Graph, node: Node) -> bool {
    graph.kind(node) == NodeKind::Object && graph.location(node).is_some_and(|place| place.is_program())
}

/// New nodes of one class in one holder, or in holders that are alike.
struct Group {
    holder: Node,
    tops: Vec<Node>,
}

fn groups(graph: &Graph, region: &Region, paths: &Paths) -> Result<Vec<Group>> {
    let mut holders = Holders::new(graph)?;
    let mut by_holder: HashMap<(Label, Node, u32), Vec<Node>> = HashMap::new();
    for top in region.tops() {
        let holder = holders.of(region, paths, top);
        by_holder
            .entry((label_of(graph, top), holder, owner_class(graph, paths, top)))
            .or_default()
            .push(top);
    }
    let mut budget = LIKE_OWNERS;
    let mut alike: HashMap<(Label, String), Group> = HashMap::new();
    let mut by_holder: Vec<_> = by_holder.into_iter().collect();
    by_holder.sort_by_key(|((_, holder, class), tops)| (Reverse(tops.len()), *holder, *class));
    for ((label, holder, _), tops) in by_holder {
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

/// For a text, what holds it: all sorts of things share texts, that have nothing else in common.
fn owner_class(graph: &Graph, paths: &Paths, node: Node) -> u32 {
    match paths.step(node) {
        Some(step) if graph.kind(node).is_string() => graph.name_index(step.from),
        _ => 0,
    }
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
            edge => &generic(edge),
        };
        list = is_link(graph, owner.node);
        text += &format!("{}\u{0}{edge}\u{0}", class_name(graph, owner.node));
    }
    text
}

fn is_collection(graph: &Graph, node: Node) -> bool {
    let class = class_name(graph, node);
    is_keyed(class) || class == "Array" || is_dictionary(graph, node)
}
