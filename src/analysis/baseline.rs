//! What is kept of an early snapshot, so that a late one can be judged without a second file.
//!
//! V8 numbers JavaScript objects with odd ids that ascend for the life of the process, so one number tells old from new: whatever
//! has a larger odd id than any in the early snapshot was made later. The hundred or so native nodes have even ids (hashes) and
//! are kept one by one. With count and size of each class that is some ten kilobytes for a heap of any size.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use serde::Serialize;

use super::class::{Classes, Total};
use super::culprits::{Before, Culprit, culprits};
use super::diff::{ConstructorDelta, MatchedBy, named, ranked};
use super::likeness::Likeness;
use super::trees::Trees;
use crate::error::Result;
use crate::graph::path::Paths;
use crate::graph::{Graph, check, filled};

/// More classes than this are rare; those with the fewest instances are forgotten.
const MAX_CLASSES: usize = 4096;

/// More native nodes than this are not remembered.
const MAX_NATIVE: usize = 16_384;

/// More likenesses than this are not remembered; those that fewest share are forgotten.
const MAX_ALIKE: usize = 8192;

/// Enough to tell 0.01 % from 37 %.
const SAMPLE: usize = 1024;

/// An early snapshot, reduced to what growth is measured against: a hundred kilobytes, or a few.
#[derive(Debug, Clone)]
pub struct Baseline {
    totals: HashMap<Box<str>, Total>,
    /// The highest id of a JavaScript object.
    watermark: u32,
    /// Ids of native nodes, ascending.
    native: Vec<u32>,
    /// Some ids with the hash of their class, ascending.
    sample: Vec<(u32, u32)>,
    /// How many nodes are alike, should the ids be lost.
    alike: HashMap<u64, u32>,
}

/// What has changed between two points of a process's life.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Growth {
    /// How the objects of the two points were matched.
    pub matched_by: MatchedBy,
    /// What changed in each class, largest growth first.
    pub constructors: Vec<ConstructorDelta>,
    /// What the growth hangs on, largest first.
    pub culprits: Vec<Culprit>,
}

impl Baseline {
    /// What is kept of `graph`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        let classes = Classes::of(graph)?;
        let mut totals: Vec<(&str, Total)> = named(&classes, &classes.totals(graph)).into_iter().collect();
        if totals.len() > MAX_CLASSES {
            totals.sort_by_key(|(name, total)| (std::cmp::Reverse(total.count), *name));
            totals.truncate(MAX_CLASSES);
        }
        let ids = || graph.nodes().map(|node| (graph.id(node), node));
        let watermark = ids().map(|(id, _)| id).filter(|&id| is_javascript(id)).max().unwrap_or(0);
        let mut native: Vec<u32> = ids().map(|(id, _)| id).filter(|&id| !is_javascript(id)).collect();
        native.sort_unstable();
        native.truncate(MAX_NATIVE);
        let step = (graph.node_count() / SAMPLE).max(1);
        let mut sample: Vec<(u32, u32)> = ids()
            .step_by(step)
            .filter(|&(id, _)| is_javascript(id))
            .map(|(id, node)| (id, hash(classes.names()[classes.get(node) as usize])))
            .collect();
        sample.sort_unstable();
        sample.dedup_by_key(|&mut (id, _)| id);
        let totals = totals.into_iter().map(|(name, total)| (Box::from(name), total)).collect();
        let paths = Paths::of(graph, cancel)?;
        let mut alike: Vec<(u64, u32)> = Likeness::of(graph, &paths, cancel)?.counts().into_iter().collect();
        alike.sort_by_key(|&(key, count)| (std::cmp::Reverse(count), key));
        alike.truncate(MAX_ALIKE);
        Ok(Self { totals, watermark, native, sample, alike: alike.into_iter().collect() })
    }

    /// The bytes this takes, about.
    pub fn memory(&self) -> usize {
        let names: usize = self.totals.keys().map(|name| name.len() + size_of::<(Box<str>, Total)>()).sum();
        names + self.native.len() * 4 + self.sample.len() * 8 + self.alike.len() * 16
    }

    fn is_new(&self, id: u32) -> bool {
        if is_javascript(id) { id > self.watermark } else { self.native.binary_search(&id).is_err() }
    }

    /// Whether ids still mean what they meant: most of the sample that is found again has kept its class.
    fn corresponds(&self, graph: &Graph, classes: &Classes<'_>) -> bool {
        let (mut found, mut same) = (0usize, 0usize);
        for node in graph.nodes() {
            if let Ok(at) = self.sample.binary_search_by_key(&graph.id(node), |&(id, _)| id) {
                found += 1;
                same += usize::from(self.sample[at].1 == hash(classes.names()[classes.get(node) as usize]));
            }
        }
        found * 20 >= self.sample.len() && (found - same) * 20 <= found
    }
}

