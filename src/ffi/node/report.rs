//! Reports as text and as files.

use std::path::Path;

use napi_derive::napi;

use super::{to_json, to_napi};
use crate::analysis::{Culprit, FloorGrowth, Spans, ambiguity, confirmed};
use crate::error::{Error, ErrorKind};
use crate::report::{AtomicFile, LeakCheck, LeakReport, render, render_check};

/// The `schemaVersion` of a LeakReport.
#[napi]
pub const LEAK_REPORT_SCHEMA_VERSION: u32 = crate::report::SCHEMA_VERSION;

/// The text of a leak report given as JSON.
#[napi(catch_unwind)]
pub fn render_leak_report(json: String) -> napi::Result<String> {
    Ok(render(&parsed::<LeakReport>("report", "a LeakReport", &json)?))
}

/// The text of what a leak test found, given as JSON.
#[napi(catch_unwind)]
pub fn render_leak_check(json: String) -> napi::Result<String> {
    Ok(render_check(&parsed::<LeakCheck>("check", "what a leak test found", &json)?))
}

/// Why culprits, as JSON, do not tell who is to blame for the floor's growth, as JSON; nothing where they do.
#[napi(catch_unwind)]
pub fn ambiguity_of(culprits: String, floor: String) -> napi::Result<Option<String>> {
    let culprits: Vec<Culprit> = parsed("culprits", "culprits", &culprits)?;
    Ok(ambiguity(&culprits, &parsed::<FloorGrowth>("floor", "a floor's growth", &floor)?))
}

/// JSON: `culprits` of a second look, those in front that have grown since the first, and `decisions` on each. `spans` are the times of the
/// looks.
#[napi(catch_unwind)]
pub fn confirm_culprits(first: String, second: String, spans: String) -> napi::Result<String> {
    let first: Vec<Culprit> = parsed("first", "culprits", &first)?;
    let second = parsed("second", "culprits", &second)?;
    to_json(&confirmed(&first, second, parsed::<Spans>("spans", "the times of the looks", &spans)?))
}

fn parsed<T: serde::de::DeserializeOwned>(name: &'static str, expected: &str, json: &str) -> napi::Result<T> {
    serde_json::from_str(json).map_err(|e| {
        let kind = ErrorKind::InvalidArg { name, expected: expected.into(), found: e.to_string() };
        to_napi(&Error::new(kind))
    })
}

/// Whether `name` is one that V8, JavaScript and Node give in any process.
#[napi(catch_unwind)]
pub fn is_own_name(name: String) -> bool {
    crate::snapshot::is_own(&name)
}

/// Writes a file that appears whole or not at all, readable by its owner alone.
#[napi(catch_unwind)]
pub fn write_file_atomic(path: String, text: String) -> napi::Result<()> {
    let write = || {
        let mut file = AtomicFile::create(Path::new(&path))?;
        file.write(text.as_bytes())?;
        file.commit().map(drop)
    };
    write().map_err(|e| to_napi(&e))
}
