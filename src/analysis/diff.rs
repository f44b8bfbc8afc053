//! Two snapshots of one process: what came and what went, by class and id; where ids do not tell, by class and path.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use serde::{Deserialize, Serialize};

use super::baseline::Growth;
use super::by_path::{Earlier, by_path};
use super::class::{Classes, Total};
use super::culprits::{Before, culprits};
use super::trees::Trees;
use crate::error::Result;
use crate::graph::{Graph, Location, Node, check, filled};

/// How the objects of two snapshots were found to be the same; what tells most comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum MatchedBy {
    /// By class and V8's object id: each object that came or went is known.
    Id,
    /// By class and retaining path, where the ids do not correspond: a snapshot was taken in a clone of the process, an inspector
    /// session was closed in between, or the processes differ. Of the objects of one class that are held the same way it is known how
    /// many came or went, not which.
    Path,
    /// By class alone, where the ids do not correspond and the edges were not read or not looked at: only counts and sizes of each class
    /// are compared.
    Constructor,
}

impl MatchedBy {
    /// As reports have it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Id => "id",
            Self::Path => "path",
            Self::Constructor => "constructor",
        }
    }
}

/// What changed in one class. Sizes are self sizes in bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ConstructorDelta {
    /// The class, as DevTools names it.
    pub constructor_name: String,
    /// How many are new.
    pub added_count: u64,
    /// How many are gone.
    pub removed_count: u64,
    /// New less gone.
    pub count_delta: i64,
    /// Bytes of the new ones.
    pub added_size: u64,
    /// Bytes of those gone.
    pub removed_size: u64,
    /// New less gone.
    pub size_delta: i64,
    /// Where the class is written, in comparisons that tell classes of one name apart by that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub location: Option<Location>,
}

impl ConstructorDelta {
    pub(crate) fn new(name: &str, added: Total, removed: Total) -> Self {
        Self {
            constructor_name: name.to_owned(),
            added_count: added.count,
            removed_count: removed.count,
            count_delta: signed(added.count) - signed(removed.count),
            added_size: added.size,
            removed_size: removed.size,
            size_delta: signed(added.size) - signed(removed.size),
            location: None,
        }
    }
}

/// Largest growth first; classes in which nothing changed are left out.
pub(crate) fn ranked(mut deltas: Vec<ConstructorDelta>) -> Vec<ConstructorDelta> {
    deltas.retain(|d| d.added_count > 0 || d.removed_count > 0 || d.size_delta != 0);
    deltas.sort_by(|a, b| {
        (b.size_delta, b.count_delta, &a.constructor_name).cmp(&(
            a.size_delta,
            a.count_delta,
            &b.constructor_name,
        ))
    });
    deltas
}

/// Half of the range, so that a difference of two cannot overflow.
pub(crate) fn signed(value: u64) -> i64 {
    value.min(i64::MAX as u64 / 2) as i64
}

/// What has changed from `old` to `new`, after DevTools' Comparison view, and what the growth hangs on.
///
/// # Errors
///
/// `OutOfMemory`, `Cancelled`.
pub fn diff(old: &Graph, new: &Graph, cancel: &AtomicBool) -> Result<Growth> {
    let (old_classes, new_classes) = (Classes::of(old)?, Classes::of(new)?);
    let before: HashMap<&str, Total> = named(&old_classes, &old_classes.totals(old));
    check(cancel)?;
    let own = old.ids_are_own() && new.ids_are_own();
    let pairs = if own { Some(Pairs::of((old, &old_classes), (new, &new_classes))?) } else { None };
    let Some(pairs) = pairs.filter(Pairs::corresponds) else {
        return by_path(&Earlier::of(old, &old_classes, cancel)?, new, &new_classes, cancel);
    };
    check(cancel)?;
    let mut deltas: HashMap<&str, (Total, Total)> = HashMap::new();
    let mut tally = |name, size: u64, new: bool| {
        let (added, removed) = deltas.entry(name).or_default();
        let total = if new { added } else { removed };
        total.count += 1;
        total.size = total.size.saturating_add(size);
    };
    for node in new.nodes().filter(|&node| pairs.added[node as usize]) {
        tally(new_classes.names()[new_classes.get(node) as usize], new.self_size(node), true);
    }
    for &node in &pairs.removed {
        tally(old_classes.names()[old_classes.get(node) as usize], old.self_size(node), false);
    }
    let constructors = deltas
        .into_iter()
        .map(|(name, (added, removed))| ConstructorDelta::new(name, added, removed))
        .collect();
    let before = Before { added: pairs.added, totals: &before };
    let culprits = culprits(before, new, &new_classes, &Trees::of(new, cancel)?, cancel)?;
    Ok(Growth { matched_by: MatchedBy::Id, constructors: ranked(constructors), culprits })
}

