//! Analysis of snapshot files.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use napi::bindgen_prelude::{Env, Object};
use napi_derive::napi;

use super::background::in_background;
use crate::analysis;
use crate::error::{Error, ErrorKind, Result};
use crate::graph::Graph;
use crate::snapshot::SnapshotParser;

/// Read at a time from a file.
const READ_BYTES: usize = 256 * 1024;

/// The promise of a file's summary: JSON. `chunk_bytes` is the size of the pieces that the parser is given.
#[napi(catch_unwind, ts_return_type = "Promise<string>")]
pub fn summarize_file(env: &Env, path: String, chunk_bytes: Option<u32>) -> napi::Result<Object<'_>> {
    in_background(env, move || {
        let graph = load(Path::new(&path), chunk_bytes)?;
        json(&analysis::summarize(&graph, &AtomicBool::new(false))?)
    })
}

/// The promise of what grew from the first file to the second: JSON.
#[napi(catch_unwind, ts_return_type = "Promise<string>")]
pub fn diff_files(env: &Env, before: String, after: String) -> napi::Result<Object<'_>> {
    in_background(env, move || {
        let before = load(Path::new(&before), None)?;
        let after = load(Path::new(&after), None)?;
        json(&analysis::diff(&before, &after, &AtomicBool::new(false))?)
    })
}

fn json(value: &impl serde::Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|e| ErrorKind::Internal { message: e.to_string() }.into())
}

fn load(path: &Path, chunk_bytes: Option<u32>) -> Result<Graph> {
    let mut file = File::open(path).map_err(|e| Error::io("open", path, &e))?;
    let mut parser = SnapshotParser::new();
    let mut buffer = vec![0; READ_BYTES];
    let chunk = chunk_bytes.map_or(READ_BYTES, |n| n as usize).max(1);
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return parser.finish(),
            Ok(n) => buffer[..n].chunks(chunk).try_for_each(|piece| parser.feed(piece))?,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Error::io("read", path, &error)),
        }
    }
}
