//! Reports as text and as files.

use std::path::Path;

use napi_derive::napi;

use super::to_napi;
use crate::error::{Error, ErrorKind};
use crate::report::{AtomicFile, LeakReport, render};

/// The `schemaVersion` of a LeakReport.
#[napi]
pub const LEAK_REPORT_SCHEMA_VERSION: u32 = crate::report::SCHEMA_VERSION;

/// The text of a leak report given as JSON.
#[napi(catch_unwind)]
pub fn render_leak_report(json: String) -> napi::Result<String> {
    let report: LeakReport = serde_json::from_str(&json).map_err(|e| {
        let kind =
            ErrorKind::InvalidArg { name: "report", expected: "a LeakReport".into(), found: e.to_string() };
        to_napi(&Error::new(kind))
    })?;
    Ok(render(&report))
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
