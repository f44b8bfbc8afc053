//! DevTools' Comparison, to the byte: two snapshots by its classes, its shallow sizes and object id. Where ids do not tell, by path if it
//! was asked for, else by class alone.
//!
//! Unlike [`super::node_diff`] this needs the edges: for the stores that belong to one object, and for the properties that tell plain
//! objects apart. Both snapshots are told apart by the interfaces of the newer one, as DevTools does. One graph is in memory at a time.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;

use rustc_hash::FxHashMap;

use super::by_path::Change;
use super::class::Total;
use super::diff::{ConstructorDelta, MatchedBy, correspond, is_text, ranked};
use super::grouping::{Grouping, Interfaces, List, Matcher, list_of};
use super::ids::Ids;
use super::likeness::Likeness;
use crate::error::Result;
use crate::graph::location::Place;
use crate::graph::owned::store_owners;
use crate::graph::spare::Spare;
use crate::graph::{Graph, Location, check, filled};

/// A snapshot reduced to what is compared: 12 bytes a node that takes any memory.
#[derive(Debug)]
pub struct Compared {
    interfaces: Interfaces,
    groups: Vec<Class>,
    /// The properties of plain objects, whose groups are named by the number of a list.
    lists: Vec<List>,
    /// Group, id and size. Sizes of 4 GB and more stand in `wide`.
    objects: Vec<Object>,
    wide: HashMap<u32, u64>,
    ids_are_own: bool,
    /// By object, where paths are compared.
    likeness: Option<Vec<u64>>,
}

type Object = (u32, u32, u32);

/// Count and bytes by class and likeness.
type Alike = HashMap<Class, FxHashMap<u64, Total>>;

/// What makes a class: its name, and where it is written in which script.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Class {
    name: Box<str>,
    place: Option<Place>,
    location: Option<Location>,
}

