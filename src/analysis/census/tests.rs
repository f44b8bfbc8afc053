use super::*;
use crate::analysis::{SnapshotSummary, SummaryOptions, summarize};
use crate::control::Control;
use crate::snapshot::testing::Snapshot;

fn summary(s: &Snapshot) -> SnapshotSummary {
    summarize(s.graph(), SummaryOptions { objects: 1, ..Default::default() }, &Control::new()).unwrap()
}

fn program() -> (Snapshot, usize) {
    let mut s = Snapshot::new();
    let global = s.node("object", "global / ", 56);
    s.edge(0, "shortcut", "1", global);
    (s, global)
}

#[test]
fn listeners_are_counted_by_class_and_event() {
    let (mut s, global) = program();
    let on_data = s.closure("onData", "/srv/bus.js", 9);
    for n in 0..3usize {
        let bus = s.node("object", "Bus", 64);
        let events = s.node("object", "Object", 24);
        let many = s.node("object", "Array", 16);
        s.edge(global, "property", &format!("bus{n}"), bus);
        s.edge(bus, "property", "_events", events);
        s.edge(events, "property", "data", many);
        s.edge(events, "property", "close", on_data);
        for at in 0..=n {
            s.edge(many, "element", &at.to_string(), on_data);
        }
    }
    // An event target: a Map, in which each event has a chain.
    let signal = s.node("object", "AbortSignal", 104);
    let map = s.node("object", "Map", 32);
    let table = s.node("array", "", 200);
    let name = s.node("string", "abort", 24);
    let root = s.node("object", "Object", 24);
    s.edge(global, "property", "signal", signal);
    s.edge(signal, "property", "<symbol kEvents>", map);
    s.edge(map, "internal", "table", table);
    s.edge(table, "internal", "5", name);
    s.edge(table, "internal", "6", root);
    let mut last = root;
    for _ in 0..4 {
        let listener = s.node("object", "Listener", 80);
        s.edge(last, "property", "next", listener);
        s.edge(listener, "property", "callback", on_data);
        last = listener;
    }
    let found = summary(&s).listeners;
    let rows: Vec<_> = found
        .iter()
        .map(|r| (r.constructor_name.as_str(), r.event.as_str(), r.emitters, r.count, r.most))
        .collect();
    assert_eq!(
        rows,
        [("Bus", "data", 3, 6, 3), ("AbortSignal", "abort", 1, 4, 4), ("Bus", "close", 3, 3, 1)]
    );
    assert!(found.iter().all(|row| row.location.as_ref().is_some_and(|place| place.file == "/srv/bus.js")));
}

#[test]
fn timers_are_counted_by_function_and_only_while_they_wait() {
    let (mut s, global) = program();
    let poll = s.closure("poll", "/srv/poll.js", 9);
    let none = s.node("hidden", "system / Oddball", 24);
    for n in 0..5 {
        let timer = s.node("object", "Timeout", 120);
        s.edge(global, "property", &format!("t{n}"), timer);
        s.edge(timer, "property", "_onTimeout", if n == 4 { none } else { poll });
    }
    let found = summary(&s).timers;
    let [row] = &found[..] else { panic!("{found:?}") };
    assert_eq!((row.constructor_name.as_str(), row.callback.as_str(), row.count), ("Timeout", "poll", 4));
    assert_eq!(row.location.as_ref().map(|place| place.file.as_str()), Some("/srv/poll.js"));
}

#[test]
fn promises_are_counted_without_their_prototype() {
    let (mut s, global) = program();
    let prototype = s.node("object", "Promise", 24);
    let then = s.closure("then", "node:internal", 1);
    s.edge(global, "property", "proto", prototype);
    s.edge(prototype, "property", "then", then);
    for n in 0..7 {
        let promise = s.node("object", "Promise", 48);
        s.edge(global, "property", &format!("p{n}"), promise);
        if n < 2 {
            let reaction = s.node("hidden", "system / PromiseReaction", 40);
            s.edge(promise, "internal", "reactions_or_result", reaction);
        }
    }
    assert_eq!(summary(&s).promises, PromiseSummary { count: 7, awaited: 2 });
}

#[test]
fn entries_of_maps_sets_and_arrays_are_read_off_their_stores() {
    let (mut s, global) = program();
    let mut collection = |class: &str, edge: &str, words: u64, first: u64, step: u64, count: u64| {
        let owner = s.node("object", class, 32);
        let store = s.node("array", "", words * 8);
        s.edge(global, "property", class, owner);
        s.edge(owner, "internal", edge, store);
        for n in 0..count {
            let value = s.node("object", "Session", 500);
            s.edge(store, "internal", &(first + n * step).to_string(), value);
            if class == "Array" {
                s.edge(owner, "element", &n.to_string(), value);
            }
        }
    };
    // Room for 1024: two words, three numbers, 512 buckets, and three words an entry (two in a Set).
    collection("Map", "table", 2 + 3 + 512 + 3 * 1024, 3 + 512 + 1, 3, 600);
    collection("Set", "table", 2 + 3 + 512 + 2 * 1024, 3 + 512, 2, 700);
    collection("Array", "elements", 2 + 1200, 0, 1, 900);
    let found = summary(&s).collections;
    let rows: Vec<_> = found.iter().map(|row| (row.constructor_name.as_str(), row.entries)).collect();
    assert_eq!(rows, [("Array", 900), ("Set", 700), ("Map", 600)]);
    assert!(found[0].retained_size > found[1].retained_size && found[1].retained_size > 700 * 500);
}

#[test]
fn suspects_are_where_much_becomes_many() {
    let (mut s, global) = program();
    let app = s.node("object", "App", 40);
    let map = s.node("object", "Map", 32);
    let table = s.node("array", "", 4000);
    s.edge(global, "property", "app", app);
    s.edge(app, "property", "sessions", map);
    s.edge(map, "internal", "table", table);
    for n in 0..300usize {
        let session = s.node("object", "Session", 400);
        s.edge(table, "internal", &n.to_string(), session);
    }
    // A list: each link keeps all after it.
    let mut last = global;
    let mut first = 0;
    for n in 0..300 {
        let link = s.node("object", "Link", 200);
        s.edge(last, "property", if n == 0 { "list" } else { "next" }, link);
        if n == 0 {
            first = link;
        }
        last = link;
    }
    let text = s.node("string", "all of the source", 90_000);
    let script = s.node("code", "/srv/app.js", 100);
    s.edge(global, "internal", "script", script);
    s.edge(script, "internal", "source", text);
    let found = summary(&s).suspects;
    let names: Vec<_> = found.iter().map(|row| row.constructor_name.as_str()).collect();
    assert_eq!(names, ["Map", "Link"], "neither App, which only leads there, nor the source of a script");
    let map = &found[0];
    assert_eq!(
        map.accumulates.as_ref().map(|what| (what.constructor_name.as_str(), what.count)),
        Some(("Session", 300))
    );
    let path: Vec<_> =
        map.retainer_path.iter().map(|step| (step.edge.as_str(), step.name.as_str())).collect();
    assert_eq!(path, [("sessions", "App"), ("app", "global")]);
    assert_eq!(found[1].id, Some(first as u32 * 2 + 1), "the first link stands for the list");
    assert_eq!(found[1].retained_size, 60_000);
}
