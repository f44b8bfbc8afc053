//! Three snapshots of small programs: what leaks is told with its counts, what only moves is not.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::analysis::culprits::Pattern;
use crate::graph::NodeKind;
use crate::snapshot::testing::Snapshot;

static GO: AtomicBool = AtomicBool::new(false);
const CALLS: u64 = 100;

/// A module whose function `handle` has variables.
struct Program {
    s: Snapshot,
    context: usize,
    made: usize,
}

impl Program {
    fn new() -> Self {
        let mut s = Snapshot::new();
        let global = s.node("object", "global / ", 56);
        s.edge(0, "shortcut", "1", global);
        let handle = s.closure("handle", "/srv/app/server.js", 7);
        let context = s.node("object", "system / Context", 48);
        s.edge(global, "property", "handle", handle);
        s.edge(handle, "internal", "context", context);
        for n in 0..200 {
            let builtin = s.node("closure", "", 56);
            s.edge(global, "property", &format!("builtin{n}"), builtin);
        }
        Self { s, context, made: 0 }
    }

    /// A Map by the name of a variable; gives its table.
    fn map(&mut self, name: &str) -> usize {
        let map = self.s.node("object", "Map", 32);
        let table = self.s.node("array", "", 2048);
        self.s.edge(self.context, "context", name, map);
        self.s.edge(map, "internal", "table", table);
        table
    }

    fn add(&mut self, table: usize, class: &str, count: u64) -> Vec<usize> {
        let new = |program: &mut Self| {
            program.made += 1;
            let object = program.s.node("object", class, 40);
            program.s.edge(table, "internal", &program.made.to_string(), object);
            object
        };
        (0..count).map(|_| new(self)).collect()
    }

    /// The variable `name` holds `node` from now on, whatever it held.
    fn assign(&mut self, name: &str, was: Option<usize>, node: usize) {
        match was {
            Some(was) => self.s.retarget(was, node),
            None => self.s.edge(self.context, "context", name, node),
        }
    }
}

/// What two rounds of 100 calls have left, of which the first snapshot was taken after `warm`.
fn told(warm: impl FnOnce(&mut Program), mut round: impl FnMut(&mut Program, usize)) -> Vec<SteadyCulprit> {
    let mut program = Program::new();
    warm(&mut program);
    let first = program.s.graph();
    round(&mut program, 0);
    let middle = program.s.graph();
    round(&mut program, 1);
    let last = program.s.graph();
    let told = judged([&first, &middle, &last], &[]);
    assert_eq!(told.reason, None);
    told.culprits
}

/// What three snapshots tell; the first, the last, and the highest number and the counts of the middle one have to tell the same of objects.
fn judged([first, middle, last]: [&Graph; 3], longer: &[Longer]) -> Steady {
    let judged = |middle| steady(first, middle, last, [CALLS; 2], longer, &GO).unwrap();
    let whole = judged(Middle::Snapshot(middle));
    let growth = [(first, -1), (middle, 1)].into_iter().fold(HashMap::new(), |mut growth, (graph, sign)| {
        for node in graph.nodes().filter(|&node| graph.kind(node) == NodeKind::Object) {
            *growth.entry(graph.name(node).to_owned()).or_default() += sign;
        }
        growth
    });
    let mark = Mark { last: middle.nodes().map(|node| middle.id(node)).max().unwrap(), growth };
    let counts = |told: &Steady| -> Vec<_> {
        let objects = told.culprits.iter().filter(|leak| leak.count_per_iteration > 0.0);
        objects.map(|leak| (leak.culprit.constructor_name.clone(), leak.rounds)).collect()
    };
    assert_eq!(counts(&judged(Middle::Mark(&mark))), counts(&whole));
    whole
}

#[test]
fn one_object_a_call_is_told_with_its_count_and_its_place() {
    let mut program = Program::new();
    let table = program.map("sessions");
    let graphs = [0, 1, 2].map(|round| {
        if round > 0 {
            program.add(table, "Session", CALLS);
        }
        program.s.graph()
    });
    let told = judged(graphs.each_ref(), &[]).culprits;
    let [leak] = &told[..] else { panic!("{told:#?}") };
    assert_eq!((&*leak.culprit.constructor_name, leak.culprit.pattern), ("Session", Pattern::Collection));
    assert_eq!((leak.count_per_iteration, leak.bytes_per_iteration), (1.0, 40.0));
    assert_eq!(leak.rounds[1], RoundGrowth { calls: CALLS, count: CALLS, bytes: 4000 });
    assert_eq!(leak.culprit.count_delta, 200);
    assert_eq!(leak.culprit.holder.as_ref().and_then(|holder| holder.name.as_deref()), Some("sessions"));
}

#[test]
fn one_in_ten_calls_is_told_and_one_in_a_hundred_is_not() {
    let leaks = |count| {
        let mut program = Program::new();
        let table = program.map("sessions");
        let graphs = [0, 1, 2].map(|round| {
            if round > 0 {
                program.add(table, "Session", count);
            }
            program.s.graph()
        });
        judged(graphs.each_ref(), &[]).culprits.len()
    };
    assert_eq!([leaks(10), leaks(1)], [1, 0]);
}

