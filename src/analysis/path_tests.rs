//! Comparison by constructor and retaining path: nothing may follow from the order in which V8 writes a heap.

use std::collections::BTreeMap;
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::by_path::groups;
use super::class::Classes;
use super::likeness::Likeness;
use super::tests::Program;
use super::*;
use crate::graph::Graph;
use crate::snapshot::testing::{Snapshot, parse};

static GO: AtomicBool = AtomicBool::new(false);

/// What a graph reads like: count and bytes by class and likeness.
fn reading(graph: &Graph) -> BTreeMap<(String, u64), (u64, u64)> {
    let classes = Classes::of(graph).unwrap();
    let (_, likeness) = Likeness::of(graph, &GO).unwrap();
    let name = |class: u32| classes.names()[class as usize].to_owned();
    let groups = groups(graph, &classes, &likeness);
    groups.into_iter().map(|((class, key), total)| ((name(class), key), (total.count, total.size))).collect()
}

fn counts(graph: &Graph) -> BTreeMap<u64, u32> {
    Likeness::of(graph, &GO).unwrap().1.counts().into_iter().collect()
}

/// Through JSON and back.
fn sent(baseline: &Baseline) -> Baseline {
    serde_json::from_str(&serde_json::to_string(baseline).unwrap()).unwrap()
}

/// Few kinds and fewer names, and far more edges than nodes: most nodes are held in several ways that are as short.
fn tangled() -> impl Strategy<Value = Snapshot> {
    let kinds = [
        "object",
        "object",
        "object",
        "array",
        "hidden",
        "closure",
        "code",
        "object shape",
        "native",
        "string",
    ];
    let classes = ["Node", "Object", "Map", "system / Context", "A"];
    let node = (prop::sample::select(kinds.to_vec()), prop::sample::select(classes.to_vec()), 0..64u64);
    let holds = [
        ("property", "next"),
        ("property", "a"),
        ("property", "b"),
        ("property", "7"),
        ("element", "3"),
        ("element", "4"),
        ("context", "a"),
        ("internal", "table"),
        ("weak", "w"),
        // Of a table that is no node here: the numbers in the name would have to change with the ids.
        ("internal", "1 / part of key (A @9) -> value (A @11) pair in WeakMap (table @4)"),
    ];
    let edge =
        (any::<prop::sample::Index>(), any::<prop::sample::Index>(), prop::sample::select(holds.to_vec()));
    let many = prop::collection::vec(any::<prop::sample::Index>(), 0..2);
    (prop::collection::vec(node, 1..40), prop::collection::vec(edge, 0..160), many).prop_map(
        |(nodes, edges, many)| {
            let mut s = Snapshot::new();
            let roots = s.node("synthetic", "(GC roots)", 0);
            let stack = s.node("synthetic", "(Stack roots)", 0);
            s.edge(0, "element", "1", roots);
            s.edge(roots, "element", "2", stack);
            nodes.iter().for_each(|(kind, class, size)| {
                s.node(kind, class, *size);
            });
            let count = nodes.len() + 3;
            for (from, to, (kind, name)) in &edges {
                s.edge(from.index(count), kind, name, to.index(count));
            }
            // Enough edges for a plain object to count as a dictionary.
            for from in &many {
                (0..64).for_each(|n| s.edge(from.index(count), "property", &format!("k{n}"), count - 1));
            }
            s
        },
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn a_heap_that_has_only_moved_reads_the_same(s in tangled(), seed in any::<u64>()) {
        let (graph, moved) = (s.graph(), s.moved(seed).graph());
        prop_assert_eq!(counts(&graph), counts(&moved));
        prop_assert_eq!(reading(&graph), reading(&moved));
        let nothing = Growth { matched_by: MatchedBy::Path, constructors: Vec::new(), culprits: Vec::new() };
        prop_assert_eq!(&diff(&graph, &moved, &GO).unwrap(), &nothing);
        let baseline = Baseline::of(&graph, &GO).unwrap();
        prop_assert_eq!(&growth(&baseline, &moved, &GO).unwrap(), &nothing);
        prop_assert_eq!(&sent(&baseline), &baseline);
        // The paths are as short as they are by the walk that takes the first it finds.
        let (paths, _) = Likeness::of(&graph, &GO).unwrap();
        let first = crate::graph::path::Paths::of(&graph, &GO).unwrap();
        for node in graph.nodes() {
            prop_assert_eq!(paths.step(node).is_some(), first.step(node).is_some());
            for step in paths.from(node).take(50) {
                prop_assert!(graph.edges(step.from).contains(&step.edge));
            }
        }
    }

}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn what_was_added_to_one_holder_is_counted_there(had in 4usize..60, k in 25usize..100, other in 0usize..40, seed in any::<u64>()) {
        let mut p = Program::new();
        let list = p.s.node("object", "Array", 16);
        p.s.edge(p.context, "context", "recent", list);
        p.fill_map(had);
        for n in 0..other {
            let session = p.session();
            p.s.edge(list, "element", &n.to_string(), session);
        }
        let old = p.graph();
        p.fill_map(k);
        let new = p.s.moved(seed).graph();
        for found in [
            diff(&old, &new, &GO).unwrap(),
            growth(&sent(&Baseline::of(&old, &GO).unwrap()), &new, &GO).unwrap(),
        ] {
            prop_assert_eq!(found.matched_by, MatchedBy::Path);
            let session = found.constructors.iter().find(|row| row.constructor_name == "Session").unwrap();
            let row = (session.added_count, session.removed_count, session.added_size, session.removed_size);
            prop_assert_eq!(row, (k as u64, 0, 48 * k as u64, 0));
            prop_assert!(found.constructors.iter().all(|row| row.removed_count == 0));
            let causes: Vec<_> =
                found.culprits.iter().map(|c| (c.constructor_name.as_str(), c.count_delta)).collect();
            prop_assert_eq!(causes, [("Session", k as i64)]);
            let steps: Vec<&str> =
                found.culprits[0].retainer_path.iter().map(|step| step.edge.as_str()).collect();
            prop_assert_eq!(steps, ["[[Entries]]", "requestsById", "track"]);
        }
    }

    #[test]
    fn a_baseline_from_anywhere_is_an_error_or_does_no_harm(
        at in any::<prop::sample::Index>(),
        cut in 0usize..6,
        text in "[-0-9a-z\"\\[\\]{},:]{0,8}",
    ) {
        let mut p = Program::new();
        p.fill_map(3);
        let graph = p.graph();
        let mut json = serde_json::to_string(&Baseline::of(&graph, &GO).unwrap()).unwrap();
        let at = at.index(json.len());
        if json.is_char_boundary(at) && json.is_char_boundary((at + cut).min(json.len())) {
            json.replace_range(at..(at + cut).min(json.len()), &text);
        }
        if let Ok(baseline) = serde_json::from_str::<Baseline>(&json) {
            growth(&baseline, &graph, &GO).unwrap();
            growth(&baseline, &p.s.moved(7).graph(), &GO).unwrap();
        }
    }
}

