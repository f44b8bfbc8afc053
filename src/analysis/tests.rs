//! Leaks and healthy programs in miniature, and the counting against a naive HashMap.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::AtomicBool;

use proptest::prelude::*;

use super::*;
use crate::control::Control;
use crate::graph::Graph;
use crate::snapshot::testing::Snapshot;

static GO: AtomicBool = AtomicBool::new(false);

/// A program with a module whose function `trackRequests` keeps `requestsById`, a Map.
pub(super) struct Program {
    pub s: Snapshot,
    global: usize,
    pub context: usize,
    pub table: usize,
    made: u64,
}

impl Program {
    pub fn new() -> Self {
        let mut s = Snapshot::new();
        let global = s.node("object", "global / ", 56);
        s.edge(0, "shortcut", "1", global);
        let track = s.closure("trackRequests", "/srv/app/server.js", 391);
        let context = s.node("object", "system / Context", 48);
        let map = s.node("object", "Map", 32);
        let table = s.node("array", "", 2048);
        s.edge(global, "property", "track", track);
        s.edge(track, "internal", "context", context);
        s.edge(context, "context", "requestsById", map);
        s.edge(map, "internal", "table", table);
        for n in 0..200 {
            let builtin = s.node("closure", "", 56);
            s.edge(global, "property", &format!("builtin{n}"), builtin);
        }
        Self { s, global, context, table, made: 0 }
    }

    /// A Session with a string, an array and a function, not yet held.
    pub fn session(&mut self) -> usize {
        self.made += 1;
        let session = self.s.node("object", "Session", 48);
        let id = self.s.node("string", &format!("session-{}", self.made), 32);
        let tags = self.s.node("object", "Array", 16);
        let on_close = self.s.node("closure", "", 64);
        let scope = self.s.node("object", "system / Context", 40);
        self.s.edge(session, "property", "id", id);
        self.s.edge(session, "property", "tags", tags);
        self.s.edge(session, "property", "onClose", on_close);
        self.s.edge(on_close, "internal", "context", scope);
        self.s.edge(scope, "context", "this", session);
        self.s.location(session, 391, 3, 27);
        session
    }

    pub fn fill_map(&mut self, count: usize) {
        for n in 0..count {
            let session = self.session();
            self.s.edge(self.table, "internal", &n.to_string(), session);
        }
    }

    pub fn graph(&self) -> Graph {
        self.s.graph()
    }

    /// What grew after `change`: by ids against the early snapshot itself and against the baseline, which must agree.
    fn growth_after(mut self, change: impl FnOnce(&mut Self)) -> Growth {
        let old = self.graph();
        change(&mut self);
        let new = self.graph();
        let by_files = diff(&old, &new, &GO).unwrap();
        let by_baseline = growth(&Baseline::of(&old, &GO).unwrap(), &new, &GO).unwrap();
        assert_eq!(by_files, by_baseline);
        assert_eq!(by_files.matched_by, MatchedBy::Id);
        by_files
    }
}

fn path(culprit: &Culprit) -> Vec<(&str, &str)> {
    culprit.retainer_path.iter().map(|step| (step.edge.as_str(), step.name.as_str())).collect()
}

#[test]
fn sessions_in_a_map_are_one_culprit() {
    let growth = Program::new().growth_after(|p| p.fill_map(400));
    let [culprit] = &growth.culprits[..] else { panic!("{:#?}", growth.culprits) };
    assert_eq!(culprit.constructor_name, "Session");
    assert_eq!(culprit.pattern, Pattern::Collection);
    assert_eq!((culprit.count_delta, culprit.size_delta, culprit.retained_size_delta), (400, 19_200, 80_000));
    assert_eq!(
        path(culprit),
        [("[[Entries]]", "Map"), ("requestsById", "(closure) trackRequests"), ("track", "global")]
    );
    let place = culprit.location.as_ref().unwrap();
    assert_eq!((place.file.as_str(), place.line, place.column), ("/srv/app/server.js", 4, 28));
    assert_eq!(
        culprit.advice,
        "Remove each Session from the Map `requestsById` when it is done, or bound its size."
    );
    let session = growth.constructors.iter().find(|c| c.constructor_name == "Session").unwrap();
    assert_eq!((session.added_count, session.removed_count, session.size_delta), (400, 0, 19_200));
}

