//! What grows in proportion to the calls of a function: the judgement of a leak test.
//!
//! ```text
//!   warm   | calls |       | calls |
//!   first snapshot |  middle       |  last
//!                  new objects of round 1, of round 2, by V8's ids
//! ```
//!
//! In the last snapshot every object tells by its id in which round it was made: numbers rise, so that for the middle the highest one is enough.
//! A snapshot there costs as much as the others; it is needed where nothing but bytes grow, to see what the slots of old objects held.
//!
//! What has survived of both rounds, many times and by the same cause, is held against three questions: as many in the one as in the other, for
//! as many calls? Are there more of its class after each round, or did they only take the place of others? And are there more of them *in the
//! same place*? A cache that is full makes new entries in every round and grows in none.

mod entries;
mod pace;
mod slots;
mod tally;

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::class::{Classes, Total, class_name};
use super::culprits::{Before, Culprit, Finding, Ground, Least, judged};
use super::diff::{correspond, is_text, named, signed};
use super::trees::Trees;
use crate::error::Result;
use crate::graph::{Graph, Node, check, filled};
use entries::filled as filled_up;
pub use entries::{Lengths, Longer};
use pace::{Grown, is_steady_count, is_steady_few};
use slots::{Heap, growers};
pub use tally::{Tallied, Tally};

/// Of what a test of some hundred calls leaves, little is too little; a store by itself is the matter of `slots`.
const LEAST: Least = Least { bytes: 1, large: 64 * 1024, store: u64::MAX };

/// What entries are called that are no objects of their own: numbers, `true`, what was there before.
const ENTRY: &str = "(entry)";

/// Constructors of what is one class in a snapshot, the first of them.
const FUNCTIONS: [&str; 4] = ["Function", "AsyncFunction", "GeneratorFunction", "AsyncGeneratorFunction"];

/// What has grown in proportion.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Steady {
    /// Why nothing can be said by the objects themselves: the snapshots do not number them alike. Nothing where they do.
    pub reason: Option<&'static str>,
    /// The causes, the one that retains most first.
    pub culprits: Vec<SteadyCulprit>,
}

/// A cause, and what it did in each round.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct SteadyCulprit {
    /// The cause; its figures are those of both rounds.
    #[serde(flatten)]
    pub culprit: Culprit,
    /// In order.
    pub rounds: [RoundGrowth; 2],
    /// Objects that stay for each call; 0 where only sizes grow.
    pub count_per_iteration: f64,
    /// Bytes that stay for each call, with all that the objects keep.
    pub bytes_per_iteration: f64,
}

/// What a cause did in one round.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RoundGrowth {
    /// Calls of the function.
    pub calls: u64,
    /// Objects that have stayed.
    pub count: u64,
    /// What they retain.
    pub bytes: u64,
}

