//! The import directions of the core, and where `unsafe` and Node-API may live, held against the sources themselves.

#[path = "layers/scan.rs"]
mod scan;

use scan::{Token, matches_at, root_paths, tokens, without_tests};
use std::path::Path;

/// Whom everyone may import.
const COMMON: &[&str] = &["units", "error", "config", "control"];

/// Who may import whom, beside `COMMON` and itself. A module that is not here is refused: give it a row.
const TABLE: &[(&str, &[&str])] = &[
    ("units", &[]),
    ("error", &[]),
    ("config", &[]),
    ("control", &[]),
    ("compress", &[]),
    // sample -> series -> verdict -> alert
    ("sample", &[]),
    ("series", &["sample"]),
    ("verdict", &["series", "sample"]),
    ("alert", &["verdict", "series", "sample"]),
    // sample -> recording -> replay, which judges again what was recorded.
    ("recording", &["sample"]),
    ("replay", &["recording", "alert", "verdict", "sample"]),
    // What a recording says of a death.
    ("postmortem", &["recorder", "report", "verdict", "analysis", "sample"]),
    // Whether the container is about to run out of memory.
    ("container", &[]),
    // snapshot -> graph -> analysis
    ("graph", &[]),
    ("snapshot", &["graph", "compress"]),
    ("analysis", &["graph"]),
    // Where the two flows are written down, and where they meet.
    ("report", &["verdict", "alert", "analysis", "sample", "compress"]),
    // The black box: what outlives the process.
    ("recorder", &["sample", "verdict"]),
    // One snapshot on its way to a file and to a graph.
    ("capture", &["snapshot", "graph", "report", "compress"]),
    // What snapshots may take of a disk.
    ("storage", &["compress"]),
    // A profile of allocations, as others read it.
    ("pprof", &[]),
    // What is decided and said about a clone of the process.
    ("clone", &[]),
    // Snapshots and recordings on their way to an answer.
    ("product", &["snapshot", "graph", "analysis", "replay"]),
    ("monitor", CORE),
    // The shell around the core: imports anything, and nothing imports it.
    ("ffi", CORE_AND_MONITOR),
];

const CORE: &[&str] = &[
    "sample",
    "recording",
    "series",
    "verdict",
    "alert",
    "graph",
    "snapshot",
    "analysis",
    "report",
    "recorder",
];

const CORE_AND_MONITOR: &[&str] = &[
    "sample",
    "recording",
    "series",
    "verdict",
    "alert",
    "graph",
    "snapshot",
    "analysis",
    "report",
    "recorder",
    "capture",
    "monitor",
    "compress",
    "product",
    "storage",
    "pprof",
    "clone",
    "container",
    "postmortem",
];

/// Where `unsafe` may be: at the border, and where vector registers are loaded and stored.
const UNSAFE: &[&str] = &["ffi/", "snapshot/scan/"];

/// Past this, a file is two concepts.
const MAX_LINES: usize = 600;

/// `series/ring.rs` -> `["series", "ring"]`; `series/mod.rs` -> `["series"]`; `lib.rs` -> `[]`.
fn module_path(file: &str) -> Vec<&str> {
    let mut parts: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if matches!(parts.last(), Some(&"mod")) || parts == ["lib"] {
        parts.pop();
    }
    parts
}