#[test]
fn a_table_made_anew_is_looked_through() {
    let growth = Program::new().growth_after(|p| {
        let table = p.s.node("array", "", 1 << 16);
        p.s.retarget(p.table, table);
        p.table = table;
        p.fill_map(50);
    });
    assert_eq!(growth.culprits.len(), 1);
    assert_eq!(growth.culprits[0].constructor_name, "Session");
    assert_eq!(growth.culprits[0].count_delta, 50);
}

#[test]
fn a_map_made_after_the_first_snapshot_is_looked_into() {
    let growth = Program::new().growth_after(|p| {
        let map = p.s.node("object", "Map", 32);
        p.table = p.s.node("array", "", 2048);
        p.s.edge(p.context, "context", "lateCache", map);
        p.s.edge(map, "internal", "table", p.table);
        p.fill_map(50);
    });
    let [culprit] = &growth.culprits[..] else { panic!("{:#?}", growth.culprits) };
    assert_eq!((culprit.constructor_name.as_str(), culprit.count_delta), ("Session", 50));
    assert_eq!(path(culprit)[1], ("lateCache", "(closure) trackRequests"));
    assert_eq!(culprit.pattern, Pattern::Collection);
}

#[test]
fn a_full_cache_that_replaces_its_entries_is_no_growth() {
    let mut before = Program::new();
    before.fill_map(100);
    let mut after = Program::new();
    // The same program later: other Sessions in the same number.
    let kept = after.graph().node_count();
    after.fill_map(100);
    for node in kept..after.graph().node_count() {
        after.s.set_id(node, node as u64 * 2 + 100_001);
    }
    let growth = diff(&before.graph(), &after.graph(), &GO).unwrap();
    assert_eq!(growth.matched_by, MatchedBy::Id);
    assert_eq!(
        growth.culprits.iter().map(|c| &c.constructor_name).collect::<Vec<_>>(),
        Vec::<&String>::new()
    );
}

#[test]
fn a_chain_with_a_new_head_is_one_culprit_with_its_length() {
    for between in [false, true] {
        let growth = Program::new().growth_after(|p| {
            let mut before = None;
            for _ in 0..300 {
                let thing = p.s.node("object", "Object", 32);
                let data = p.s.node("object", "Array", 16);
                p.s.edge(thing, "property", "data", data);
                if let Some(before) = before {
                    if between {
                        // As a closure does it: thing -> function -> context -> the thing before.
                        let f = p.s.node("closure", "someMethod", 64);
                        let scope = p.s.node("object", "system / Context", 40);
                        p.s.edge(thing, "property", "someMethod", f);
                        p.s.edge(f, "internal", "context", scope);
                        p.s.edge(scope, "context", "original", before);
                    } else {
                        p.s.edge(thing, "property", "original", before);
                    }
                }
                before = Some(thing);
            }
            p.s.edge(p.context, "context", "theThing", before.unwrap());
        });
        let [culprit] = &growth.culprits[..] else { panic!("{:#?}", growth.culprits) };
        assert_eq!((culprit.constructor_name.as_str(), culprit.count_delta), ("Object", 300));
        assert_eq!(path(culprit)[0], ("theThing", "(closure) trackRequests"));
        assert_eq!(culprit.pattern, if between { Pattern::Closure } else { Pattern::Collection });
        // Nobody's constructor: the place is that of the function that holds it.
        assert_eq!(culprit.location.as_ref().unwrap().file, "/srv/app/server.js");
    }
}

#[test]
fn the_same_class_in_fifty_arrays_of_a_map_is_one_cause() {
    let mut p = Program::new();
    let arrays: Vec<usize> = (0..50)
        .map(|n| {
            let array = p.s.node("object", "Array", 16);
            p.s.edge(p.table, "internal", &n.to_string(), array);
            array
        })
        .collect();
    let growth = p.growth_after(|p| {
        for n in 0..500 {
            let session = p.session();
            p.s.edge(arrays[n % 50], "element", &n.to_string(), session);
        }
    });
    let [culprit] = &growth.culprits[..] else { panic!("{:#?}", growth.culprits) };
    assert_eq!((culprit.constructor_name.as_str(), culprit.count_delta), ("Session", 500));
    assert_eq!(path(culprit)[..2], [("[n]", "Array"), ("[[Entries]]", "Map")]);
}

