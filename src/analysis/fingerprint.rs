//! What makes two findings the same leak: a hash of the retaining path, without all that differs from run to run.
//!
//! ```text
//! text   "heapwarden-fingerprint 1" LF pattern LF class LF (step LF)* file
//! step   `[n] of Array`, `[[Entries]] of Map`     how a collection holds what came before
//!        `rows of Page`                           a property that the program's class has: the anchor, nothing follows
//!        `var sessions`, `global cache`           a variable: the anchor, nothing follows
//! file   where the anchor is written, or else the class: `left-pad:lib/pad` in a package, `server` in the program
//! hash   FNV-1a, 64 bits, of the text in UTF-8, as 16 hexadecimal digits
//! ```
//!
//! What is left out, and why: the function by which a variable is reached, because all functions of its scope share it and another one
//! may be the nearest to a root next time; what lies beyond the anchor, for the same reason; Node's own classes and functions, which
//! differ by version; digits, which count or tell instances apart; lines and columns, which move with every release; the folders before
//! a file of the program, which are the deployment's; the version of a package and what is before it; the extension, because a file is
//! compiled from one to another.

use super::culprits::Culprit;
use super::path::PathStep;
use crate::graph::Location;
use crate::graph::location::is_user_file;

/// The version of the text that is hashed. Raised when a change of it makes fingerprints of old reports differ.
const VERSION: u32 = 1;

/// How far the anchor is looked for. What lies farther is not what a program would name the leak by.
const REACH: usize = 12;

/// Longer keys of plain objects are data.
const MAX_KEY: usize = 40;

/// Classes that hold other things and have no name of the program's.
const COLLECTIONS: &[&str] = &["Array", "Map", "Object", "Set", "WeakMap", "WeakSet"];

/// Node's and V8's classes that the path goes through to a variable of the program.
const SEEN_THROUGH: &[&str] = &[
    "AbortController",
    "AbortSignal",
    "ArrayBuffer",
    "AsyncLocalStorage",
    "BigInt64Array",
    "BigUint64Array",
    "Buffer",
    "DataView",
    "EventEmitter",
    "EventTarget",
    "FastBuffer",
    "Float32Array",
    "Float64Array",
    "Int16Array",
    "Int32Array",
    "Int8Array",
    "Listener",
    "Promise",
    "SharedArrayBuffer",
    "Uint16Array",
    "Uint32Array",
    "Uint8Array",
    "Uint8ClampedArray",
    "WeakRef",
];

/// Node's classes that hang on the event loop: which way leads from them to a root is a matter of the moment.
const OF_NODE: &[&str] = &[
    "Agent",
    "ChildProcess",
    "ClientRequest",
    "FSReqCallback",
    "HTTPParser",
    "Immediate",
    "ImmediateList",
    "IncomingMessage",
    "MessagePort",
    "Module",
    "Pipe",
    "PriorityQueue",
    "ReadStream",
    "ReadableState",
    "Server",
    "ServerResponse",
    "Socket",
    "TCP",
    "TLSSocket",
    "TLSWrap",
    "Timeout",
    "TimersList",
    "Worker",
    "WritableState",
    "WriteStream",
    "process",
];

/// What Node's classes call what is theirs, where it does not start with an underscore.
const EDGES_OF_NODE: &[&str] = &[
    "agent",
    "children",
    "connection",
    "context",
    "exports",
    "freeSockets",
    "handle",
    "incoming",
    "mainModule",
    "next",
    "outgoing",
    "owner",
    "parent",
    "parser",
    "prev",
    "req",
    "requests",
    "res",
    "server",
    "socket",
    "sockets",
];