/// What stands between the two rounds.
#[derive(Debug, Clone, Copy)]
pub enum Middle<'g> {
    /// A snapshot.
    Snapshot(&'g Graph),
    /// What was known of it without one. Texts and stores that are replaced by larger ones are not seen then, nor what is no object of JavaScript's.
    Mark(&'g Mark),
}

/// What stands for a snapshot: numbers rise, and objects can be counted.
#[derive(Debug, Clone, Default)]
pub struct Mark {
    /// The highest number that an object had.
    pub last: u32,
    /// By how many each constructor had grown since the first snapshot.
    pub growth: HashMap<String, i64>,
}

/// What grew in proportion to `calls`, those between two snapshots of one process, before and after the middle. `longer` are the collections
/// that have more entries after each round, as far as that is known.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub fn steady(
    first: &Graph,
    middle: Middle<'_>,
    last: &Graph,
    calls: [u64; 2],
    longer: &[Longer],
    cancel: &AtomicBool,
) -> Result<Steady> {
    let births = Births { first: Heap::of(first), middle: Between::of(middle), graph: last };
    check(cancel)?;
    if !births.heaps().all(|heap| is_numbered_alike(heap, last)) {
        let reason =
            "V8 has numbered the objects anew in between, as it does when an inspector session is closed";
        return Ok(Steady { reason: Some(reason), culprits: Vec::new() });
    }
    let classes = Classes::of(last)?;
    let then = Classes::of(first)?;
    let before = named(&then, &then.totals(first));
    let added = filled(false, last.node_count())?;
    let added = last.nodes().fold(added, |mut added, node| {
        added[node as usize] = births.round(node).is_some();
        added
    });
    check(cancel)?;
    let trees = Trees::of(last, cancel)?;
    let sums = Sums::of(first, middle, last)?;
    let numbers = filled_up(&births, longer, calls);
    let mut texts = match &births.middle {
        Between::Heap(middle) => growers(&births.first, middle, last, calls),
        Between::Mark(_) => Vec::new(),
    };
    texts.retain(|text| numbers.iter().all(|number| number.store != text.node));
    let also = |ground: Ground<'_>, found: &[Finding]| {
        let is_known = |node: Node| found.iter().any(|finding| finding.unit.nodes.contains(&node));
        let sum = |[a, b]: [Grown; 2]| a.by + b.by;
        let new = texts.iter().filter(|text| !is_known(text.node));
        let mut all: Vec<Finding> =
            new.map(|text| Finding::of_one(ground, text.node, sum(text.rounds) as u64)).collect();
        all.extend(numbers.iter().map(|number| {
            let bytes = sum(number.rounds) * number.each;
            Finding::of_one(ground, number.store, bytes as u64).called(ENTRY)
        }));
        all
    };
    let judge = |_: Ground<'_>, finding: &Finding| {
        if let [node] = finding.unit.nodes[..] {
            if let Some(number) = numbers.iter().find(|number| number.store == node) {
                let rounds = number.rounds.map(|Grown { calls, by }| RoundGrowth {
                    calls,
                    count: by as u64,
                    bytes: (by * number.each) as u64,
                });
                return Some((rounds, rounds.iter().map(|round| round.count).sum()));
            }
            if let Some(text) = texts.iter().find(|text| text.node == node) {
                let rounds =
                    text.rounds.map(|Grown { calls, by }| RoundGrowth { calls, count: 0, bytes: by as u64 });
                return Some((rounds, 0));
            }
        }
        let counts = births.counts(&finding.unit.nodes);
        let rounds =
            proportional(finding, counts, sums.growth(class_name(last, finding.sample), counts)?, calls)?;
        Some((rounds, rounds.iter().map(|round| round.count).sum()))
    };
    let before = Before { added, totals: &before };
    let told = judged(before, last, &classes, (&trees, LEAST), also, judge, cancel)?;
    let culprits =
        told.into_iter().map(|(culprit, (rounds, count))| SteadyCulprit::of(culprit, rounds, count));
    Ok(Steady { reason: None, culprits: culprits.collect() })
}

impl SteadyCulprit {
    fn of(mut culprit: Culprit, rounds: [RoundGrowth; 2], count: u64) -> Self {
        let calls = rounds.iter().map(|round| round.calls).sum::<u64>().max(1) as f64;
        let bytes: u64 = rounds.iter().map(|round| round.bytes).sum();
        if count > 0 {
            culprit.count_delta = signed(count);
        }
        let bytes_per_iteration = bytes as f64 / calls;
        Self { culprit, rounds, count_per_iteration: count as f64 / calls, bytes_per_iteration }
    }
}

/// What `finding` did in each round, if that is in proportion. `born` are the objects of each round that are still there, `grown` is how many
/// more of their class there are after it: where there are fewer, they took the place of others.
fn proportional(
    finding: &Finding,
    born: [u64; 2],
    grown: [i64; 2],
    calls: [u64; 2],
) -> Option<[RoundGrowth; 2]> {
    let count = |round: usize| {
        let more = u64::try_from(grown[round]).unwrap_or(0);
        if is_about(more, born[round]) { born[round] } else { more.min(born[round]) }
    };
    let stayed = [0, 1].map(|round| Grown { calls: calls[round], by: count(round) as f64 });
    let all = (born[0] + born[1]).max(1);
    let each = finding.retained as f64 / finding.count.max(1) as f64;
    if !is_steady_count(&stayed) && !is_steady_few(&stayed, each) {
        return None;
    }
    let bytes =
        |round: usize| (u128::from(finding.retained) * u128::from(born[round]) / u128::from(all)) as u64;
    Some([0, 1].map(|round| RoundGrowth { calls: calls[round], count: count(round), bytes: bytes(round) }))
}

/// Whether `more` falls short of `born` by so few only as go for other reasons: what a test itself holds for the length of a look.
fn is_about(more: u64, born: u64) -> bool {
    const FEW: u64 = 3;
    more > born / 2 && more.saturating_add(FEW + born / 10) >= born
}

