//! Every pattern in miniature, as V8 and Node build it, and beside it what looks like it and is something else.

use std::sync::atomic::AtomicBool;

use super::*;
use crate::snapshot::testing::Snapshot;

static GO: AtomicBool = AtomicBool::new(false);

/// How many units leak.
const UNITS: usize = 40;

/// A module with a function whose variables hold what the tests put there.
struct Module {
    s: Snapshot,
    global: usize,
    context: usize,
    made: usize,
}

impl Module {
    fn new() -> Self {
        let mut s = Snapshot::new();
        let global = s.node("object", "global / ", 56);
        s.edge(0, "shortcut", "1", global);
        let main = s.closure("main", "/srv/app/main.js", 1);
        let context = s.node("object", "system / Context", 48);
        s.edge(global, "property", "main", main);
        s.edge(main, "internal", "context", context);
        for n in 0..200 {
            let builtin = s.node("closure", "", 56);
            s.edge(global, "property", &format!("builtin{n}"), builtin);
        }
        Self { s, global, context, made: 0 }
    }

    fn object(&mut self, class: &str, size: u64) -> usize {
        self.s.node("object", class, size)
    }

    fn variable(&mut self, name: &str, to: usize) {
        self.s.edge(self.context, "context", name, to);
    }

    fn property(&mut self, from: usize, name: &str, to: usize) {
        self.s.edge(from, "property", name, to);
    }

    /// A function of `file` with a scope of its own; gives both.
    fn function(&mut self, name: &str, file: &str) -> (usize, usize) {
        self.made += 1;
        // Scripts are numbered: one a file will do.
        let script = 100 + file.bytes().map(usize::from).sum::<usize>();
        let function = self.s.closure(name, file, script);
        let scope = self.s.node("object", "system / Context", 40);
        self.s.edge(function, "internal", "context", scope);
        (function, scope)
    }

    fn array(&mut self) -> usize {
        let array = self.object("Array", 16);
        let store = self.s.node("array", "", 1024);
        self.s.edge(array, "internal", "elements", store);
        array
    }

    fn push(&mut self, array: usize, value: usize) {
        self.made += 1;
        self.s.edge(array, "element", &self.made.to_string(), value);
    }

    fn map(&mut self) -> (usize, usize) {
        let map = self.object("Map", 32);
        let table = self.s.node("array", "", 1024);
        self.s.edge(map, "internal", "table", table);
        (map, table)
    }

    fn set(&mut self, table: usize, value: usize) {
        self.made += 1;
        self.s.edge(table, "internal", &self.made.to_string(), value);
    }

    /// A reaction to `promise`, the next after `last`.
    fn reaction(&mut self, promise: usize, last: Option<usize>) -> usize {
        let reaction = self.object("system / PromiseReaction", 40);
        match last {
            None => self.s.edge(promise, "internal", "reactions_or_result", reaction),
            Some(last) => self.s.edge(last, "internal", "next", reaction),
        }
        reaction
    }

    /// An instance of a class that is written in `file`.
    fn instance(&mut self, class: &str, file: &str) -> usize {
        let object = self.object(class, 256);
        let script = 100 + file.bytes().map(usize::from).sum::<usize>();
        self.s.location(object, script, 6, 2);
        object
    }

    /// What is first of what grew by `change`; by ids and by path it is the same.
    fn first(mut self, change: impl FnOnce(&mut Self)) -> Culprit {
        let old = self.s.graph();
        change(&mut self);
        let mut by_id = diff(&old, &self.s.graph(), &GO).unwrap();
        let by_path = diff(&old, &self.s.moved(7).graph(), &GO).unwrap();
        assert_eq!((by_id.matched_by, by_path.matched_by), (MatchedBy::Id, MatchedBy::Path));
        let [a, b] = [&by_id, &by_path].map(|growth| growth.culprits.first().cloned().expect("a culprit"));
        let told = |c: &Culprit| (c.constructor_name.clone(), c.pattern, c.holder.clone().map(|h| h.told()));
        assert_eq!(told(&a), told(&b), "{a:#?} {b:#?}");
        assert_eq!(a.fingerprint, b.fingerprint);
        by_id.culprits.swap_remove(0)
    }
}