#[test]
fn objects_that_two_collections_hold_are_counted_once() {
    let growth = Program::new().growth_after(|p| {
        let list = p.s.node("object", "Array", 16);
        p.s.edge(p.context, "context", "list", list);
        for n in 0..60 {
            let session = p.session();
            p.s.edge(p.table, "internal", &n.to_string(), session);
            p.s.edge(list, "element", &n.to_string(), session);
        }
    });
    let counts: Vec<_> =
        growth.culprits.iter().map(|c| (c.constructor_name.as_str(), c.count_delta)).collect();
    assert_eq!(counts, [("Session", 60)]);
}

#[test]
fn nodes_own_wrappers_give_way_to_what_they_wrap() {
    let mut p = Program::new();
    let timers = p.s.closure("setInterval", "node:timers", 12);
    let list = p.s.node("object", "Object", 16);
    p.s.edge(p.global, "property", "setInterval", timers);
    p.s.edge(timers, "property", "list", list);
    let growth = p.growth_after(|p| {
        for n in 0..40 {
            let timeout = p.s.node("object", "Timeout", 96);
            p.s.location(timeout, 12, 170, 12);
            let callback = p.s.closure("tick", "/srv/app/jobs.js", 400);
            let scope = p.s.node("object", "system / Context", 40);
            let session = p.session();
            p.s.edge(list, "property", &format!("t{n}"), timeout);
            p.s.edge(timeout, "property", "_onTimeout", callback);
            p.s.edge(callback, "internal", "context", scope);
            p.s.edge(scope, "context", "session", session);
        }
    });
    assert_eq!(growth.culprits[0].constructor_name, "Session", "{:#?}", growth.culprits);
    assert_eq!(growth.culprits[0].count_delta, 40);
    assert_eq!(path(&growth.culprits[0])[..2], [("session", "(closure) tick"), ("_onTimeout", "Timeout")]);
}

#[test]
fn a_collection_of_numbers_grows_by_its_store() {
    let growth = Program::new().growth_after(|p| {
        let store = p.s.node("array", "", 8 << 20);
        p.s.retarget(p.table, store);
    });
    let [culprit] = &growth.culprits[..] else { panic!("{:#?}", growth.culprits) };
    assert_eq!(culprit.constructor_name, "(array)");
    assert_eq!(culprit.pattern, Pattern::Collection);
    assert_eq!(path(culprit)[..2], [("[[Entries]]", "Map"), ("requestsById", "(closure) trackRequests")]);
}

#[test]
fn lost_ids_are_noticed_and_paths_used_instead() {
    let mut p = Program::new();
    p.fill_map(20);
    let old = p.graph();
    p.fill_map(200);
    let count = p.graph().node_count() as u64;
    for node in 0..count {
        p.s.set_id(node as usize, 2 * (count - node) + 1);
    }
    let new = p.graph();
    let by_files = diff(&old, &new, &GO).unwrap();
    let by_baseline = growth(&Baseline::of(&old, &GO).unwrap(), &new, &GO).unwrap();
    assert_eq!(by_files, by_baseline);
    assert_eq!(by_files.matched_by, MatchedBy::Path);
    let [culprit] = &by_files.culprits[..] else { panic!("{:#?}", by_files.culprits) };
    assert_eq!((culprit.constructor_name.as_str(), culprit.count_delta), ("Session", 200));
    assert_eq!(culprit.retained_size_delta, 40_000);
    let session = by_files.constructors.iter().find(|c| c.constructor_name == "Session").unwrap();
    assert_eq!((session.added_count, session.removed_count, session.count_delta), (200, 0, 200));
}

#[test]
fn a_class_inside_itself_is_retained_once() {
    let mut s = Snapshot::new();
    let [a, b, c] = [10, 20, 30].map(|size| s.node("object", "Tree", size));
    let leaf = s.node("string", "x", 5);
    let other = s.node("object", "Tree", 40);
    s.edge(0, "shortcut", "1", a);
    s.edge(0, "shortcut", "2", other);
    s.edge(a, "property", "l", b);
    s.edge(b, "property", "l", c);
    s.edge(c, "property", "text", leaf);
    let summary = summarize(s.graph(), SummaryOptions::default(), &Control::new()).unwrap();
    assert_eq!((summary.node_count, summary.edge_count, summary.total_shallow_size), (6, 5, 105));
    let tree = summary.constructors.iter().find(|c| c.constructor_name == "Tree").unwrap();
    assert_eq!((tree.count, tree.shallow_size, tree.retained_size), (4, 100, 105));
    let text = summary.constructors.iter().find(|c| c.constructor_name == "(string)").unwrap();
    assert_eq!((text.count, text.retained_size), (1, 5));
}