/// What is known of the middle.
enum Between<'a> {
    Heap(Heap<'a>),
    Mark(&'a Mark),
}

impl<'a> Between<'a> {
    fn of(middle: Middle<'a>) -> Self {
        match middle {
            Middle::Snapshot(graph) => Self::Heap(Heap::of(graph)),
            Middle::Mark(mark) => Self::Mark(mark),
        }
    }
}

/// In which round an object was made.
struct Births<'a> {
    first: Heap<'a>,
    middle: Between<'a>,
    graph: &'a Graph,
}

impl<'a> Births<'a> {
    /// The snapshots before the last.
    fn heaps(&self) -> impl Iterator<Item = &Heap<'a>> {
        let middle = match &self.middle {
            Between::Heap(heap) => Some(heap),
            Between::Mark(_) => None,
        };
        std::iter::once(&self.first).chain(middle)
    }

    /// The round, counted from 0; nothing for what was there before.
    fn round(&self, node: Node) -> Option<usize> {
        let id = self.graph.id(node);
        if self.first.get(id).is_some() {
            return None;
        }
        let was_there = match &self.middle {
            Between::Heap(heap) => heap.get(id).is_some(),
            Between::Mark(mark) => id <= mark.last,
        };
        Some(usize::from(!was_there))
    }

    fn counts(&self, nodes: &[Node]) -> [u64; 2] {
        let mut counts = [0; 2];
        nodes.iter().filter_map(|&node| self.round(node)).for_each(|round| counts[round] += 1);
        counts
    }
}

/// How many there are of each class in both snapshots, and in the middle.
struct Sums<'g> {
    first: HashMap<&'g str, Total>,
    middle: Counts<'g>,
    last: HashMap<&'g str, Total>,
}

enum Counts<'g> {
    Snapshot(HashMap<&'g str, Total>),
    Mark(&'g Mark),
}

impl<'g> Sums<'g> {
    fn of(first: &'g Graph, middle: Middle<'g>, last: &'g Graph) -> Result<Self> {
        let totals = |graph: &'g Graph| -> Result<_> {
            let classes = Classes::of(graph)?;
            Ok(named(&classes, &classes.totals(graph)))
        };
        let middle = match middle {
            Middle::Snapshot(graph) => Counts::Snapshot(totals(graph)?),
            Middle::Mark(mark) => Counts::Mark(mark),
        };
        Ok(Self { first: totals(first)?, middle, last: totals(last)? })
    }

    /// By how many `class` has grown in each round, in which `born` were made that are still there; all forms of text are one class. Nothing
    /// where that is not known.
    fn growth(&self, class: &str, born: [u64; 2]) -> Option<[i64; 2]> {
        let count = |sums: &HashMap<&str, Total>| -> i64 {
            let same = |&(&name, _): &(&&str, &Total)| name == class || (is_text(name) && is_text(class));
            sums.iter().filter(same).map(|(_, total)| signed(total.count)).sum()
        };
        let all = count(&self.last) - count(&self.first);
        let at_middle = match &self.middle {
            Counts::Snapshot(sums) => count(sums) - count(&self.first),
            Counts::Mark(mark) => match mark.growth_of(class) {
                Some(growth) => growth,
                // What is not counted by its constructor: if none made place for them, each round has grown by its own.
                None if is_about(u64::try_from(all).unwrap_or(0), born[0] + born[1]) => signed(born[0]),
                None => return None,
            },
        };
        Some([at_middle, all - at_middle])
    }
}

impl Mark {
    /// By how many `class` had grown; nothing for what is not counted by its constructor.
    fn growth_of(&self, class: &str) -> Option<i64> {
        if class != FUNCTIONS[0] {
            return self.growth.get(class).copied();
        }
        Some(FUNCTIONS.iter().filter_map(|&name| self.growth.get(name)).sum())
    }
}

/// Whether ids mean the same objects in both.
fn is_numbered_alike(heap: &Heap<'_>, last: &Graph) -> bool {
    if !(heap.graph.ids_are_own() && last.ids_are_own()) {
        return false;
    }
    let (mut common, mut differing) = (0, 0);
    for node in last.nodes() {
        if let Some(before) = heap.get(last.id(node)) {
            common += 1;
            let (was, is) = (class_name(heap.graph, before), class_name(last, node));
            differing += u64::from(was != is && !(is_text(was) && is_text(is)));
        }
    }
    correspond(common, differing, heap.graph.node_count().min(last.node_count()) as u64)
}

#[cfg(test)]
mod tests;
