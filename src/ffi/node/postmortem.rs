//! What recordings say of deaths.

use std::io::Read;
use std::path::Path;

use napi::bindgen_prelude::{Env, Object};
use napi_derive::napi;

use super::background::in_background;
use super::to_napi;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::os;
use crate::postmortem::{Finding, Style, Surroundings, judge, render};
use crate::recorder::{MOST_BYTES, Recording};
use crate::units::UnixMillis;

/// Where locks do not work, a recording to which something was added so many intervals ago, and this, is one of a living process.
const INTERVALS: u64 = 3;
const GRACE_MS: u64 = 60_000;

/// The `schemaVersion` of a finding.
#[napi]
pub const POSTMORTEM_SCHEMA_VERSION: u32 = crate::postmortem::SCHEMA_VERSION;

/// The promise of what the recording at `path` says, as JSON. Read off this thread.
#[napi(catch_unwind, ts_return_type = "Promise<string>")]
pub fn postmortem<'env>(env: &'env Env, path: String) -> napi::Result<Object<'env>> {
    in_background(env, move || {
        let finding = examine(Path::new(&path))?;
        serde_json::to_string(&finding)
            .map_err(|error| Error::new(ErrorKind::Internal { message: error.to_string() }))
    })
}

/// Whether the process that writes the recording at `path` lives; nothing where only its content can tell.
#[napi(catch_unwind)]
pub fn is_recording(path: String) -> Option<bool> {
    os::is_recording(Path::new(&path))
}

/// The text of a finding given as JSON, in ASCII alone where that is asked for.
#[napi(catch_unwind)]
pub fn render_postmortem(json: String, ascii: bool) -> napi::Result<String> {
    let finding: Finding = serde_json::from_str(&json).map_err(|e| {
        let (expected, found) = ("a finding".to_owned(), e.to_string());
        to_napi(&ErrorKind::InvalidArg { name: "finding", expected, found }.into())
    })?;
    Ok(render(&finding, if ascii { Style::Ascii } else { Style::Blocks }))
}

fn examine(path: &Path) -> Result<Finding> {
    let recording = Recording::read(&content(path)?)?;
    let last_seen = recording.life().last_seen;
    let interval_ms = recording.header.interval.0 / 1000;
    let seems_alive = || {
        let until =
            last_seen.0.saturating_add(INTERVALS.saturating_mul(interval_ms)).saturating_add(GRACE_MS);
        recording.end.is_none() && UnixMillis::now().0 <= until
    };
    let surroundings = Surroundings {
        is_alive: os::is_recording(path).unwrap_or_else(seems_alive),
        boot_id: os::boot_id(),
        kills: os::container_kills(),
    };
    Ok(Finding { file: path.to_string_lossy().into_owned(), ..judge(&recording, &surroundings) })
}

/// A regular file's bytes, no more than a recording can have.
fn content(path: &Path) -> Result<Vec<u8>> {
    let file = os::input::open_regular(path)?;
    // As long as it will be: grown bit by bit it would be there twice.
    let length = file.metadata().map_or(0, |metadata| metadata.len()).min(MOST_BYTES as u64);
    let mut bytes = Vec::with_capacity(length as usize + 1);
    file.take(MOST_BYTES as u64).read_to_end(&mut bytes).map_err(|e| Error::io("read", path, &e))?;
    Ok(bytes)
}
