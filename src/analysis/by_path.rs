//! Two points of time compared by constructor and retaining path, where object ids do not tell.
//!
//! Ids do not where an inspector session was closed in between, where the processes differ, and where a snapshot was taken in a clone of
//! the process, which numbers objects for itself. What is left is what objects are and what holds them, their [`Likeness`]. Of the
//! objects of one class and one likeness it is known how many there were and how many there are; what came and what went of a class is
//! the sum over these groups. An array that is held somewhere else now has gone there and come here.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use rustc_hash::FxHashMap;

use super::baseline::Growth;
use super::class::{Classes, Total};
use super::culprits::{Before, culprits};
use super::diff::{ConstructorDelta, MatchedBy, ranked};
use super::likeness::Likeness;
use super::trees::Trees;
use crate::error::Result;
use crate::graph::{Graph, check};

/// Count and bytes by class, as a number, and likeness.
pub(crate) type Groups = FxHashMap<(u32, u64), Total>;

/// The nodes of `graph` by class and likeness. Those that nothing holds are alike.
pub(crate) fn groups(graph: &Graph, classes: &Classes<'_>, likeness: &Likeness) -> Groups {
    let mut groups = Groups::default();
    for node in graph.nodes() {
        let total = groups.entry((classes.get(node), likeness.get(node))).or_default();
        *total = total.plus(Total { count: 1, size: graph.self_size(node) });
    }
    groups
}

/// What is known of the time before.
pub(crate) struct Earlier<'a> {
    /// The names and totals of the classes, by number.
    pub classes: Vec<(&'a str, Total)>,
    /// The largest groups, or all. What a class has besides is compared as one.
    pub groups: Groups,
}

impl<'a> Earlier<'a> {
    /// All that there is to know.
    pub fn of(graph: &Graph, classes: &Classes<'a>, cancel: &AtomicBool) -> Result<Self> {
        let (_, likeness) = Likeness::of(graph, cancel)?;
        let named = classes.names().iter().copied().zip(classes.totals(graph)).collect();
        Ok(Self { classes: named, groups: groups(graph, classes, &likeness) })
    }

    /// How many were alike, whatever their class: a string has several.
    fn alike(&self) -> HashMap<u64, u32> {
        let mut alike: HashMap<u64, u32> = HashMap::new();
        for (&(_, likeness), total) in &self.groups {
            let count = alike.entry(likeness).or_default();
            *count = count.saturating_add(u32::try_from(total.count).unwrap_or(u32::MAX));
        }
        alike
    }

    /// What came and what went of each class, by name.
    fn changes<'n>(&self, classes: &Classes<'n>, now: &Groups) -> HashMap<&'n str, Change>
    where
        'a: 'n,
    {
        let numbers: HashMap<&str, u32> =
            (0..).zip(&self.classes).map(|(at, &(name, _))| (name, at)).collect();
        let number_before: Vec<Option<u32>> =
            classes.names().iter().map(|&name| numbers.get(name).copied()).collect();
        let mut changes: HashMap<&'n str, Change> = HashMap::new();
        let mut rest: FxHashMap<u32, Total> = FxHashMap::default();
        let mut left = self.groups.clone();
        for (&(class, likeness), &is) in now {
            let was = number_before[class as usize].and_then(|number| left.remove(&(number, likeness)));
            match was {
                Some(was) => changes.entry(classes.names()[class as usize]).or_default().tell(was, is),
                None => {
                    let sum = rest.entry(class).or_default();
                    *sum = sum.plus(is);
                }
            }
        }
        // What of the classes before is in no group that is known.
        let mut unknown: Vec<Total> = self.classes.iter().map(|&(_, total)| total).collect();
        for (&(class, _), &total) in &self.groups {
            unknown[class as usize] = unknown[class as usize].over(total);
        }
        for (&(class, _), &was) in &left {
            changes.entry(self.classes[class as usize].0).or_default().tell(was, Total::default());
        }
        for (&class, &is) in &rest {
            let was =
                number_before[class as usize].map(|number| std::mem::take(&mut unknown[number as usize]));
            let change = changes.entry(classes.names()[class as usize]).or_default();
            change.tell(was.unwrap_or_default(), is);
        }
        for (&(name, _), &was) in self.classes.iter().zip(&unknown) {
            changes.entry(name).or_default().tell(was, Total::default());
        }
        changes
    }
}

/// What came and what went of a class.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Change {
    pub added: Total,
    pub removed: Total,
}

impl Change {
    /// Takes note of objects that are alike: what they were and what they are.
    pub fn tell(&mut self, was: Total, is: Total) {
        self.added = self.added.plus(is.over(was));
        self.removed = self.removed.plus(was.over(is));
    }
}

/// What has changed from `before` to `graph`, and what the growth hangs on.
pub(crate) fn by_path(
    before: &Earlier<'_>,
    graph: &Graph,
    classes: &Classes<'_>,
    cancel: &AtomicBool,
) -> Result<Growth> {
    let (trees, likeness) = Trees::alike(graph, cancel)?;
    let changes = before.changes(classes, &groups(graph, classes, &likeness));
    let deltas =
        changes.iter().map(|(name, change)| ConstructorDelta::new(name, change.added, change.removed));
    let constructors = ranked(deltas.collect());
    check(cancel)?;
    let added = likeness.added(graph, &trees.paths, &before.alike())?;
    let totals: HashMap<&str, Total> = before.classes.iter().copied().collect();
    let culprits = culprits(Before { added, totals: &totals }, graph, classes, &trees, cancel)?;
    Ok(Growth { matched_by: MatchedBy::Path, constructors, culprits })
}
