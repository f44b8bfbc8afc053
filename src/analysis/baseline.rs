//! What is kept of an early snapshot, so that a late one can be judged without a second file.
//!
//! V8 numbers JavaScript objects with odd ids that ascend for the life of the process, so one number tells old from new: whatever
//! has a larger odd id than any in the early snapshot was made later. The hundred or so native nodes have even ids (hashes) and
//! are kept one by one. With count and size of each class that is some ten kilobytes for a heap of any size. Should the ids not tell, a
//! few hundred kilobytes more say how many objects of each class were held in which way.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::by_path::{Earlier, Groups, by_path, groups};
use super::class::{Classes, Total};
use super::culprits::{Before, Culprit, culprits};
use super::diff::{ConstructorDelta, MatchedBy, named, ranked};
use super::likeness::Likeness;
use super::stored::Stored;
use super::trees::Trees;
use crate::error::Result;
use crate::graph::{Graph, check, filled};

/// More classes than this are rare; those with the fewest instances are forgotten.
pub(super) const MAX_CLASSES: usize = 4096;

/// More native nodes than this are not remembered.
pub(super) const MAX_NATIVE: usize = 16_384;

/// More groups of objects that are alike than this are not remembered; the smallest are forgotten.
pub(super) const MAX_ALIKE: usize = 8192;

/// Enough to tell 0.01 % from 37 %.
const SAMPLE: usize = 1024;

/// A step that is rounded down makes more of them.
pub(super) const MAX_SAMPLE: usize = 2 * SAMPLE;

/// An early snapshot, reduced to what growth is measured against: a hundred kilobytes, or a few.
///
/// For a comparison by retaining path it remembers the 8192 largest groups of objects of one class that are held in the same way. What a
/// class has besides is one group: of that many objects that came and as many that went, of this class and each in small groups, nothing
/// is told. Counts and sizes of a class are right all the same.
///
/// It is stored as JSON; what is not a baseline is an error.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(into = "Stored", try_from = "Stored")]
pub struct Baseline {
    /// The names of the classes with their totals.
    pub(super) classes: Vec<(Box<str>, Total)>,
    /// Whether the ids are those of the process.
    pub(super) ids_are_own: bool,
    /// The highest id of a JavaScript object.
    pub(super) watermark: u32,
    /// Ids of native nodes, ascending.
    pub(super) native: Vec<u32>,
    /// Some ids with the hash of their class, ascending.
    pub(super) sample: Vec<(u32, u32)>,
    /// How many of a class, by its place in `classes`, are alike, should the ids not tell. The largest first.
    pub(super) alike: Vec<((u32, u64), Total)>,
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
        let mut totals: Vec<(u32, Total)> = (0..).zip(classes.totals(graph)).collect();
        totals.sort_by_key(|&(class, total)| (Reverse(total.count), classes.names()[class as usize]));
        totals.truncate(MAX_CLASSES);
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
        let (_, likeness) = Likeness::of(graph, cancel)?;
        let mut places = vec![None; classes.names().len()];
        (0u32..).zip(&totals).for_each(|(place, &(class, _))| places[class as usize] = Some(place));
        let mut alike: Vec<((u32, u64), Total)> = groups(graph, &classes, &likeness)
            .into_iter()
            .filter_map(|((class, likeness), total)| Some(((places[class as usize]?, likeness), total)))
            .collect();
        alike.sort_unstable_by_key(|&(group, total)| (Reverse((total.count, total.size)), group));
        alike.truncate(MAX_ALIKE);
        alike.shrink_to_fit();
        let names = classes.names();
        Ok(Self {
            classes: totals.iter().map(|&(class, total)| (Box::from(names[class as usize]), total)).collect(),
            ids_are_own: graph.ids_are_own(),
            watermark,
            native,
            sample,
            alike,
        })
    }

    /// The bytes this takes, about.
    pub fn memory(&self) -> usize {
        let names: usize = self.classes.iter().map(|(name, _)| name.len()).sum();
        names
            + size_of_val(&*self.classes)
            + size_of_val(&*self.native)
            + size_of_val(&*self.sample)
            + size_of_val(&*self.alike)
    }

    /// Whether the ids are those of the process: see [`Graph::ids_are_own`].
    pub fn ids_are_own(&self) -> bool {
        self.ids_are_own
    }

    /// How many objects there were of the class.
    pub fn count(&self, class: &str) -> u64 {
        self.totals().find(|&(name, _)| name == class).map_or(0, |(_, total)| total.count)
    }

    fn totals(&self) -> impl Iterator<Item = (&str, Total)> {
        self.classes.iter().map(|(name, total)| (&**name, *total))
    }

    fn is_new(&self, id: u32) -> bool {
        if is_javascript(id) { id > self.watermark } else { self.native.binary_search(&id).is_err() }
    }

    /// Whether ids still mean what they meant: most of the sample that is found again has kept its class.
    fn corresponds(&self, graph: &Graph, classes: &Classes<'_>) -> bool {
        if !(self.ids_are_own && graph.ids_are_own()) {
            return false;
        }
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
    check(cancel)?;
    if !baseline.corresponds(graph, &classes) {
        let groups: Groups = baseline.alike.iter().copied().collect();
        let before = Earlier { classes: baseline.totals().collect(), groups };
        return by_path(&before, graph, &classes, cancel);
    }
    let before: HashMap<&str, Total> = baseline.totals().collect();
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
                count: was.count.saturating_add(came.count).saturating_sub(is.count),
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
