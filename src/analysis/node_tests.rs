//! What is said of nodes alone, against naive ways to the same figures.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;
use crate::control::Control;
use crate::graph::{Graph, NodeSink, SparseStrings};
use crate::snapshot::NodeParser;
use crate::snapshot::testing::{Snapshot, arbitrary};

static GO: AtomicBool = AtomicBool::new(false);

/// Feeds `text` to `sink` in pieces of `piece` bytes.
fn nodes(text: &str, piece: usize, sink: &mut dyn NodeSink) -> SparseStrings {
    let mut parser = NodeParser::new();
    for chunk in text.as_bytes().chunks(piece) {
        parser.feed(chunk, sink).unwrap();
    }
    parser.finish().unwrap()
}

fn node_diff(old: &Snapshot, new: &Snapshot, piece: usize) -> NodeDiff {
    let mut older = OlderBuilder::default();
    let names = nodes(&old.text(), piece, &mut older);
    let mut newer = Newer::new(older.finish(&names).unwrap()).unwrap();
    let names = nodes(&new.text(), piece, &mut newer);
    newer.finish(&names)
}

type Counted = BTreeMap<String, (u64, u64)>;

/// Count and self size by class, off the graph.
fn counted(graph: &Graph) -> Counted {
    let mut counted = Counted::new();
    for node in graph.nodes() {
        let total = counted.entry(super::class::class_name(graph, node).to_owned()).or_default();
        *total = (total.0 + 1, total.1.saturating_add(graph.self_size(node)));
    }
    counted
}

/// What is in `these` and not in `those`, by class and id.
fn only_in(these: &Graph, those: &Graph) -> Counted {
    let known: HashSet<(&str, u32)> =
        those.nodes().map(|node| (super::class::class_name(those, node), those.id(node))).collect();
    let mut counted = Counted::new();
    for node in these.nodes() {
        let class = super::class::class_name(these, node);
        if !known.contains(&(class, these.id(node))) {
            let total = counted.entry(class.to_owned()).or_default();
            *total = (total.0 + 1, total.1 + these.self_size(node));
        }
    }
    counted
}

fn ids_are_unique(graph: &Graph) -> bool {
    graph.nodes().map(|node| graph.id(node)).collect::<HashSet<_>>().len() == graph.node_count()
}