#[test]
fn results_have_the_names_of_the_contract() {
    let mut p = Program::new();
    let summary =
        serde_json::to_value(summarize(p.graph(), SummaryOptions::default(), &Control::new()).unwrap())
            .unwrap();
    for name in ["nodeCount", "edgeCount", "totalShallowSize"] {
        assert!(summary[name].is_u64(), "{name}");
    }
    for name in ["constructorName", "count", "shallowSize", "retainedSize", "location"] {
        assert!(summary["constructors"][0].get(name).is_some(), "{name}");
    }
    let old = p.graph();
    p.fill_map(100);
    let growth = serde_json::to_value(diff(&old, &p.graph(), &GO).unwrap()).unwrap();
    assert_eq!(growth["matchedBy"], "id");
    for name in ["addedCount", "removedCount", "countDelta", "addedSize", "removedSize", "sizeDelta"] {
        assert!(growth["constructors"][0][name].is_i64(), "{name}");
    }
    let culprit = &growth["culprits"][0];
    assert_eq!(culprit["pattern"], "collection");
    assert_eq!(
        culprit["location"],
        serde_json::json!({"file": "/srv/app/server.js", "line": 4, "column": 28})
    );
    for name in ["constructorName", "countDelta", "sizeDelta", "retainedSizeDelta", "advice"] {
        assert!(culprit.get(name).is_some(), "{name}");
    }
    assert_eq!(culprit["retainerPath"][1]["edge"], "requestsById");
}

#[test]
fn a_baseline_is_small() {
    let mut p = Program::new();
    p.fill_map(20_000);
    let baseline = Baseline::of(&p.graph(), &GO).unwrap();
    assert!(baseline.memory() < 64 * 1024, "{}", baseline.memory());
}

#[test]
fn a_cancelled_analysis_stops() {
    let graph = Program::new().graph();
    let stop = AtomicBool::new(true);
    let control = Control::new();
    control.cancel();
    assert!(summarize(Program::new().graph(), SummaryOptions::default(), &control).is_err());
    assert!(diff(&graph, &graph, &stop).is_err());
    assert!(growth(&Baseline::of(&graph, &GO).unwrap(), &graph, &stop).is_err());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn differences_by_a_naive_map(kept in 30usize..60, gone in 0usize..20, came in 0usize..20, seed in any::<u64>()) {
        let classes = ["A", "B", "C", "D"];
        let class = |id: u64| classes[(id.wrapping_mul(seed | 1) >> 33) as usize % 4];
        let build = |ids: &[u64]| {
            let mut s = Snapshot::new();
            for &id in ids {
                let node = s.node("object", class(id), id % 50);
                s.set_id(node, id * 2 + 101);
                s.edge(0, "element", "1", node);
            }
            s.graph()
        };
        let range = |from: usize, to: usize| (from as u64..to as u64).collect::<Vec<_>>();
        let (old, new) = (build(&range(0, kept + gone)), build(&[range(0, kept), range(kept + gone, kept + gone + came)].concat()));
        let result = diff(&old, &new, &GO).unwrap();
        prop_assert_eq!(result.matched_by, MatchedBy::Id);
        let index = |graph: &Graph| -> HashMap<(u32, String), u64> {
            graph.nodes().map(|n| ((graph.id(n), graph.name(n).to_owned()), graph.self_size(n))).collect()
        };
        let (a, b) = (index(&old), index(&new));
        let mut naive: BTreeMap<&str, [u64; 4]> = BTreeMap::new();
        for (key, size) in b.iter().filter(|(key, _)| !a.contains_key(*key)) {
            let row = naive.entry(&key.1).or_default();
            (row[0], row[2]) = (row[0] + 1, row[2] + size);
        }
        for (key, size) in a.iter().filter(|(key, _)| !b.contains_key(*key)) {
            let row = naive.entry(&key.1).or_default();
            (row[1], row[3]) = (row[1] + 1, row[3] + size);
        }
        let found: BTreeMap<&str, [u64; 4]> = result
            .constructors
            .iter()
            .map(|c| (c.constructor_name.as_str(), [c.added_count, c.removed_count, c.added_size, c.removed_size]))
            .collect();
        prop_assert_eq!(found, naive);
        let by_baseline = growth(&Baseline::of(&old, &GO).unwrap(), &new, &GO).unwrap();
        prop_assert_eq!(by_baseline.constructors, result.constructors);
    }
}