fn holder(culprit: &Culprit) -> (&str, Option<&str>, Option<&str>) {
    let holder = culprit.holder.as_ref().expect("a holder");
    (&holder.constructor_name, holder.name.as_deref(), holder.event.as_deref())
}

fn place(culprit: &Culprit) -> &str {
    culprit.location.as_ref().map_or("", |place| &place.file)
}

/// An emitter `bus` with a table of events.
fn emitter(m: &mut Module) -> usize {
    let bus = m.object("Bus", 64);
    let events = m.object("Object", 24);
    m.property(bus, "_events", events);
    m.variable("bus", bus);
    events
}

#[test]
fn listeners_pile_up_in_an_emitter() {
    let mut m = Module::new();
    let events = emitter(&mut m);
    let news = m.array();
    m.property(events, "news", news);
    let found = m.first(|m| {
        for _ in 0..UNITS {
            let (listener, scope) = m.function("onNews", "/srv/app/client.js");
            let data = m.object("Object", 400);
            m.s.edge(scope, "context", "data", data);
            m.push(news, listener);
        }
    });
    assert_eq!((found.pattern, &*found.constructor_name), (Pattern::Listener, "(closure) onNews"));
    assert_eq!(holder(&found), ("Bus", Some("bus"), Some("news")));
    assert_eq!(place(&found), "/srv/app/client.js");
    assert_eq!(found.count_delta, UNITS as i64);
}

#[test]
fn an_old_listener_on_the_way_makes_nothing_a_listener() {
    let mut m = Module::new();
    let bus = m.object("Bus", 64);
    let events = m.object("Object", 24);
    m.property(bus, "_events", events);
    let global = m.global;
    m.property(global, "bus", bus);
    let (handler, scope) = m.function("handle", "/srv/app/main.js");
    m.property(events, "request", handler);
    let (map, table) = m.map();
    m.s.edge(scope, "context", "seen", map);
    let found = m.first(|m| {
        for _ in 0..UNITS {
            let entry = m.object("Entry", 400);
            m.set(table, entry);
        }
    });
    assert_eq!((found.pattern, holder(&found)), (Pattern::Collection, ("Map", Some("seen"), None)));
}

#[test]
fn listeners_pile_up_in_an_event_target() {
    let mut m = Module::new();
    let signal = m.object("AbortSignal", 104);
    let (map, table) = m.map();
    let name = m.s.node("string", "abort", 24);
    let root = m.object("Object", 24);
    m.property(signal, "<symbol kEvents>", map);
    m.s.edge(table, "internal", "5", name);
    m.s.edge(table, "internal", "6", root);
    m.variable("signal", signal);
    let found = m.first(|m| {
        let mut last = root;
        for _ in 0..UNITS {
            let listener = m.object("Listener", 80);
            m.s.location(listener, 2, 1, 1);
            let (callback, scope) = m.function("onAbort", "/srv/app/client.js");
            let request = m.object("Object", 200);
            m.s.edge(scope, "context", "request", request);
            m.property(listener, "callback", callback);
            m.property(last, "next", listener);
            last = listener;
        }
        // What tells that script 2 is Node's.
        let node = m.s.closure("add", "node:internal/event_target", 2);
        let global = m.global;
        m.property(global, "add", node);
    });
    assert_eq!((found.pattern, &*found.constructor_name), (Pattern::Listener, "(closure) onAbort"));
    assert_eq!(holder(&found), ("AbortSignal", Some("signal"), Some("abort")));
}

/// `count` timers in a ring with `list`, each with a function of its own.
fn timers(m: &mut Module, list: usize, count: usize) {
    let mut last = list;
    for _ in 0..count {
        let timer = m.object("Timeout", 120);
        let (callback, scope) = m.function("poll", "/srv/app/poll.js");
        let state = m.object("Object", 300);
        m.s.edge(scope, "context", "state", state);
        m.property(timer, "_onTimeout", callback);
        m.property(timer, "_idlePrev", last);
        m.property(last, "_idleNext", timer);
        last = timer;
    }
    m.property(list, "_idlePrev", last);
}

