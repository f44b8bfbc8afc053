//! Two snapshots of one process by class and object id, from their nodes alone.
//!
//! ```text
//!  older   ids -> a bit each; class and size, 8 bytes, by the id's place among them
//!  newer   id in the set?   no  -> new: counted by class as it passes, and forgotten
//!                           yes -> its class is noted at the same place: 8 bytes
//!  then    places without a note are gone; places where the class differs are both
//! ```
//!
//! Names are known at a snapshot's end only, so that until then a class is a key: the string index of its name, or its kind.

use std::collections::HashMap;

use rustc_hash::FxHashMap;

use super::class::{Total, kind_class};
use super::diff::{ConstructorDelta, MatchedBy, correspond, is_text, ranked};
use super::ids::Ids;
use crate::error::{ErrorKind, Result};
use crate::graph::{NodeKind, NodeSink, Row, Rows, SparseStrings, filled, reserve};

/// Keys from here on are kinds.
const KINDS: u32 = u32::MAX - 255;

/// No key.
const NONE: u32 = u32::MAX;

/// Sizes from here on stand in a list beside.
const WIDE: u32 = u32::MAX;

/// The class of a node, until its name is known.
fn key(row: Row) -> Result<u32> {
    match row.kind {
        NodeKind::Object | NodeKind::Native if row.name < KINDS => Ok(row.name),
        NodeKind::Object | NodeKind::Native => {
            Err(ErrorKind::SnapshotLimit { what: "strings", limit: u64::from(KINDS) }.into())
        }
        kind => Ok(KINDS + kind as u32),
    }
}

/// The numbers of classes, the same for both snapshots.
#[derive(Debug, Default)]
struct ClassNumbers {
    by_name: HashMap<String, u32>,
    names: Vec<String>,
}

impl ClassNumbers {
    fn number(&mut self, name: &str) -> u32 {
        if let Some(&number) = self.by_name.get(name) {
            return number;
        }
        self.names.push(name.to_owned());
        let number = self.names.len() as u32 - 1;
        self.by_name.insert(name.to_owned(), number);
        number
    }
}

/// From keys of one snapshot to numbers of classes.
struct Keys<'a> {
    names: &'a SparseStrings,
    known: FxHashMap<u32, u32>,
    last: (u32, u32),
}

impl<'a> Keys<'a> {
    fn new(names: &'a SparseStrings) -> Self {
        Self { names, known: FxHashMap::default(), last: (NONE, 0) }
    }

    fn class(&mut self, key: u32, numbers: &mut ClassNumbers) -> u32 {
        if self.last.0 != key {
            let name = || match key.checked_sub(KINDS) {
                Some(kind) => kind_class(NodeKind::from_number(kind as u8)),
                None => self.names.get(key),
            };
            self.last = (key, *self.known.entry(key).or_insert_with(|| numbers.number(name())));
        }
        self.last.1
    }
}

/// Sizes by place.
#[derive(Debug, Default)]
struct PlacedSizes {
    narrow: Vec<u32>,
    wide: FxHashMap<u32, u64>,
}

impl PlacedSizes {
    #[inline]
    fn set(&mut self, at: u32, size: u64) {
        self.narrow[at as usize] = size.min(u64::from(WIDE)) as u32;
        if size >= u64::from(WIDE) {
            self.wide.insert(at, size);
        }
    }

    fn get(&self, at: u32) -> u64 {
        match self.narrow[at as usize] {
            WIDE => self.wide.get(&at).copied().unwrap_or(u64::from(WIDE)),
            narrow => u64::from(narrow),
        }
    }
}

/// Takes the nodes of the older snapshot: 12 bytes a node.
#[derive(Debug, Default)]
pub struct OlderBuilder {
    ids: Ids,
    /// Id, key and size, in the order of the file.
    records: Vec<(u32, u32, u32)>,
    wide: FxHashMap<u32, u64>,
    /// What has the id of another node: an id that means nothing.
    repeated: FxHashMap<u32, Total>,
    disowned: bool,
}

impl NodeSink for OlderBuilder {
    fn take(&mut self, rows: Rows<'_>) -> Result<()> {
        for row in rows.iter() {
            let key = key(row)?;
            if !self.ids.insert(row.id)? {
                add(self.repeated.entry(key).or_default(), row.self_size);
                continue;
            }
            if row.self_size >= u64::from(WIDE) {
                self.wide.insert(row.id, row.self_size);
            }
            reserve(&mut self.records, 1)?;
            self.records.push((row.id, key, row.self_size.min(u64::from(WIDE)) as u32));
        }
        Ok(())
    }
}

fn add(total: &mut Total, size: u64) {
    total.count += 1;
    total.size = total.size.saturating_add(size);
}

/// The nodes of the older snapshot, by id.
#[derive(Debug)]
pub struct Older {
    ids: Ids,
    numbers: ClassNumbers,
    classes: Vec<u32>,
    sizes: PlacedSizes,
    repeated: FxHashMap<u32, Total>,
    disowned: bool,
}

impl OlderBuilder {
    /// Says that the ids are not those of the process: the snapshot was taken in a clone of it.
    pub fn disown_ids(&mut self) {
        self.disowned = true;
    }