fn check_imports(file: &str, code: &[Token<'_>]) -> Vec<String> {
    let path = module_path(file);
    let Some(&module) = path.first() else { return check_root(code) };
    let Some((_, allowed)) = TABLE.iter().find(|(name, _)| *name == module) else {
        return vec![format!("{file}: module `{module}` is not in the table of layers.rs")];
    };
    let mut refused = Vec::new();
    for Token { text: target, line } in root_paths(code, path.len()) {
        let known = TABLE.iter().any(|(name, _)| *name == target);
        if !known {
            refused.push(format!(
                "{file}:{line}: `crate::{target}` is no module of the table; import it from the module it lives in"
            ));
        } else if target != module && !COMMON.contains(&target) && !allowed.contains(&target) {
            refused.push(format!("{file}:{line}: `{module}` must not import `{target}`"));
        }
    }
    refused
}

/// lib.rs names the modules; of `ffi` it may say only that it exists, and only with Node.
fn check_root(code: &[Token<'_>]) -> Vec<String> {
    const DECLARATION: &[&str] =
        &["#", "[", "cfg", "(", "feature", "=", "\"node\"", ")", "]", "mod", "ffi", ";"];
    let before = DECLARATION.len() - 2;
    code.iter()
        .enumerate()
        .filter(|(i, token)| {
            token.text == "ffi" && !(*i >= before && matches_at(code, i - before, DECLARATION))
        })
        .map(|(_, token)| {
            format!("lib.rs:{}: only `#[cfg(feature = \"node\")] mod ffi;` may name ffi", token.line)
        })
        .collect()
}

fn check_unsafe(file: &str, source: &str, code: &[Token<'_>]) -> Vec<String> {
    let mut refused = Vec::new();
    let lines: Vec<&str> = source.lines().collect();
    for (i, Token { text, line }) in code.iter().enumerate() {
        let next = code.get(i + 1).map_or("", |token| token.text);
        let is_napi = *text == "napi" || text.starts_with("napi_");
        let is_unsafe = *text == "unsafe" && !UNSAFE.iter().any(|folder| file.starts_with(folder));
        if is_unsafe || is_napi && !file.starts_with("ffi/") {
            refused.push(format!("{file}:{line}: `{text}` belongs into src/ffi/"));
        }
        if *text == "unsafe" && matches!(next, "{" | "impl") && !is_justified(&lines, line - 1) {
            refused.push(format!("{file}:{line}: `unsafe {next}` without a `// SAFETY:` comment above it"));
        }
    }
    refused
}

/// Whether the statement with line `at` (from 0) has a SAFETY comment: on the line or above it, past the statement's
/// own earlier lines, but not past the end of the statement before.
fn is_justified(lines: &[&str], at: usize) -> bool {
    let says_why = |line: &str| line.find("//").is_some_and(|i| line[i..].contains("SAFETY:"));
    if says_why(lines[at]) {
        return true;
    }
    for line in lines[..at].iter().rev().map(|line| line.trim()) {
        if line.starts_with("//") && says_why(line) {
            return true;
        }
        let comment = line.starts_with("//") || line.starts_with("#[");
        if !comment && (line.is_empty() || line.ends_with([';', '{', '}'])) {
            return false;
        }
    }
    false
}

fn check_length(file: &str, source: &str) -> Vec<String> {
    match source.lines().count() {
        n if n > MAX_LINES => vec![format!("{file}: {n} lines, at most {MAX_LINES}: it is two concepts")],
        _ => Vec::new(),
    }
}

/// What is wrong with a tree of sources, given as (path below src/, text).
fn check(files: &[(String, String)]) -> Vec<String> {
    let scanned: Vec<_> = files.iter().map(|(file, source)| (file, source, tokens(source))).collect();
    // Files that only tests compile may look at anything: a naive oracle needs what it is an oracle of.
    let mut test_only = Vec::new();
    for (file, _, all) in &scanned {
        for name in without_tests(all).1 {
            let mut path = module_path(file);
            path.push(name);
            test_only.push(path.join("/"));
        }
    }
    let mut refused = Vec::new();
    for (file, source, all) in &scanned {
        let path = module_path(file).join("/");
        if !test_only.iter().any(|test| path == *test || path.starts_with(&format!("{test}/"))) {
            refused.extend(check_imports(file, &without_tests(all).0));
        }
        refused.extend(check_unsafe(file, source, all));
        refused.extend(check_length(file, source));
    }
    refused
}

fn read_tree(folder: &Path, below: &str, files: &mut Vec<(String, String)>) {
    for entry in std::fs::read_dir(folder).expect("readable folder") {
        let entry = entry.expect("readable entry");
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.path().is_dir() {
            read_tree(&entry.path(), &format!("{name}/"), files);
        } else if name.ends_with(".rs") {
            files.push((name, std::fs::read_to_string(entry.path()).expect("UTF-8 source")));
        }
    }
}

#[test]
fn the_sources_keep_to_the_table() {
    let mut files = Vec::new();
    read_tree(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), "", &mut files);
    assert!(files.iter().any(|(file, _)| file == "lib.rs"), "found no sources to check");
    let refused = check(&files);
    assert!(refused.is_empty(), "\n{}\n", refused.join("\n"));
}

fn refusals(files: &[(&str, &str)]) -> Vec<String> {
    check(&files.iter().map(|(file, source)| (file.to_string(), source.to_string())).collect::<Vec<_>>())
}

#[track_caller]
fn refuses(file: &str, source: &str, expected: &str) {
    let refused = refusals(&[(file, source)]);
    assert!(refused.iter().any(|r| r.contains(expected)), "{file} {source:?}: got {refused:?}");
}

#[track_caller]
fn accepts(file: &str, source: &str) {
    let refused = refusals(&[(file, source)]);
    assert!(refused.is_empty(), "{file} {source:?}: got {refused:?}");
}

#[test]
fn an_import_against_the_flow_is_refused() {
    refuses("sample/mod.rs", "use crate::series::Ring;", "`sample` must not import `series`");
    refuses("verdict/trend.rs", "use crate::alert::Alert;", "trend.rs:1: `verdict` must not import `alert`");
    refuses("graph/mod.rs", "use crate::{units::Bytes, snapshot::{Reader, self}};", "import `snapshot`");
    refuses("analysis/mod.rs", "use crate::snapshot;", "import `snapshot`");
    refuses("recorder/mod.rs", "use crate::alert::Alert;", "import `alert`");
    refuses("report/mod.rs", "fn f() -> crate::monitor::Monitor { todo!() }", "import `monitor`");
    refuses("error.rs", "use crate::sample::Sample;", "import `sample`");
    refuses("recording/mod.rs", "use crate::verdict::Verdict;", "import `verdict`");
    refuses("replay/mod.rs", "use crate::monitor::Monitor;", "import `monitor`");
}

#[test]
fn an_import_with_the_flow_is_accepted() {
    accepts("alert/mod.rs", "use crate::{sample::Sample, series::Ring, verdict::{Verdict, Kind}};");
    accepts("alert/cooldown.rs", "use crate::alert::Alert; use crate::config::Config; use super::Alert;");
    accepts("snapshot/mod.rs", "pub(crate) use crate::graph::Graph;");
    accepts("monitor.rs", "use crate::{recorder::Writer, report::Report, error::Result};");
    accepts("ffi/node/monitor.rs", "use crate::monitor::Monitor; use crate::ffi::v8; use napi_derive::napi;");
}

#[test]
fn nothing_imports_ffi() {
    refuses("monitor.rs", "use crate::ffi::v8::Bridge;", "`monitor` must not import `ffi`");
    refuses("sample/thread.rs", "let rss = crate::ffi::os::rss();", "`sample` must not import `ffi`");
    refuses("lib.rs", "mod ffi;", "may name ffi");
    refuses("lib.rs", "#[cfg(feature = \"node\")]\nmod ffi;\npub use ffi::v8;", "lib.rs:3");
    accepts("lib.rs", "//! The core.\npub mod units;\n#[cfg(feature = \"node\")]\nmod ffi;\n");
}

#[test]
fn climbing_to_the_root_is_an_import() {
    refuses("graph/mod.rs", "use super::analysis::Suspect;", "`graph` must not import `analysis`");
    refuses("graph/csr.rs", "use super::super::{units::Bytes, analysis::Suspect};", "import `analysis`");
    refuses("graph/csr.rs", "mod inner { use super::super::super::analysis::Suspect; }", "import `analysis`");
    accepts("graph/csr.rs", "use super::analysis::NotTheOneAtTheRoot;");
    accepts("graph/csr.rs", "mod inner { use super::super::analysis::NotTheOneAtTheRoot; }");
}

#[test]
fn a_way_around_the_table_is_refused() {
    refuses("graph/mod.rs", "use crate::*;", "`crate::*` is no module of the table");
    refuses("graph/mod.rs", "use crate::Suspect;", "`crate::Suspect` is no module of the table");
    refuses("helpers.rs", "pub fn help() {}", "`helpers` is not in the table");
}

#[test]
fn tests_may_import_what_they_need() {
    accepts("graph/mod.rs", "#[cfg(test)]\nmod tests { use super::*; use crate::analysis::Suspect; }");
    accepts("graph/mod.rs", "#[cfg(test)]\nuse crate::analysis::Suspect;");
    let oracle = ("graph/oracle.rs", "use crate::analysis::Suspect;");
    let fixture = ("graph/oracle/small.rs", "use crate::analysis::Suspect;");
    let quiet = refusals(&[("graph/mod.rs", "#[cfg(test)]\n#[rustfmt::skip]\nmod oracle;"), oracle, fixture]);
    assert!(quiet.is_empty(), "{quiet:?}");
    assert_eq!(refusals(&[("graph/mod.rs", "mod oracle;"), oracle, fixture]).len(), 2);
    refuses("graph/mod.rs", "#[cfg(test)] mod tests { } use crate::analysis::Suspect;", "import `analysis`");
    refuses("graph/mod.rs", "#[cfg(test)] mod tests { fn f() { unsafe { g() } } }", "belongs into src/ffi/");
}

#[test]
fn unsafe_and_napi_stay_in_ffi() {
    for source in
        ["unsafe { f() }", "unsafe fn f() {}", "unsafe impl Send for A {}", "unsafe extern \"C\" {}"]
    {
        refuses("sample/mod.rs", source, "`unsafe` belongs into src/ffi/");
    }
    refuses("monitor.rs", "use napi::bindgen_prelude::*;", "`napi` belongs into src/ffi/");
    refuses("monitor.rs", "#[napi_derive::napi]\nfn f() {}", "`napi_derive` belongs into src/ffi/");
    refuses("snapshot/parser.rs", "unsafe fn f() {}", "`unsafe` belongs into src/ffi/");
    refuses("snapshot/scan/avx2.rs", "use napi::Env;", "`napi` belongs into src/ffi/");
    refuses("snapshot/scan/avx2.rs", "fn f() { unsafe { g() } }", "without");
    accepts("snapshot/scan/avx2.rs", "unsafe fn f() {}");
    accepts("ffi/v8/mod.rs", "unsafe extern \"C\" fn f() {}");
    accepts("lib.rs", "#![forbid(unsafe_code)]");
}

#[test]
fn an_unsafe_block_says_why_it_is_sound() {
    refuses("ffi/a.rs", "fn f() { unsafe { g() } }", "ffi/a.rs:1: `unsafe {` without");
    refuses(
        "ffi/a.rs",
        "// SAFETY: the first.\nlet a = unsafe { f() };\nlet b = unsafe { g() };",
        "ffi/a.rs:3",
    );
    refuses("ffi/a.rs", "unsafe impl Send for A {}", "`unsafe impl` without");
    refuses("ffi/a.rs", "let s = \"// SAFETY: no\";\nunsafe { f() };", "without");
    accepts("ffi/a.rs", "// SAFETY: the pointer\n// is V8's own.\nlet a =\n    unsafe { f() };");
    accepts("ffi/a.rs", "// SAFETY: A has no interior.\n#[cfg(unix)]\nunsafe impl Send for A {}");
    accepts("ffi/a.rs", "Some(f) => unsafe { f() }, // SAFETY: found by its mangled name.");
}

#[test]
fn comments_and_strings_are_not_code() {
    accepts("graph/mod.rs", "// use crate::analysis;\n/* unsafe { /* napi */ } */\n/// crate::ffi");
    accepts(
        "graph/mod.rs",
        "let a = \"crate::analysis \\\" unsafe {\"; let b = r#\"napi \" unsafe\"#; let c = b\"napi\";",
    );
    refuses("graph/mod.rs", "let q = '\"'; use crate::analysis::S; let r = '\\'';", "import `analysis`");
    refuses("graph/mod.rs", "fn f<'a>(x: &'a u8) {} use crate::analysis::S;", "import `analysis`");
    refuses("graph/mod.rs", "/* two\nlines */ let s = \"and\n more\";\nuse crate::analysis::S;", "mod.rs:4");
}

#[test]
fn a_long_file_is_refused() {
    accepts("graph/mod.rs", &"\n".repeat(MAX_LINES));
    refuses("graph/mod.rs", &"\n".repeat(MAX_LINES + 1), "601 lines, at most 600");
}