#[test]
fn timers_that_are_never_cleared() {
    let mut m = Module::new();
    let list = m.object("TimersList", 48);
    let global = m.global;
    m.property(global, "timers", list);
    let found = m.first(|m| timers(m, list, UNITS));
    assert_eq!(found.pattern, Pattern::Timer);
    assert_eq!(holder(&found).0, "TimersList");
    assert_eq!(place(&found), "/srv/app/poll.js");
}

#[test]
fn texts_of_nodes_own_tables_are_a_culprit_only_where_they_are_many() {
    let grown = |texts: usize, of_program: bool| {
        let mut m = Module::new();
        let table = m.object("Object", 56);
        let owner = if of_program { m.context } else { m.global };
        m.property(owner, "STATUS_CODES", table);
        let old = m.s.graph();
        for at in 0..texts {
            let text = m.s.node("string", &format!("text {at}"), 160);
            m.property(table, &at.to_string(), text);
        }
        diff(&old, &m.s.graph(), &GO).unwrap().culprits.len()
    };
    assert_eq!((grown(48, false), grown(48, true)), (0, 1));
    assert_eq!((grown(500, false), grown(500, true)), (1, 1));
}

#[test]
fn timers_that_are_over_and_kept_in_an_array() {
    let mut m = Module::new();
    let ids = m.array();
    m.variable("ids", ids);
    let found = m.first(|m| {
        for _ in 0..UNITS {
            let timer = m.object("Timeout", 120);
            let none = m.s.node("hidden", "system / Oddball", 24);
            m.property(timer, "_onTimeout", none);
            m.property(timer, "_idlePrev", none);
            m.push(ids, timer);
        }
    });
    assert_eq!((found.pattern, holder(&found)), (Pattern::Timer, ("Array", Some("ids"), None)));
    assert!(found.advice.contains("over or cleared"), "{}", found.advice);
}

#[test]
fn handlers_of_a_promise_that_is_never_settled() {
    let mut m = Module::new();
    let promise = m.object("Promise", 48);
    m.variable("stopping", promise);
    let found = m.first(|m| {
        let mut last = None;
        for _ in 0..UNITS {
            let reaction = m.reaction(promise, last);
            let (handler, scope) = m.function("onStop", "/srv/app/client.js");
            let request = m.object("Object", 200);
            m.s.edge(scope, "context", "request", request);
            m.s.edge(reaction, "internal", "fulfill_handler", handler);
            last = Some(reaction);
        }
    });
    assert_eq!((found.pattern, &*found.constructor_name), (Pattern::Promise, "(closure) onStop"));
    assert_eq!(holder(&found), ("Promise", Some("stopping"), None));
}

#[test]
fn a_race_is_told_as_the_promise_that_waits_whatever_v8_keeps_with_it() {
    for keeps_result in [true, false] {
        let mut m = Module::new();
        let promise = m.object("Promise", 48);
        m.variable("stopping", promise);
        let found = m.first(|m| {
            let mut last = None;
            for _ in 0..UNITS {
                let reaction = m.reaction(promise, last);
                let result = m.object("Promise", 48);
                for handler in ["fulfill_handler", "reject_handler"] {
                    let resolve = m.s.node("closure", "", 56);
                    m.s.edge(reaction, "internal", handler, resolve);
                    if keeps_result {
                        let scope = m.s.node("object", "system / Context", 40);
                        m.s.edge(resolve, "internal", "context", scope);
                        m.s.edge(scope, "internal", "promise", result);
                    }
                }
                let derived = m.object("Promise", 48);
                m.s.edge(reaction, "internal", "promise_or_capability", derived);
                last = Some(reaction);
            }
        });
        assert_eq!(
            (found.pattern, &*found.constructor_name),
            (Pattern::Promise, "Promise"),
            "{keeps_result}"
        );
        assert_eq!(found.count_delta, UNITS as i64, "{keeps_result}");
        assert_eq!(holder(&found), ("Promise", Some("stopping"), None));
    }
}