    /// What was taken, with the `names` of its classes.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub fn finish(mut self, names: &SparseStrings) -> Result<Older> {
        self.ids.rank_all();
        let ids = &self.ids;
        let place = |id: u32| ids.rank(id).unwrap_or(0) as usize;
        // Each swap puts one record where it belongs.
        let records = &mut self.records;
        for at in 0..records.len() {
            loop {
                let home = place(records[at].0);
                if home == at {
                    break;
                }
                records.swap(at, home);
            }
        }
        let (mut numbers, mut keys) = (ClassNumbers::default(), Keys::new(names));
        let mut classes = filled(0, records.len())?;
        let mut sizes = PlacedSizes { narrow: filled(0, records.len())?, wide: FxHashMap::default() };
        for (at, &(id, key, size)) in (0..).zip(&*records) {
            classes[at as usize] = keys.class(key, &mut numbers);
            let size =
                if size == WIDE { self.wide.get(&id).copied() } else { None }.unwrap_or(u64::from(size));
            sizes.set(at, size);
        }
        let mut repeated = FxHashMap::default();
        for (key, total) in self.repeated {
            repeated.insert(keys.class(key, &mut numbers), total);
        }
        Ok(Older { ids: self.ids, numbers, classes, sizes, repeated, disowned: self.disowned })
    }
}

/// Takes the nodes of the newer snapshot: 8 bytes a node of the older.
#[derive(Debug)]
pub struct Newer {
    older: Older,
    /// By place: the key and the size of the node with that id now.
    keys: Vec<u32>,
    sizes: PlacedSizes,
    /// By key, what is new.
    added: FxHashMap<u32, Total>,
    count: u64,
}

impl Newer {
    /// Nothing yet, against `older`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`.
    pub fn new(older: Older) -> Result<Self> {
        let places = older.ids.len();
        let sizes = PlacedSizes { narrow: filled(0, places)?, wide: FxHashMap::default() };
        Ok(Self { older, keys: filled(NONE, places)?, sizes, added: FxHashMap::default(), count: 0 })
    }

    /// Says that the newer snapshot's ids are not those of the process.
    pub fn disown_ids(&mut self) {
        self.older.disowned = true;
    }

    /// What changed, with the `names` of the newer snapshot's classes.
    pub fn finish(mut self, names: &SparseStrings) -> NodeDiff {
        let numbers = &mut self.older.numbers;
        let mut class_of = Keys::new(names);
        let mut matched: FxHashMap<(u32, u32), (Total, Total)> = FxHashMap::default();
        let mut removed: FxHashMap<u32, Total> = std::mem::take(&mut self.older.repeated);
        let mut last: Matched = Default::default();
        let (mut common, mut differing) = (0u64, 0u64);
        for (at, (&key, &class)) in (0..).zip(self.keys.iter().zip(&self.older.classes)) {
            let size = self.older.sizes.get(at);
            if key == NONE {
                add(removed.entry(class).or_default(), size);
                continue;
            }
            let now = class_of.class(key, numbers);
            common += 1;
            let text = |class: u32| is_text(&numbers.names[class as usize]);
            differing += u64::from(now != class && !(text(now) && text(class)));
            // Neighbours are of one class more often than not.
            if last.0 != (class, now) {
                keep(&mut matched, std::mem::replace(&mut last, ((class, now), Default::default())));
            }
            add(&mut last.1.0, size);
            add(&mut last.1.1, self.sizes.get(at));
        }
        keep(&mut matched, last);
        let mut added: FxHashMap<u32, Total> = FxHashMap::default();
        for (&key, &total) in &self.added {
            let sum = added.entry(class_of.class(key, numbers)).or_default();
            *sum = sum.plus(total);
        }
        let smaller = self.count.min(self.older.ids.len() as u64);
        let by_id = !self.older.disowned && correspond(common, differing, smaller);
        for (&(class, now), &(was, is)) in &matched {
            // With ids that mean nothing, what has kept its class by chance counts on both sides all the same.
            if class != now || !by_id {
                let gone = removed.entry(class).or_default();
                *gone = gone.plus(was);
                let come = added.entry(now).or_default();
                *come = come.plus(is);
            }
        }
        NodeDiff::of(by_id, &self.older.numbers.names, &added, &removed)
    }
}

/// The objects of one class that are of the same or another one now, as they were and as they are.
type Matched = ((u32, u32), (Total, Total));

fn keep(all: &mut FxHashMap<(u32, u32), (Total, Total)>, (pair, (was, is)): Matched) {
    let sums = all.entry(pair).or_default();
    *sums = (sums.0.plus(was), sums.1.plus(is));
}

impl NodeSink for Newer {
    fn take(&mut self, rows: Rows<'_>) -> Result<()> {
        for row in rows.iter() {
            let key = key(row)?;
            self.count += 1;
            match self.older.ids.rank(row.id) {
                Some(at) if self.keys[at as usize] == NONE => {
                    self.keys[at as usize] = key;
                    self.sizes.set(at, row.self_size);
                }
                _ => add(self.added.entry(key).or_default(), row.self_size),
            }
        }
        Ok(())
    }
}

/// What came and went between two snapshots. Sizes are self sizes, as they stand in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeDiff {
    /// How the objects were matched.
    pub matched_by: MatchedBy,
    /// What changed in each class, largest growth first.
    pub constructors: Vec<ConstructorDelta>,
}

impl NodeDiff {
    fn of(
        by_id: bool,
        names: &[String],
        added: &FxHashMap<u32, Total>,
        removed: &FxHashMap<u32, Total>,
    ) -> Self {
        let at = |totals: &FxHashMap<u32, Total>, class| totals.get(&class).copied().unwrap_or_default();
        let deltas = (0..).zip(names).map(|(class, name)| {
            let (came, went) = (at(added, class), at(removed, class));
            if by_id {
                return ConstructorDelta::new(name, came, went);
            }
            // Only how many there are is known, not which.
            ConstructorDelta::new(name, came.over(went), went.over(came))
        });
        let matched_by = if by_id { MatchedBy::Id } else { MatchedBy::Constructor };
        Self { matched_by, constructors: ranked(deltas.collect()) }
    }
}