#[test]
fn what_came_once_or_comes_to_an_end_is_no_leak() {
    for rounds in [[100, 0], [100, 40], [0, 100]] {
        let found = told(
            |p| {
                p.map("cache");
            },
            |p, round| {
                let table = p.context + 1 + 200 + 1;
                p.add(table, "Page", rounds[round]);
            },
        );
        assert_eq!(found, [], "{rounds:?}");
    }
}

#[test]
fn a_full_cache_makes_entries_in_every_round_and_grows_in_none() {
    let mut program = Program::new();
    let table = program.map("cache");
    let pages = program.add(table, "Page", 300);
    let mut fresh = 1_000_001;
    let mut oldest = pages.chunks(CALLS as usize);
    let graphs = [0, 1, 2].map(|round| {
        if round > 0 {
            // The oldest are gone, and new objects stand in their places.
            for &page in oldest.next().unwrap() {
                program.s.set_id(page, fresh);
                fresh += 2;
            }
        }
        program.s.graph()
    });
    let told = judged(graphs.each_ref(), &[]);
    assert_eq!((told.reason, told.culprits), (None, vec![]));
}

#[test]
fn a_text_that_gets_longer_is_told_by_its_bytes() {
    let mut text = None;
    let found = told(
        |p| {
            let first = p.s.node("string", "journal", 4000);
            p.assign("journal", None, first);
        },
        |p, round| {
            let was = text.unwrap_or(p.context + 201);
            let longer = p.s.node("string", "journal", 4000 + 2000 * (round as u64 + 1));
            p.assign("journal", Some(was), longer);
            text = Some(longer);
        },
    );
    let [leak] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((&*leak.culprit.constructor_name, leak.culprit.pattern), ("(string)", Pattern::String));
    assert_eq!((leak.count_per_iteration, leak.bytes_per_iteration), (0.0, 20.0));
}

#[test]
fn without_ids_nothing_is_said_by_objects() {
    let program = Program::new();
    let graphs = [program.s.graph(), program.s.moved(3).graph(), program.s.graph()];
    let told = judged(graphs.each_ref(), &[]);
    assert!(told.reason.is_some() && told.culprits.is_empty());
}

#[test]
fn entries_that_are_no_objects_are_told_by_how_many_a_collection_has() {
    let mut program = Program::new();
    let table = program.map("ids");
    let map = table - 1;
    let first = program.s.graph();
    let middle = program.s.graph();
    let last = program.s.graph();
    let longer = [Longer { id: last.id(map as Node), counts: [24, 124, 224] }];
    let told = judged([&first, &middle, &last], &longer).culprits;
    let [leak] = &told[..] else { panic!("{told:#?}") };
    assert_eq!((&*leak.culprit.constructor_name, leak.culprit.pattern), ("(entry)", Pattern::Collection));
    assert_eq!((leak.count_per_iteration, leak.culprit.count_delta), (1.0, 200));
    assert!((leak.bytes_per_iteration - 2048.0 / 224.0).abs() < 0.1, "{}", leak.bytes_per_iteration);
    assert_eq!(leak.culprit.holder.as_ref().and_then(|holder| holder.name.as_deref()), Some("ids"));
}

#[test]
fn entries_that_are_objects_are_told_as_these() {
    let mut program = Program::new();
    let table = program.map("sessions");
    let id = |program: &Program| program.s.graph().id((table - 1) as Node);
    let longer = [Longer { id: id(&program), counts: [0, 100, 200] }];
    let graphs = [0, 1, 2].map(|round| {
        if round > 0 {
            program.add(table, "Session", CALLS);
        }
        program.s.graph()
    });
    let told = judged(graphs.each_ref(), &longer).culprits;
    let names: Vec<_> = told.iter().map(|leak| &*leak.culprit.constructor_name).collect();
    assert_eq!(names, ["Session"]);
}

#[test]
fn keys_that_are_longer_than_what_they_lead_to_are_not_told_instead_of_it() {
    let mut program = Program::new();
    let table = program.map("orders");
    let class = program.s.closure("Order", "/srv/app/orders.js", 3);
    program.s.edge(program.context, "context", "Order", class);
    let graphs = [0, 1, 2].map(|round| {
        if round > 0 {
            for order in program.add(table, "Order", CALLS) {
                program.s.location(order, 3, 11, 2);
                let key = program.s.node("string", &format!("order {order}"), 64);
                program.s.edge(table, "internal", &format!("key {order}"), key);
            }
        }
        program.s.graph()
    });
    let told = judged(graphs.each_ref(), &[]).culprits;
    let [leak] = &told[..] else { panic!("{told:#?}") };
    assert_eq!(&*leak.culprit.constructor_name, "Order");
    assert_eq!((leak.count_per_iteration, leak.bytes_per_iteration), (1.0, 104.0));
}

#[test]
fn a_few_that_have_gone_do_not_count_and_half_of_them_do() {
    assert_eq!([62, 58, 54, 40, 0].map(|more| is_about(more, 62)), [true, true, true, false, false]);
    assert_eq!([3, 2, 1, 0].map(|more| is_about(more, 3)), [true, true, false, false]);
}