#[test]
fn settled_promises_in_a_map_are_a_collection() {
    let mut m = Module::new();
    let (memo, table) = m.map();
    m.variable("memo", memo);
    let found = m.first(|m| {
        for _ in 0..UNITS {
            let promise = m.object("Promise", 48);
            let value = m.object("Object", 200);
            m.s.edge(promise, "internal", "reactions_or_result", value);
            m.set(table, promise);
        }
    });
    assert_eq!((found.pattern, holder(&found)), (Pattern::Collection, ("Map", Some("memo"), None)));
}

#[test]
fn bytes_of_buffers_are_told_by_who_owns_them() {
    for of_class in [false, true] {
        let mut m = Module::new();
        let chunks = m.array();
        m.variable("chunks", chunks);
        let found = m.first(|m| {
            for _ in 0..UNITS {
                let buffer = m.object("Buffer", 96);
                let array = m.object("ArrayBuffer", 88);
                let data = m.s.node("native", "system / JSArrayBufferData", 16_384);
                m.property(buffer, "buffer", array);
                m.s.edge(array, "internal", "backing_store", data);
                if of_class {
                    let upload = m.instance("Upload", "/srv/app/upload.js");
                    m.property(upload, "body", buffer);
                    m.push(chunks, upload);
                } else {
                    m.push(chunks, buffer);
                }
            }
        });
        assert_eq!(found.pattern, Pattern::Buffer);
        assert_eq!(found.constructor_name, if of_class { "Upload" } else { "Buffer" });
        assert_eq!(holder(&found), ("Array", Some("chunks"), None));
    }
}

#[test]
fn pieces_keep_the_texts_that_they_were_cut_from() {
    let mut m = Module::new();
    let (tokens, table) = m.map();
    m.variable("tokens", tokens);
    let found = m.first(|m| {
        for n in 0..UNITS {
            let key = m.s.node("string", &format!("key {n}"), 32);
            let piece = m.s.node("sliced string", "token", 32);
            let whole = m.s.node("string", "a long page", 40_000);
            m.s.edge(piece, "internal", "parent", whole);
            m.set(table, key);
            m.set(table, piece);
        }
    });
    assert_eq!((found.pattern, &*found.constructor_name), (Pattern::String, "(string)"));
    assert_eq!(holder(&found), ("Map", Some("tokens"), None));
}

#[test]
fn a_text_that_grows_is_one_finding() {
    let mut m = Module::new();
    let start = m.s.node("string", "start", 32);
    m.variable("log", start);
    let found = m.first(|m| {
        let mut text = start;
        for n in 0..400 {
            let joined = m.s.node("concatenated string", "log", 32);
            let line = m.s.node("string", &format!("line {n}"), 64);
            m.s.edge(joined, "internal", "first", text);
            m.s.edge(joined, "internal", "second", line);
            text = joined;
        }
        m.variable("journal", text);
    });
    assert_eq!((found.pattern, &*found.constructor_name), (Pattern::String, "(string)"));
}

#[test]
fn functions_with_what_their_variables_keep() {
    let mut m = Module::new();
    let hooks = m.array();
    m.variable("hooks", hooks);
    let found = m.first(|m| {
        for _ in 0..UNITS {
            let (hook, scope) = m.function("flush", "/srv/app/hooks.js");
            let big = m.object("Object", 4000);
            m.s.edge(scope, "context", "page", big);
            m.push(hooks, hook);
        }
    });
    assert_eq!((found.pattern, &*found.constructor_name), (Pattern::Closure, "(closure) flush"));
    assert_eq!((holder(&found), place(&found)), (("Array", Some("hooks"), None), "/srv/app/hooks.js"));
}