impl Compared {
    /// What is compared of `graph`.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn of(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        Self::with(graph, None, cancel)
    }

    /// The same for a comparison by retaining path: 8 bytes more.
    ///
    /// # Errors
    ///
    /// `OutOfMemory`, `Cancelled`.
    pub fn by_path(graph: &Graph, cancel: &AtomicBool) -> Result<Self> {
        let (_, likeness) = Likeness::of(graph, cancel)?;
        Self::with(graph, Some(&likeness), cancel)
    }

    fn with(graph: &Graph, likeness: Option<&Likeness>, cancel: &AtomicBool) -> Result<Self> {
        let mut spare = Spare::default();
        let mut sizes = graph.self_sizes().clone();
        for (store, owner) in store_owners(graph, &mut spare, cancel)? {
            let bytes = sizes.get(store);
            sizes.set(store, 0);
            sizes.add(owner, bytes);
        }
        let (Grouping { by_node, groups }, lists) = Grouping::by_list(graph, &mut spare)?;
        check(cancel)?;
        let mut classes: Vec<Class> = groups
            .iter()
            .map(|group| Class { name: group.name.clone(), place: None, location: None })
            .collect();
        for &(node, place) in graph.placed_nodes() {
            let group = by_node[node as usize] as usize;
            if groups[group].placed && classes[group].place.is_none() {
                classes[group].place = Some(graph.place(place));
                classes[group].location = graph.location(node);
            }
        }
        let taking = |node: &u32| sizes.get(*node) > 0;
        let count = graph.nodes().filter(taking).count();
        let mut objects = filled((0, 0, 0), count)?;
        let mut wide = HashMap::new();
        for (slot, node) in objects.iter_mut().zip(graph.nodes().filter(taking)) {
            let (id, size) = (graph.id(node), sizes.get(node));
            if size >= u64::from(u32::MAX) {
                wide.insert(id, size);
            }
            *slot = (by_node[node as usize], id, size.min(u64::from(u32::MAX)) as u32);
        }
        let likeness = match likeness {
            Some(likeness) => {
                let mut by_object = filled(0, count)?;
                let nodes = graph.nodes().filter(taking);
                by_object.iter_mut().zip(nodes).for_each(|(slot, node)| *slot = likeness.get(node));
                Some(by_object)
            }
            None => None,
        };
        Ok(Self {
            interfaces: Interfaces::of(graph)?,
            groups: classes,
            lists,
            objects,
            wide,
            ids_are_own: graph.ids_are_own(),
            likeness,
        })
    }

    /// The class of each group, plain objects by the interfaces of `matcher`.
    fn classes(&self, matcher: &Matcher<'_>) -> Vec<Class> {
        let mut classes = self.groups.clone();
        for Class { name, .. } in &mut classes {
            if let Some(list) = list_of(name).and_then(|list| self.lists.get(list)) {
                *name = matcher.find(list.iter().map(|property| &**property)).unwrap_or("Object").into();
            }
        }
        classes
    }

    /// The bytes that `object` takes.
    fn size(&self, (_, id, size): Object) -> u64 {
        let wide = if size == u32::MAX { self.wide.get(&id).copied() } else { None };
        wide.unwrap_or(u64::from(size))
    }

    /// By class and likeness, count and bytes; nothing where only ids are known.
    fn alike(&self, matcher: &Matcher<'_>) -> Option<Alike> {
        let likeness = self.likeness.as_ref()?;
        let mut groups: Vec<FxHashMap<u64, Total>> = vec![FxHashMap::default(); self.groups.len()];
        for (&object, &likeness) in self.objects.iter().zip(likeness) {
            let total = groups[object.0 as usize].entry(likeness).or_default();
            *total = total.plus(Total { count: 1, size: self.size(object) });
        }
        let mut by_class = Alike::new();
        for (class, group) in self.classes(matcher).into_iter().zip(groups) {
            let totals = by_class.entry(class).or_default();
            for (likeness, total) in group {
                let sum = totals.entry(likeness).or_default();
                *sum = sum.plus(total);
            }
        }
        Some(by_class)
    }

    /// The objects by class and id, plain ones by the interfaces of `matcher`.
    fn resolve(&self, matcher: &Matcher<'_>) -> Result<Resolved<'_>> {
        let classes = self.classes(matcher);
        let mut first: HashMap<&Class, u32> = HashMap::new();
        let numbers: Vec<u32> =
            (0..).zip(&classes).map(|(number, class)| *first.entry(class).or_insert(number)).collect();
        let mut objects = filled((0, 0, 0), self.objects.len())?;
        for (slot, &(group, id, size)) in objects.iter_mut().zip(&self.objects) {
            *slot = (numbers[group as usize], id, size);
        }
        objects.sort_unstable();
        Ok(Resolved { classes, objects, compared: self })
    }
}

/// A snapshot with its classes, in order.
struct Resolved<'a> {
    classes: Vec<Class>,
    /// Class, id and size, ascending.
    objects: Vec<Object>,
    compared: &'a Compared,
}

impl Resolved<'_> {
    fn total(&self, objects: &[Object]) -> Total {
        objects.iter().fold(Total::default(), |sum, &object| sum.plus(self.one(object)))
    }

    fn one(&self, object: Object) -> Total {
        Total { count: 1, size: self.compared.size(object) }
    }

    /// By class, its objects.
    fn by_class(&self) -> HashMap<&Class, &[Object]> {
        let runs = self.objects.chunk_by(|a, b| a.0 == b.0);
        runs.map(|run| (&self.classes[run[0].0 as usize], run)).collect()
    }

    /// How many ids of objects of `wanted` classes both have.
    fn common_ids(&self, other: &Self, wanted: impl Fn(&Class) -> bool) -> Result<u64> {
        let is_wanted = |of: &Self| of.classes.iter().map(&wanted).collect::<Vec<bool>>();
        let (here, there) = (is_wanted(self), is_wanted(other));
        let mut ids = Ids::default();
        for &(_, id, _) in self.objects.iter().filter(|object| here[object.0 as usize]) {
            ids.insert(id)?;
        }
        ids.rank_all();
        let objects = other.objects.iter().filter(|object| there[object.0 as usize]);
        Ok(objects.filter(|&&(_, id, _)| ids.rank(id).is_some()).count() as u64)
    }
}

