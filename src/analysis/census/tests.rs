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

/// An emitter of one event with these entries, each a node that stands in its array of listeners.
fn emitter_of(s: &mut Snapshot, global: usize, entries: &[usize]) {
    let bus = s.node("object", "Bus", 64);
    let events = s.node("object", "Object", 24);
    let many = s.node("object", "Array", 16);
    s.edge(global, "property", "bus", bus);
    s.edge(bus, "property", "_events", events);
    s.edge(events, "property", "data", many);
    for (at, &entry) in entries.iter().enumerate() {
        s.edge(many, "element", &at.to_string(), entry);
    }
}

#[test]
fn wrappers_of_once_are_seen_through_and_functions_counted_by_place() {
    let (mut s, global) = program();
    let rare = s.closure("rare", "/srv/rare.js", 3);
    let mut entries = vec![rare];
    for _ in 0..3 {
        // A function of its own each time, as a line that is run again makes them.
        let written = s.closure("onData", "/srv/bus.js", 9);
        let wrapper = s.node("closure", "native_bind", 32);
        s.edge(wrapper, "property", "listener", written);
        entries.push(wrapper);
    }
    // An emitter that keeps records, and something that is no listener.
    let record = s.node("object", "EE", 32);
    s.edge(record, "property", "fn", rare);
    entries.push(record);
    let number = s.node("number", "heap number", 12);
    entries.push(number);
    emitter_of(&mut s, global, &entries);
    let found = summary(&s).listeners;
    let [row] = &found[..] else { panic!("{found:?}") };
    assert_eq!((row.count, row.most), (5, 5));
    let functions: Vec<_> = row.functions.iter().map(|f| (f.name.as_str(), f.count)).collect();
    assert_eq!(functions, [("onData", 3), ("rare", 2)]);
    assert_eq!(row.location.as_ref().map(|place| place.file.as_str()), Some("/srv/bus.js"));
    assert_eq!(row.functions[1].location.as_ref().map(|place| place.file.as_str()), Some("/srv/rare.js"));
}

#[test]
fn weak_listeners_count_while_they_live_and_objects_by_their_class() {
    let (mut s, global) = program();
    let alive = s.closure("alive", "/srv/weak.js", 5);
    let target = s.node("object", "EventTarget", 104);
    let prototype = s.node("object", "EventTarget", 24);
    let constructor = s.closure("AbortSignal", "node:internal/abort_controller", 1);
    let map = s.node("object", "Map", 32);
    let table = s.node("array", "", 200);
    let name = s.node("string", "abort", 24);
    let root = s.node("object", "Object", 24);
    s.edge(global, "property", "signal", target);
    s.edge(target, "property", "__proto__", prototype);
    s.edge(prototype, "property", "constructor", constructor);
    s.edge(target, "property", "<symbol kEvents>", map);
    s.edge(map, "internal", "table", table);
    s.edge(table, "internal", "5", name);
    s.edge(table, "internal", "6", root);
    let [live, dead] = [(); 2].map(|()| s.node("object", "WeakRef", 24));
    s.edge(live, "weak", "target", alive);
    let handler = s.node("object", "Handler", 24);
    let mut last = root;
    for listener in [live, dead, handler] {
        let link = s.node("object", "Listener", 80);
        let wrapper = s.closure("", "node:internal/event_target", 7);
        s.edge(last, "property", "next", link);
        s.edge(link, "property", "listener", listener);
        s.edge(link, "property", "callback", if listener == handler { wrapper } else { listener });
        last = link;
    }
    let found = summary(&s).listeners;
    let [row] = &found[..] else { panic!("{found:?}") };
    assert_eq!((row.constructor_name.as_str(), row.event.as_str(), row.count), ("AbortSignal", "abort", 2));
    let functions: Vec<_> = row.functions.iter().map(|f| f.name.as_str()).collect();
    assert_eq!(functions, ["Handler", "alive"]);
}

#[test]
fn an_audit_tells_what_keeps_the_emitter_who_waits_and_what_is_open() {
    let (mut s, global) = program();
    let on_data = s.closure("onData", "/srv/bus.js", 9);
    emitter_of(&mut s, global, &[on_data]);
    let socket = s.node("object", "Socket", 200);
    s.edge(global, "property", "lastSocket", socket);
    for n in 0..2 {
        let handle = s.node("object", "TCP", 40);
        s.edge(socket, "property", &format!("_handle{n}"), handle);
        s.edge(handle, "property", "<symbol owner_symbol>", socket);
    }
    // Two that await and one that was given to then(), on one promise: V8 makes a chain of them.
    let waits = s.closure("waits", "/srv/wait.js", 2);
    let promise = s.node("object", "Promise", 48);
    s.edge(global, "property", "ready", promise);
    let mut last = (promise, "internal", "reactions_or_result");
    for awaits in [true, true, false] {
        let reaction = s.node("hidden", "system / PromiseReaction", 40);
        s.edge(last.0, last.1, last.2, reaction);
        let handler = if awaits {
            let generator = s.node("object", "Generator", 80);
            let context = s.node("object", "system / Context", 40);
            let handler = s.node("closure", "", 32);
            s.edge(generator, "internal", "function", waits);
            s.edge(context, "internal", "extension", generator);
            s.edge(handler, "internal", "context", context);
            handler
        } else {
            on_data
        };
        s.edge(reaction, "hidden", "2", handler);
        last = (reaction, "hidden", "1");
    }
    let audit = audit(&mut s.graph(), &Control::new()).unwrap();
    let [row] = &audit.listeners[..] else { panic!("{audit:?}") };
    let path: Vec<_> =
        row.retainer_path.iter().map(|step| (step.edge.as_str(), step.name.as_str())).collect();
    assert_eq!(path, [("bus", "global")]);
    let [handle] = &audit.handles[..] else { panic!("{audit:?}") };
    assert_eq!((handle.constructor_name.as_str(), handle.owner.as_str(), handle.count), ("TCP", "Socket", 2));
    assert_eq!(handle.retainer_path[0].edge, "lastSocket");
    let waiters: Vec<_> =
        audit.waiters.iter().map(|row| (row.how, row.function.name.as_str(), row.function.count)).collect();
    assert_eq!(waiters, [(Waits::Await, "waits", 2), (Waits::Then, "onData", 1)]);
    assert_eq!(audit.promises, PromiseSummary { count: 1, awaited: 1 });
}