/// What the finding is recognised by in another process, release or version of Node: 16 hexadecimal digits.
///
/// `own`: where what grows is written itself, which of no step of the path can be said: how far the path goes may differ. `is_key(i)`:
/// whether the edge of the path's step `i` is one of many keys, rather than a name.
pub(crate) fn fingerprint(
    culprit: &Culprit,
    own: Option<&Location>,
    is_key: impl Fn(usize) -> bool,
) -> String {
    format!("{:016x}", fnv1a(&normal_form(culprit, own, is_key)))
}

fn normal_form(culprit: &Culprit, own: Option<&Location>, is_key: impl Fn(usize) -> bool) -> String {
    let (steps, anchor) = steps_to_anchor(&culprit.retainer_path, is_key);
    let file = anchor.or(own).map_or(String::new(), |place| file_of(&place.file));
    let mut text = format!(
        "heapwarden-fingerprint {VERSION}\n{}\n{}\n",
        culprit.pattern.name(),
        without_digits(&culprit.constructor_name)
    );
    for step in steps {
        text += &step;
        text.push('\n');
    }
    text + &file
}

/// The steps up to the anchor, and where the function is written whose variable that is.
fn steps_to_anchor(path: &[PathStep], is_key: impl Fn(usize) -> bool) -> (Vec<String>, Option<&Location>) {
    let mut steps = Vec::new();
    // Beyond an object of Node's, collections are Node's.
    let mut is_ours = true;
    for (i, step) in path.iter().take(REACH).enumerate() {
        let class = step.name.as_str();
        if class.starts_with('(') && !class.starts_with("(closure)") {
            break;
        }
        if is_function(step) {
            let place = step.location.as_ref().filter(|place| place.is_user_code());
            if is_named(&step.edge) && (place.is_some() || step.location.is_none()) {
                steps.push(format!("var {}", without_digits(&step.edge)));
                return (steps, place);
            }
        } else if class == "global" {
            steps.push(format!("global {}", without_digits(&step.edge)));
            break;
        } else if COLLECTIONS.contains(&class) {
            if is_ours {
                steps.push(format!("{} of {class}", edge_of_collection(class, &step.edge, is_key(i))));
            }
        } else if SEEN_THROUGH.contains(&class) {
            is_ours = false;
        } else if is_named(&step.edge) && !(OF_NODE.contains(&class) && is_of_node(&step.edge)) {
            // A subclass of an emitter still holds its listeners by a name of Node's.
            if is_of_emitter(&step.edge) {
                steps.push(format!("of {}", without_digits(class)));
                is_ours = false;
                continue;
            }
            steps.push(format!("{} of {}", without_digits(&step.edge), without_digits(class)));
            break;
        } else if OF_NODE.contains(&class) {
            break;
        } else if is_ours {
            steps.push(format!("of {}", without_digits(class)));
        }
    }
    (steps, None)
}

fn is_function(step: &PathStep) -> bool {
    step.location.is_some()
        || step.name.starts_with("(closure)")
        || matches!(step.name.as_str(), "Generator" | "AsyncGenerator")
}

/// What V8 calls what is its own, where that is not in brackets.
const EDGES_OF_V8: &[&str] = &[
    "",
    "bound_arguments",
    "bound_function",
    "bound_this",
    "context",
    "module_export",
    "reactions_or_result",
    "this",
];

/// Whether a programmer chose `edge`.
fn is_named(edge: &str) -> bool {
    !(EDGES_OF_V8.contains(&edge) || edge.starts_with(['[', '<', '(']))
}

fn is_of_emitter(edge: &str) -> bool {
    matches!(edge, "_events" | "_readableState" | "_writableState" | "_handle")
}

fn is_of_node(edge: &str) -> bool {
    edge.starts_with('_') || EDGES_OF_NODE.contains(&edge)
}

/// `[n]`, `[[Entries]]`, a name that a plain object is known to have, or `[key]`.
fn edge_of_collection(class: &str, edge: &str, is_key: bool) -> String {
    match class {
        "Array" => "[n]".to_owned(),
        "Object" if is_key || !is_name(edge) => "[key]".to_owned(),
        _ => without_digits(edge),
    }
}