/// What changed between `older` and `newer`, largest growth first: the columns of DevTools' Comparison, and how objects were matched.
///
/// One row a class; classes of one name that are written in different places are different rows.
///
/// # Errors
///
/// `OutOfMemory`.
pub fn comparison(older: &Compared, newer: &Compared) -> Result<(MatchedBy, Vec<ConstructorDelta>)> {
    let matcher = Matcher::new(&newer.interfaces);
    if let (Some(was), Some(is)) = (older.alike(&matcher), newer.alike(&matcher)) {
        return Ok((MatchedBy::Path, by_path(&was, &is)));
    }
    let own = older.ids_are_own && newer.ids_are_own;
    let (older, newer) = (older.resolve(&matcher)?, newer.resolve(&matcher)?);
    let (before, mut after) = (older.by_class(), newer.by_class());
    let mut pairs: Vec<(&Class, &[Object], &[Object])> = before
        .into_iter()
        .map(|(class, was)| (class, was, after.remove(class).unwrap_or_default()))
        .collect();
    pairs.extend(after.into_iter().map(|(class, is)| (class, Default::default(), is)));
    let (mut matched, mut matched_texts) = (0, 0);
    let changes: Vec<_> = pairs
        .iter()
        .map(|&(class, was, is)| {
            let (removed, added, same) = changed((&older, was), (&newer, is));
            matched += same;
            matched_texts += if is_text(&class.name) { same } else { 0 };
            (class, removed, added)
        })
        .collect();
    let common = older.common_ids(&newer, |_| true)?;
    let reformed = older.common_ids(&newer, |class| is_text(&class.name))?.saturating_sub(matched_texts);
    let smaller = older.objects.len().min(newer.objects.len()) as u64;
    let differing = common.saturating_sub(matched).saturating_sub(reformed);
    let by_id = own && correspond(common, differing, smaller);
    let totals = pairs.iter().map(|&(class, was, is)| {
        let (was, is) = (older.total(was), newer.total(is));
        (class, was.over(is), is.over(was))
    });
    let changes = if by_id { changes } else { totals.collect() };
    Ok((if by_id { MatchedBy::Id } else { MatchedBy::Constructor }, rows(changes)))
}

/// One row for each class, what is gone of it and what is new, in which anything came or went.
fn rows<'a>(changes: impl IntoIterator<Item = (&'a Class, Total, Total)>) -> Vec<ConstructorDelta> {
    let row = |(class, removed, added): (&'a Class, Total, Total)| ConstructorDelta {
        location: class.location.clone(),
        ..ConstructorDelta::new(&class.name, added, removed)
    };
    let mut deltas: Vec<ConstructorDelta> = changes.into_iter().map(row).collect();
    deltas.retain(|delta| delta.added_count > 0 || delta.removed_count > 0);
    ranked(deltas)
}

fn by_path(before: &Alike, after: &Alike) -> Vec<ConstructorDelta> {
    let none = FxHashMap::default();
    let changed = |class| {
        let (was, is) = (before.get(class).unwrap_or(&none), after.get(class).unwrap_or(&none));
        let keys = was.keys().chain(is.keys().filter(|key| !was.contains_key(key)));
        let mut change = Change::default();
        for key in keys {
            let at = |totals: &FxHashMap<u64, Total>| totals.get(key).copied().unwrap_or_default();
            change.tell(at(was), at(is));
        }
        (class, change.removed, change.added)
    };
    rows(before.keys().chain(after.keys().filter(|class| !before.contains_key(class))).map(changed))
}

/// What is gone, what is new, and how many are the same, of the objects of one class.
fn changed(older: (&Resolved<'_>, &[Object]), newer: (&Resolved<'_>, &[Object])) -> (Total, Total, u64) {
    let ((before, was), (after, is)) = (older, newer);
    let (mut removed, mut added, mut same) = (Total::default(), Total::default(), 0);
    // Both ascend by id.
    let (mut i, mut j) = (0, 0);
    while i < was.len() || j < is.len() {
        match (was.get(i), is.get(j)) {
            (Some(a), Some(b)) if a.1 == b.1 => {
                same += 1;
                (i, j) = (i + 1, j + 1);
            }
            (Some(&a), b) if b.is_none_or(|b| a.1 < b.1) => {
                removed = removed.plus(before.one(a));
                i += 1;
            }
            (_, Some(&b)) => {
                added = added.plus(after.one(b));
                j += 1;
            }
            (_, None) => break,
        }
    }
    (removed, added, same)
}