#[test]
fn ids_of_a_clone_are_not_believed() {
    let mut p = Program::new();
    p.fill_map(20);
    let old = p.s.clone();
    p.fill_map(100);
    let [plain, clone] = [p.s.graph(), parse(p.s.stamped().as_bytes(), 99).unwrap()];
    let mut marked = p.s.graph();
    marked.disown_ids();
    let old_clone = parse(old.stamped().as_bytes(), 99).unwrap();
    for (old, new, by) in [
        (&old.graph(), &plain, MatchedBy::Id),
        (&old.graph(), &clone, MatchedBy::Path),
        (&old.graph(), &marked, MatchedBy::Path),
        (&old_clone, &plain, MatchedBy::Path),
        (&old_clone, &clone, MatchedBy::Path),
    ] {
        let baseline = Baseline::of(old, &GO).unwrap();
        assert_eq!(baseline.ids_are_own(), old.ids_are_own());
        let (by_files, by_baseline) =
            (diff(old, new, &GO).unwrap(), growth(&sent(&baseline), new, &GO).unwrap());
        assert_eq!(by_files, by_baseline);
        assert_eq!(by_files.matched_by, by);
        let causes: Vec<_> =
            by_files.culprits.iter().map(|c| (c.constructor_name.as_str(), c.count_delta)).collect();
        assert_eq!(causes, [("Session", 100)]);
    }
}

#[test]
fn what_is_held_elsewhere_now_has_gone_and_come() {
    let mut p = Program::new();
    p.fill_map(50);
    let old = p.graph();
    let map = p.s.node("object", "Map", 32);
    let empty = p.s.node("array", "", 16);
    p.s.edge(p.context, "context", "archive", map);
    // The new Map has the entries, and the old one none.
    p.s.retarget(p.table, empty);
    p.s.edge(map, "internal", "table", p.table);
    let found = diff(&old, &p.s.moved(5).graph(), &GO).unwrap();
    let session = found.constructors.iter().find(|row| row.constructor_name == "Session").unwrap();
    assert_eq!((session.added_count, session.removed_count, session.count_delta), (50, 50, 0));
    assert!(found.culprits.is_empty(), "{:?}", found.culprits);
}