fn is_javascript(id: u32) -> bool {
    id % 2 == 1
}

/// FNV-1a: short names, no need for more.
fn hash(text: &str) -> u32 {
    text.bytes().fold(0x811C_9DC5, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

/// What has changed from the baseline to `graph`, and what the growth hangs on.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub fn growth(baseline: &Baseline, graph: &Graph, cancel: &AtomicBool) -> Result<Growth> {
    let classes = Classes::of(graph)?;
    let before: HashMap<&str, Total> =
        baseline.totals.iter().map(|(name, total)| (&**name, *total)).collect();
    check(cancel)?;
    if !baseline.corresponds(graph, &classes) {
        return by_constructor(&before, &baseline.alike, graph, &classes, cancel);
    }
    let mut is_added = filled(false, graph.node_count())?;
    let mut added = vec![Total::default(); classes.names().len()];
    for node in graph.nodes().filter(|&node| baseline.is_new(graph.id(node))) {
        is_added[node as usize] = true;
        let total = &mut added[classes.get(node) as usize];
        total.count += 1;
        total.size = total.size.saturating_add(graph.self_size(node));
    }
    let after = named(&classes, &classes.totals(graph));
    let added = named(&classes, &added);
    // What is gone follows from what was, what came and what is.
    let constructors = all_names(&before, &after)
        .map(|name| {
            let at = |map: &HashMap<&str, Total>| map.get(name).copied().unwrap_or_default();
            let (was, is, came) = (at(&before), at(&after), at(&added));
            let gone = Total {
                count: (was.count + came.count).saturating_sub(is.count),
                size: was.size.saturating_add(came.size).saturating_sub(is.size),
            };
            ConstructorDelta::new(name, came, gone)
        })
        .collect();
    let before = Before { added: is_added, totals: &before };
    let culprits = culprits(before, graph, &classes, &Trees::of(graph, cancel)?, cancel)?;
    Ok(Growth { matched_by: MatchedBy::Id, constructors: ranked(constructors), culprits })
}

fn all_names<'a>(
    before: &'a HashMap<&'a str, Total>,
    after: &'a HashMap<&'a str, Total>,
) -> impl Iterator<Item = &'a str> {
    after.keys().chain(before.keys().filter(|name| !after.contains_key(**name))).copied()
}

/// The comparison that is left when ids mean nothing: how many there are of each class and how many there were, and for the
/// culprits how many are alike, `alike` being how many were.
pub(crate) fn by_constructor(
    before: &HashMap<&str, Total>,
    alike: &HashMap<u64, u32>,
    graph: &Graph,
    classes: &Classes<'_>,
    cancel: &AtomicBool,
) -> Result<Growth> {
    let after = named(classes, &classes.totals(graph));
    let constructors = all_names(before, &after)
        .map(|name| {
            let at = |map: &HashMap<&str, Total>| map.get(name).copied().unwrap_or_default();
            let (was, is) = (at(before), at(&after));
            let over = |a: Total, b: Total| Total {
                count: a.count.saturating_sub(b.count),
                size: a.size.saturating_sub(b.size),
            };
            ConstructorDelta::new(name, over(is, was), over(was, is))
        })
        .collect();
    let trees = Trees::of(graph, cancel)?;
    let added = Likeness::of(graph, &trees.paths, cancel)?.added(graph, &trees.paths, alike)?;
    let culprits = culprits(Before { added, totals: before }, graph, classes, &trees, cancel)?;
    Ok(Growth { matched_by: MatchedBy::Constructor, constructors: ranked(constructors), culprits })
}