/// A snapshot of small ids, so that two of them have some in common.
fn related() -> impl Strategy<Value = Snapshot> {
    let node = (prop::sample::select(vec!["object", "native", "string", "code"]), 0..3u8, 1..60u64, 0..99u64);
    prop::collection::vec(node, 0..30).prop_map(|nodes| {
        let mut snapshot = Snapshot::new();
        let mut taken = HashSet::new();
        for (kind, class, id, size) in nodes {
            if taken.insert(id * 2 + 1) {
                let node = snapshot.node(kind, &format!("Class{class}"), size);
                snapshot.set_id(node, id * 2 + 1);
            }
        }
        snapshot
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn a_histogram_at_any_split_is_what_the_graph_says(s in arbitrary(), piece in 1usize..300) {
        let mut builder = HistogramBuilder::default();
        let names = nodes(&s.text(), piece, &mut builder);
        let histogram = builder.finish(&names);
        let graph = s.graph();
        let found: Counted = histogram
            .constructors
            .iter()
            .map(|row| (row.constructor_name.clone(), (row.count, row.shallow_size)))
            .collect();
        prop_assert_eq!(found, counted(&graph));
        prop_assert_eq!(histogram.total_shallow_size, graph.total_size());
    }

    #[test]
    fn a_diff_of_nodes_is_what_two_sets_say(old in related(), new in related(), piece in 1usize..300) {
        let (a, b) = (old.graph(), new.graph());
        prop_assert!(ids_are_unique(&a) && ids_are_unique(&b));
        let found = node_diff(&old, &new, piece);
        if found.matched_by == MatchedBy::Id {
            let column = |pick: fn(&ConstructorDelta) -> (u64, u64)| -> Counted {
                let rows = found.constructors.iter().map(|row| (row.constructor_name.clone(), pick(row)));
                rows.filter(|(_, total)| *total != (0, 0)).collect()
            };
            prop_assert_eq!(column(|row| (row.added_count, row.added_size)), only_in(&b, &a));
            prop_assert_eq!(column(|row| (row.removed_count, row.removed_size)), only_in(&a, &b));
        }
        let by_graphs = diff(&a, &b, &GO).unwrap();
        // Nothing holds any of these objects: by path they are all alike, which is by class.
        let expected = if found.matched_by == MatchedBy::Id { MatchedBy::Id } else { MatchedBy::Path };
        prop_assert_eq!((expected, found.constructors), (by_graphs.matched_by, by_graphs.constructors));
    }

    #[test]
    fn a_summary_as_in_the_file_counts_every_node_and_threads_change_nothing(s in arbitrary()) {
        let summary = |view, threads| {
            summarize(s.graph(), SummaryOptions { objects: 5, territories: 5, threads, view }, &Control::new()).unwrap()
        };
        let one = summary(View::File, 1);
        let found: Counted = one
            .constructors
            .iter()
            .map(|row| (row.constructor_name.clone(), (row.count, row.shallow_size)))
            .collect();
        prop_assert_eq!(found, counted(&s.graph()));
        prop_assert_eq!(&one, &summary(View::File, 2));
        let devtools = summary(View::Devtools, 1);
        prop_assert_eq!(&devtools, &summary(View::Devtools, 2));
        // Stores are moved, not lost.
        let sum: u64 = devtools.constructors.iter().map(|row| row.shallow_size).sum();
        prop_assert_eq!(sum, devtools.total_shallow_size);
    }

    #[test]
    fn territories_divide_the_heap_and_count_no_byte_twice(s in arbitrary(), some in 0usize..6) {
        let told = |territories| {
            let options = SummaryOptions { territories, ..Default::default() };
            summarize(s.graph(), options, &Control::new()).unwrap().territories
        };
        let all = told(1 << 20);
        prop_assert_eq!(all.len(), s.graph().node_count());
        for rows in [&all, &told(some)] {
            let mut inside = vec![0; rows.len()];
            for (at, row) in rows.iter().enumerate().skip(1) {
                if let Some(parent) = row.parent {
                    prop_assert!((parent as usize) < at);
                    inside[parent as usize] += row.retained_size;
                }
                prop_assert!(row.parent.is_some() && row.shallow_size <= row.retained_size);
            }
            for (row, inside) in rows.iter().zip(inside).filter(|(row, _)| row.count == 1) {
                prop_assert!(row.shallow_size + inside <= row.retained_size);
            }
        }
        for (at, row) in (0u32..).zip(&all) {
            let inside: u64 = all.iter().filter(|other| other.parent == Some(at)).map(|other| other.retained_size).sum();
            prop_assert_eq!(row.shallow_size + inside, row.retained_size);
        }
    }

    #[test]
    fn an_object_that_is_the_same_is_in_no_comparison(s in arbitrary()) {
        let compared = || Compared::of(&s.graph(), &GO).unwrap();
        let (_, rows) = comparison(&compared(), &compared()).unwrap();
        prop_assert!(rows.is_empty() || !ids_are_unique(&s.graph()), "{rows:?}");
    }
}

/// A program with plain objects of two shapes, a class, and arrays with their stores.
fn service(users: usize, sessions: usize) -> Snapshot {
    let mut s = Snapshot::new();
    let global = s.node("object", "global / ", 56);
    s.edge(0, "shortcut", "1", global);
    let list = s.node("object", "Array", 16);
    let store = s.node("array", "(object elements)", 1000);
    s.edge(global, "property", "list", list);
    s.edge(list, "internal", "elements", store);
    // Ids of their own, so that those of one kind do not depend on how many there are of the other.
    let mut add = |kind: &str, name: &str, size, id: usize, at: usize| {
        let node = s.node(kind, name, size);
        s.set_id(node, id as u64);
        s.edge(store, "internal", &at.to_string(), node);
        s.edge(list, "element", &at.to_string(), node);
        node
    };
    let users: Vec<usize> = (0..users).map(|n| add("object", "Object", 32, 1001 + 2 * n, n)).collect();
    let sessions: Vec<usize> =
        (0..sessions).map(|n| add("object", "Session", 48, 100_001 + 2 * n, 5000 + n)).collect();
    let name = s.node("string", "somebody", 24);
    for user in users {
        s.edge(user, "property", "id", name);
        s.edge(user, "property", "name", name);
    }
    s.closure("Session", "/srv/app.js", 7);
    for session in sessions {
        s.location(session, 7, 3, 4);
    }
    s
}

#[test]
fn the_comparison_is_by_devtools_classes_and_sizes() {
    let compared = |s: Snapshot| Compared::of(&s.graph(), &GO).unwrap();
    let (matched_by, rows) = comparison(&compared(service(10, 5)), &compared(service(30, 9))).unwrap();
    assert_eq!(matched_by, MatchedBy::Id);
    let rows: HashMap<&str, &ConstructorDelta> =
        rows.iter().map(|row| (row.constructor_name.as_str(), row)).collect();
    let user = rows["{id, name}"];
    assert_eq!((user.added_count, user.removed_count, user.size_delta), (20, 0, 640));
    let session = rows["Session"];
    assert_eq!((session.added_count, session.size_delta), (4, 192));
    let place = session.location.as_ref().expect("a place");
    assert_eq!((place.file.as_str(), place.line, place.column), ("/srv/app.js", 4, 5));
    assert!(!rows.contains_key("Object") && !rows.contains_key("(array)"), "{rows:?}");
}

#[test]
fn the_summary_gives_stores_to_their_owners() {
    let summary = summarize(service(10, 5).graph(), SummaryOptions::default(), &Control::new()).unwrap();
    let row = |name: &str| summary.constructors.iter().find(|row| row.constructor_name == name);
    let list = row("Array").expect("the list");
    assert_eq!((list.count, list.shallow_size, list.distance), (1, 1016, 2));
    assert!(row("(array)").is_none(), "its store is counted with it");
    assert_eq!(row("{id, name}").map(|row| row.count), Some(10));
}

#[test]
fn interfaces_are_the_commonest_lists_of_properties() {
    let named = |lists: &[&[&str]]| -> Vec<String> {
        let mut s = Snapshot::new();
        let global = s.node("object", "global / ", 8);
        s.edge(0, "shortcut", "1", global);
        let value = s.node("number", "1", 16);
        for (n, list) in lists.iter().enumerate() {
            let object = s.node("object", "Object", 24);
            s.edge(global, "property", &format!("o{n}"), object);
            list.iter().for_each(|name| s.edge(object, "property", name, value));
        }
        let summary = summarize(s.graph(), SummaryOptions::default(), &Control::new()).unwrap();
        let mut names: Vec<String> = summary
            .constructors
            .into_iter()
            .map(|row| format!("{} {}", row.count, row.constructor_name))
            .collect();
        names.retain(|name| name.contains('{') || name.ends_with("Object"));
        names.sort();
        names
    };
    // One of a kind goes by the largest interface that it has all of, whatever the order.
    assert_eq!(named(&[&["a", "b"], &["a", "b"], &["c", "b", "a"], &["d"]]), ["1 Object", "3 {a, b}"]);
    // Of two orders the commoner names them all.
    assert_eq!(named(&[&["b", "a"], &["b", "a"], &["a", "b"], &["a", "b"], &["b", "a"]]), ["5 {b, a}"]);
    assert_eq!(named(&[&["__proto__"], &["__proto__"]]), ["2 Object"]);
    assert_eq!(named(&[&["a,b"], &["a,b"]]), [r#"2 {"a,b"}"#]);
    let long = "x".repeat(200);
    assert_eq!(named(&[&[&long, "y"], &[&long, "y"]]), [format!("2 {{{long}}}")]);
}

#[test]
fn ids_beyond_32_sizes_beyond_32_and_ids_twice() {
    let mut old = Snapshot::new();
    let huge = old.node("object", "Huge", 6_000_000_000);
    let twin = old.node("object", "Twin", 10);
    old.set_id(twin, 3);
    old.set_id(huge, 3);
    let mut new = old.clone();
    let more = new.node("object", "Huge", 7_000_000_000);
    new.set_id(more, 4_000_000_001);
    let found = node_diff(&old, &new, 7);
    let huge = found.constructors.iter().find(|row| row.constructor_name == "Huge").expect("it grew");
    assert_eq!((huge.added_count, huge.added_size), (1, 7_000_000_000));
    // Which of two with one id is the other's match nobody knows; nothing is lost or made up.
    assert_eq!(found.constructors.iter().map(|row| row.count_delta).sum::<i64>(), 1);
}