/// Whether ids mean the same objects in two snapshots, the smaller one with `smaller` of them: of `common` ones that are in both,
/// `differing` are of another class, texts that only changed their form left out.
///
/// In good pairs 0.01 % have changed class. After an inspector session it is 37 % and more; but two processes that run one program have
/// numbered alike until then, and differ in 0.5 to 50 %. Node's own objects alone make more than a twentieth of two snapshots the same.
pub(crate) fn correspond(common: u64, differing: u64, smaller: u64) -> bool {
    common * 20 >= smaller && differing * 500 <= common
}

/// Whether objects of `class` are texts. One that was put together keeps its number when it is made one piece, and changes its class.
pub(crate) fn is_text(class: &str) -> bool {
    matches!(class, "(string)" | "(concatenated string)" | "(sliced string)")
}

/// Totals by class name.
pub(crate) fn named<'g>(classes: &Classes<'g>, totals: &[Total]) -> HashMap<&'g str, Total> {
    classes.names().iter().copied().zip(totals.iter().copied()).collect()
}

/// The nodes of two graphs, matched.
struct Pairs {
    /// By node of the new graph.
    added: Vec<bool>,
    /// Nodes of the old graph.
    removed: Vec<Node>,
    common_ids: u64,
    differing_classes: u64,
    smaller: u64,
}

impl Pairs {
    fn of(old: (&Graph, &Classes<'_>), new: (&Graph, &Classes<'_>)) -> Result<Self> {
        // The classes of both graphs under the numbers of the new one; what only the old has comes after.
        let mut numbers: HashMap<&str, u32> =
            new.1.names().iter().enumerate().map(|(number, name)| (*name, number as u32)).collect();
        let mut old_numbers = Vec::with_capacity(old.1.names().len());
        for name in old.1.names() {
            let next = numbers.len() as u32;
            old_numbers.push(*numbers.entry(name).or_insert(next));
        }
        let old_keys = sorted_keys(old.0, |node| old_numbers[old.1.get(node) as usize])?;
        let new_keys = sorted_keys(new.0, |node| new.1.get(node))?;
        let mut pairs = Self {
            added: filled(true, new.0.node_count())?,
            removed: Vec::new(),
            common_ids: 0,
            differing_classes: 0,
            smaller: old.0.node_count().min(new.0.node_count()) as u64,
        };
        // Both ascend by (id, class): a merge.
        let (mut i, mut j) = (0, 0);
        while i < old_keys.len() || j < new_keys.len() {
            let (a, b) = (old_keys.get(i), new_keys.get(j));
            match (a, b) {
                (Some(&(key, _)), Some(&(other, node))) if key == other => {
                    pairs.added[node as usize] = false;
                    pairs.common_ids += 1;
                    i += 1;
                    j += 1;
                }
                (Some(&(key, node)), _) if b.is_none_or(|&(other, _)| key < other) => {
                    pairs.removed.push(node);
                    i += 1;
                }
                _ => j += 1,
            }
        }
        // What matched by id but not by class is in both lists of leftovers.
        let gone: HashMap<u32, Node> = pairs.removed.iter().map(|&node| (old.0.id(node), node)).collect();
        for node in new.0.nodes().filter(|&node| pairs.added[node as usize]) {
            if let Some(&was) = gone.get(&new.0.id(node)) {
                let [from, to] = [(old.1, was), (new.1, node)]
                    .map(|(classes, n)| classes.names()[classes.get(n) as usize]);
                pairs.differing_classes += u64::from(!(is_text(from) && is_text(to)));
                pairs.common_ids += 1;
            }
        }
        Ok(pairs)
    }

    fn corresponds(&self) -> bool {
        correspond(self.common_ids, self.differing_classes, self.smaller)
    }
}

/// Id and class of each node in one number, ascending.
fn sorted_keys(graph: &Graph, class: impl Fn(Node) -> u32) -> Result<Vec<(u64, Node)>> {
    let mut keys = filled((0u64, 0), graph.node_count())?;
    for node in graph.nodes() {
        keys[node as usize] = (u64::from(graph.id(node)) << 32 | u64::from(class(node)), node);
    }
    keys.sort_unstable();
    Ok(keys)
}