#[test]
fn what_a_baseline_forgets_costs_no_counts() {
    // More than eight thousand objects, each held in a way of its own, and forty that are held in one.
    let heap = |from: usize, to: usize, rows: usize| {
        let mut s = Snapshot::new();
        let list = s.node("object", "List", 16);
        s.edge(0, "property", "list", list);
        for n in from..to {
            let own = s.node("object", "Own", 24);
            // Numbers in a name are no name: it is spelt with letters.
            let name: String = n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            s.edge(0, "property", &name, own);
        }
        for n in 0..rows {
            let row = s.node("object", "Row", 40);
            s.edge(list, "element", &n.to_string(), row);
        }
        s.moved(from as u64 + 3).graph()
    };
    let (mut old, new) = (heap(0, 9000, 40), heap(8950, 18_000, 240));
    old.disown_ids();
    let row = |growth: &Growth, name: &str| {
        let row = growth.constructors.iter().find(|row| row.constructor_name == name).unwrap();
        (row.added_count, row.removed_count)
    };
    let by_files = diff(&old, &new, &GO).unwrap();
    assert_eq!((row(&by_files, "Own"), row(&by_files, "Row")), ((9000, 8950), (200, 0)));
    let baseline = Baseline::of(&old, &GO).unwrap();
    let by_baseline = growth(&baseline, &new, &GO).unwrap();
    assert_eq!(row(&by_baseline, "Row"), (200, 0));
    let (added, removed) = row(&by_baseline, "Own");
    assert_eq!(added - removed, 50);
    assert!(removed < 8950, "some of those forgotten are taken for some of those that came");
    assert!(baseline.memory() < 512 * 1024, "{}", baseline.memory());
    assert_eq!(by_baseline.culprits, by_files.culprits);
}

#[test]
fn what_is_no_baseline_is_an_error_that_says_why() {
    let whole = |classes: &str, native: &str, alike: &str| {
        format!(
            r#"{{"idsAreOwn":true,"watermark":7,"classes":{classes},"native":{native},"sample":[],"alike":{alike}}}"#
        )
    };
    let good = whole(r#"[["A",18446744073709551615,18446744073709551615]]"#, "[2,4]", "[[0,1,2,3]]");
    let baseline: Baseline = serde_json::from_str(&good).unwrap();
    growth(&baseline, &Program::new().graph(), &GO).unwrap();
    for (text, why) in [
        (whole("[]", "[4,2]", "[]"), "ascending"),
        (whole("[]", "[]", "[[0,1,2,3]]"), "one of 0 classes"),
        (whole("[]", &format!("[{}0]", "0,".repeat(16_384)), "[]"), "at most 16384"),
        (whole("[]", "[-1]", "[]"), "-1"),
        ("[]".to_owned(), "invalid"),
        ("{".repeat(100_000), "line"),
    ] {
        let error = serde_json::from_str::<Baseline>(&text).unwrap_err().to_string();
        assert!(error.contains(why), "{error}");
    }
}

#[test]
fn a_few_numbers_of_other_objects_are_enough_to_doubt_them_all() {
    use super::{Newer, OlderBuilder};
    use crate::graph::NodeSink;
    use crate::snapshot::NodeParser;

    /// Two thousand objects, as many texts; `swapped` of the objects are of another class, and `flat` of the texts of one piece.
    fn heap(swapped: usize, flat: usize) -> Snapshot {
        let mut s = Snapshot::new();
        let list = s.node("object", "List", 16);
        s.edge(0, "property", "list", list);
        for n in 0..2000 {
            let object = s.node("object", if n < swapped { "B" } else { "A" }, 24);
            let text = s.node(if n < flat { "string" } else { "concatenated string" }, "t", 32);
            s.edge(list, "element", &n.to_string(), object);
            s.edge(object, "property", "text", text);
        }
        s
    }
    fn nodes(text: &str, sink: &mut dyn NodeSink) -> crate::graph::SparseStrings {
        let mut parser = NodeParser::new();
        parser.feed(text.as_bytes(), sink).unwrap();
        parser.finish().unwrap()
    }
    let old = heap(0, 0);
    for (swapped, flat, by_id) in
        [(0, 0, true), (0, 900, true), (6, 900, true), (10, 0, false), (100, 0, false)]
    {
        let new = heap(swapped, flat);
        let (graph, newer_graph) = (old.graph(), new.graph());
        let found = diff(&graph, &newer_graph, &GO).unwrap().matched_by;
        assert_eq!(found == MatchedBy::Id, by_id, "{swapped} {flat}: {found:?}");
        let mut older = OlderBuilder::default();
        let names = nodes(&old.text(), &mut older);
        let mut newer = Newer::new(older.finish(&names).unwrap()).unwrap();
        let names = nodes(&new.text(), &mut newer);
        let found = newer.finish(&names).matched_by;
        assert_eq!(found == MatchedBy::Id, by_id, "{swapped} {flat}, nodes alone: {found:?}");
        let compared = |graph: &Graph| Compared::of(graph, &GO).unwrap();
        let (found, _) = comparison(&compared(&graph), &compared(&newer_graph)).unwrap();
        assert_eq!(found == MatchedBy::Id, by_id, "{swapped} {flat}, as DevTools does: {found:?}");
    }
}