/// Whether `edge` reads like a property rather than a key: letters, not too many of them.
fn is_name(edge: &str) -> bool {
    edge.len() <= MAX_KEY
        && !edge.is_empty()
        && edge.chars().all(|c| c.is_alphabetic() || matches!(c, '_' | '$' | '-' | ' '))
}

/// The file as every deployment has it: from the package's folder on, or the name alone.
fn file_of(file: &str) -> String {
    if !is_user_file(file) {
        return String::new();
    }
    let file = file.replace('\\', "/");
    let file = file.split(['?', '#']).next().unwrap_or_default();
    // The last one: packages lie in packages, and pnpm's store names the version in a folder above.
    match file.rsplit_once("node_modules/") {
        Some((_, inside)) => {
            let names = if inside.starts_with('@') { 2 } else { 1 };
            let at = inside.match_indices('/').nth(names - 1).map_or(inside.len(), |(at, _)| at);
            let path = inside[at..].trim_start_matches('/');
            format!("{}:{}", &inside[..at], unversioned(path))
        }
        None => unversioned(file.rsplit('/').next().unwrap_or_default()),
    }
}

/// The path without the extension and without the content hash that bundlers put into names.
fn unversioned(path: &str) -> String {
    let (folder, name) = path.rsplit_once('/').map_or(("", path), |(folder, name)| (folder, name));
    let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
    let parts: Vec<&str> = stem.split_inclusive(['.', '-', '_']).collect();
    let mut kept: String = parts
        .iter()
        .enumerate()
        .filter(|&(i, part)| i == 0 || !is_content_hash(part))
        .map(|(_, &part)| part)
        .collect();
    while kept.ends_with(['.', '-', '_']) && kept.len() > 1 {
        kept.pop();
    }
    if folder.is_empty() { kept } else { format!("{folder}/{kept}") }
}

fn is_content_hash(part: &str) -> bool {
    let part = part.trim_end_matches(['.', '-', '_']).as_bytes();
    let hex = part.len() >= 6 && part.iter().all(u8::is_ascii_hexdigit);
    let base64 = part.len() >= 8
        && part.iter().all(u8::is_ascii_alphanumeric)
        && part.iter().any(u8::is_ascii_uppercase);
    (hex || base64) && part.iter().any(u8::is_ascii_digit)
}

/// `text` with each run of digits made one mark, where they count or tell instances apart.
fn without_digits(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '0'..='9' if out.ends_with('#') => {}
            '0'..='9' => out.push('#'),
            // One line a step.
            c if c.is_control() => out.push(' '),
            c => out.push(c),
        }
    }
    out
}