#[test]
fn what_hangs_on_the_global_object_or_on_a_function() {
    for on_function in [false, true] {
        let mut m = Module::new();
        let requests = m.array();
        let global = m.global;
        if on_function {
            let (app, _) = m.function("app", "/srv/app/node_modules/express/app.js");
            let locals = m.object("Object", 24);
            m.property(app, "locals", locals);
            m.property(locals, "requests", requests);
            m.variable("app", app);
        } else {
            m.property(global, "requests", requests);
        }
        let found = m.first(|m| {
            for _ in 0..UNITS {
                let request = m.object("Request", 300);
                m.push(requests, request);
            }
        });
        assert_eq!((found.pattern, holder(&found)), (Pattern::Global, ("Array", Some("requests"), None)));
    }
}

#[test]
fn a_global_of_its_own_for_each_is_one_cause() {
    let found = Module::new().first(|m| {
        let global = m.global;
        for n in 0..UNITS {
            let job = m.instance("Job", "/srv/app/main.js");
            m.property(global, &format!("job_{n}"), job);
        }
    });
    assert_eq!((found.pattern, &*found.constructor_name), (Pattern::Global, "Job"));
    assert_eq!((found.count_delta, &*found.retainer_path[0].edge), (UNITS as i64, "[key]"));
}

/// A pool with places for all members, for those that are free, and for those who wait for one.
fn pool(m: &mut Module) -> (usize, usize) {
    let pool = m.instance("Pool", "/srv/app/node_modules/pg-like/pool.js");
    let [all, free, waiting] = [m.array(), m.array(), m.array()];
    m.property(pool, "all", all);
    m.property(pool, "free", free);
    m.property(pool, "waiting", waiting);
    m.variable("pool", pool);
    (pool, all)
}

#[test]
fn members_that_are_never_given_back() {
    let mut m = Module::new();
    let (pool, all) = pool(&mut m);
    let found = m.first(|m| {
        for _ in 0..UNITS {
            let member = m.instance("Connection", "/srv/app/node_modules/pg-like/connection.js");
            m.property(member, "pool", pool);
            m.push(all, member);
        }
    });
    assert_eq!((found.pattern, &*found.constructor_name), (Pattern::Pool, "Connection"));
    assert_eq!(holder(&found), ("Pool", Some("pool"), None));
    assert_eq!(place(&found), "/srv/app/main.js", "the program's own file goes before a package's");
}

#[test]
fn several_arrays_make_no_pool() {
    let mut m = Module::new();
    let recorder = m.instance("Recorder", "/srv/app/recorder.js");
    let [samples, errors, warnings] = [m.array(), m.array(), m.array()];
    m.property(recorder, "samples", samples);
    m.property(recorder, "errors", errors);
    m.property(recorder, "warnings", warnings);
    m.variable("recorder", recorder);
    let found = m.first(|m| {
        for _ in 0..UNITS {
            let sample = m.object("Object", 300);
            m.push(samples, sample);
        }
    });
    assert_eq!((found.pattern, holder(&found)), (Pattern::Collection, ("Array", Some("samples"), None)));
}

#[test]
fn what_piles_up_is_told_and_not_what_it_shares_with_others() {
    let mut m = Module::new();
    let clients = m.array();
    let handles = m.array();
    m.variable("clients", clients);
    let global = m.global;
    let registry = m.object("Registry", 24);
    m.property(global, "registry", registry);
    // V8 tells a script's name by its functions.
    let (constructor, _) = m.function("Client", "/srv/app/client.js");
    m.property(registry, "Client", constructor);
    m.property(registry, "handles", handles);
    let found = m.first(|m| {
        for _ in 0..UNITS {
            let client = m.instance("Client", "/srv/app/client.js");
            let socket = m.object("Object", 2000);
            m.property(client, "socket", socket);
            m.push(clients, client);
            // Held from elsewhere too, so that no client owns it.
            m.push(handles, client);
        }
    });
    assert_eq!((&*found.constructor_name, found.count_delta), ("Client", UNITS as i64));
    assert_eq!(place(&found), "/srv/app/client.js");
}