fn fnv1a(text: &str) -> u64 {
    const BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0000_0100_0000_01b3;
    text.bytes().fold(BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::analysis::Pattern;

    fn place(file: &str) -> Location {
        Location { file: file.into(), line: 7, column: 3, ..Location::default() }
    }

    /// A finding with a path of `edge of name @ file`.
    fn culprit(class: &str, path: &[(&str, &str, &str)]) -> Culprit {
        let step = |&(edge, name, file): &(&str, &str, &str)| PathStep {
            name: name.into(),
            edge: edge.into(),
            location: (!file.is_empty()).then(|| place(file)),
        };
        Culprit {
            constructor_name: class.into(),
            properties: Vec::new(),
            pattern: Pattern::Collection,
            count_delta: 5,
            size_delta: 50,
            retained_size_delta: 500,
            holder: None,
            retainer_path: path.iter().map(step).collect(),
            location: None,
            advice: String::new(),
            fingerprint: String::new(),
        }
    }

    fn form(class: &str, path: &[(&str, &str, &str)]) -> String {
        normal_form(&culprit(class, path), None, |_| false)
    }

    fn hash(culprit: &Culprit) -> String {
        fingerprint(culprit, None, |_| false)
    }

    const SESSIONS: &[(&str, &str, &str)] = &[
        ("[[Entries]]", "Map", ""),
        ("sessions", "(closure) login", "/srv/releases/1234/dist/auth.js"),
        ("_onTimeout", "Timeout", ""),
        ("_idleNext", "TimersList", ""),
    ];

    #[test]
    fn the_hash_is_the_one_it_was() {
        // Whoever changes these raises VERSION: reports and lists of known leaks have them.
        assert_eq!(fnv1a(""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(fnv1a("foobar"), 0x8594_4171_f739_67e8);
        let text = "heapwarden-fingerprint 1\ncollection\nSession\n[[Entries]] of Map\nvar sessions\nauth";
        assert_eq!(form("Session", SESSIONS), text);
        assert_eq!(hash(&culprit("Session", SESSIONS)), GOLDEN);
    }

    const GOLDEN: &str = "8ee3f9c9d671f10d";

    #[test]
    fn what_differs_from_run_to_run_does_not_count() {
        let one = hash(&culprit("Session", SESSIONS));
        let another_function_and_root = [
            ("[[Entries]]", "Map", ""),
            ("sessions", "(closure) logout", "/app/src/auth.ts"),
            ("[n]", "(Global handles)", ""),
        ];
        assert_eq!(hash(&culprit("Session", &another_function_and_root)), one);
        let module = [("[[Entries]]", "Map", ""), ("sessions", "Generator", "/srv/releases/99/auth.mjs?v=3")];
        assert_eq!(hash(&culprit("Session", &module)), one);
        let mut counted = culprit("Session", SESSIONS);
        counted.count_delta = 9;
        counted.retained_size_delta = 1;
        counted.advice = "Do.".into();
        counted.location = Some(place("/srv/releases/1234/dist/auth.js"));
        assert_eq!(hash(&counted), one);
    }

    #[test]
    fn another_leak_has_another_fingerprint() {
        let one = hash(&culprit("Session", SESSIONS));
        let mut others = vec![hash(&culprit("User", SESSIONS))];
        let mut pattern = culprit("Session", SESSIONS);
        pattern.pattern = Pattern::Unknown;
        others.push(hash(&pattern));
        for path in [
            [("[[Entries]]", "Map", ""), ("users", "(closure) login", "/srv/auth.js")],
            [("[n]", "Array", ""), ("sessions", "(closure) login", "/srv/auth.js")],
            [("[[Entries]]", "Map", ""), ("sessions", "(closure) login", "/srv/admin.js")],
            [("[[Entries]]", "Map", ""), ("sessions", "Auth", "")],
        ] {
            others.push(hash(&culprit("Session", &path)));
        }
        others.push(one);
        let count = others.len();
        others.sort();
        others.dedup();
        assert_eq!(others.len(), count, "{others:?}");
    }

    #[test]
    fn the_path_ends_at_the_first_name_of_the_program() {
        let property = [("[n]", "Array", ""), ("rows", "Page", ""), ("book", "(closure) f", "/x.js")];
        assert_eq!(
            form("Row", &property).lines().skip(3).collect::<Vec<_>>(),
            ["[n] of Array", "rows of Page"]
        );
        let global = [("[n]", "Array", ""), ("leaked3", "global", ""), ("[n]", "(GC roots)", "")];
        assert_eq!(
            form("Row", &global).lines().skip(3).collect::<Vec<_>>(),
            ["[n] of Array", "global leaked#"]
        );
    }

    #[test]
    fn listeners_are_told_by_their_event_and_emitter() {
        let by = |function: &str, emitter: &str| {
            form(
                "(closure) onData",
                &[
                    ("[n]", "Array", ""),
                    ("data", "Object", ""),
                    ("_events", emitter, ""),
                    ("bus", function, "/app/hub.js"),
                ],
            )
        };
        let steps = |text: &str| text.lines().skip(3).map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(
            steps(&by("(closure) a", "EventEmitter")),
            ["[n] of Array", "data of Object", "var bus", "hub"]
        );
        assert_eq!(
            steps(&by("(closure) a", "Bus")),
            ["[n] of Array", "data of Object", "of Bus", "var bus", "hub"]
        );
        // A socket is the loop's: what leads to it is another thing each time.
        assert_eq!(steps(&by("(closure) a", "Socket")), ["[n] of Array", "data of Object", ""][..2]);
        assert_eq!(by("(closure) a", "Socket"), by("(closure) b", "Socket"));
    }

    #[test]
    fn what_node_puts_in_between_says_nothing() {
        let wrapped = [
            ("listener", "(closure) bound onceWrapper", "node:events"),
            ("[n]", "Array", ""),
            ("jobs", "(closure) push", "/app/queue.js"),
        ];
        let plain = [("[n]", "Array", ""), ("jobs", "(closure) push", "/app/queue.js")];
        assert_eq!(form("Job", &wrapped), form("Job", &plain));
        let own = [("session", "Socket", ""), ("[n]", "(Global handles)", "")];
        assert!(form("Session", &own).contains("session of Socket"));
    }

    #[test]
    fn keys_are_not_names() {
        let by = |key: &str| {
            form("User", &[(key, "Object", ""), ("[n]", "Array", ""), ("users", "(closure) f", "/u.js")])
        };
        assert_eq!(by("user:4711"), by("user:4712"));
        assert_ne!(by("admins"), by("guests"));
        let path = [("alice", "Object", ""), ("users", "(closure) f", "/u.js")];
        let keyed = normal_form(&culprit("User", &path), None, |i| i == 0);
        assert!(keyed.contains("[key] of Object"), "{keyed}");
    }

    #[test]
    fn files_are_named_as_every_deployment_has_them() {
        for (file, name) in [
            ("/srv/releases/20251120T1200/dist/server.js", "server"),
            ("C:\\app\\src\\server.ts", "server"),
            ("/app/dist/main.3fa9c1d2.js", "main"),
            ("/app/dist/chunk-BqK3x9Zd.mjs", "chunk"),
            ("/app/dist/user-profile.js", "user-profile"),
            ("/app/lib/passport-oauth2.js", "passport-oauth2"),
            ("/app/node_modules/debug/src/common.js", "debug:src/common"),
            ("/app/node_modules/.pnpm/debug@4.1.1/node_modules/debug/src/common.js", "debug:src/common"),
            ("/app/node_modules/a/node_modules/@x/b/lib/c.cjs", "@x/b:lib/c"),
            ("/app/node_modules/left-pad", "left-pad:"),
            ("node:events", ""),
        ] {
            assert_eq!(file_of(file), name, "{file}");
        }
    }

    #[test]
    fn the_class_has_a_place_of_its_own() {
        let row = culprit("Row", &[("rows", "Page", ""), ("x", "(closure) f", "/far.js")]);
        let constructor = place("/srv/row.js");
        assert!(normal_form(&row, Some(&constructor), |_| false).ends_with("\nrow"));
        assert!(normal_form(&row, None, |_| false).ends_with("rows of Page\n"));
        // Where the anchor is a variable, that is the place.
        let session = culprit("Session", SESSIONS);
        assert!(normal_form(&session, Some(&constructor), |_| false).ends_with("\nauth"));
    }

    #[test]
    fn nothing_makes_it_fail() {
        for text in ["", "\u{0}\n", "[[", "((", "node_modules/", "node_modules/@", "é\\ü?#"] {
            let mut strange = culprit(text, &[(text, text, text), (text, "(closure) ", "")]);
            strange.location = Some(place(text));
            let hash = fingerprint(&strange, Some(&place(text)), |_| true);
            assert!(
                hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{text:?}: {hash}"
            );
        }
        assert_eq!(hash(&culprit("", &[])).len(), 16);
    }
}
