//! The sampling heap profiler, and the files that its profiles go to.

use std::path::Path;

use napi::bindgen_prelude::{Env, Object};
use napi_derive::napi;
use serde::Serialize;

use super::background::in_background;
use super::capture::is_alive;
use super::to_napi;
use crate::compress::Compression;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::v8;
use crate::pprof::AllocationProfile;
use crate::report::Reserved;
use crate::storage::{self, Budget, Swept};
use crate::units::Bytes;

/// Starts V8's sampling heap profiler in this thread: true where it did, false where somebody else's runs already, nothing where the
/// bridge cannot reach it. With `collects_first` V8 collects the whole heap before each profile.
#[napi(catch_unwind)]
pub fn start_allocation_sampling(interval_bytes: f64, collects_first: bool) -> Option<bool> {
    let (functions, isolate) = sampling()?;
    Some(v8::start_sampling(functions, isolate, interval_bytes as u64, collects_first))
}

/// Stops the profiler that `startAllocationSampling` started; without effect where none runs.
#[napi(catch_unwind)]
pub fn stop_allocation_sampling() {
    if let Some((functions, isolate)) = sampling() {
        v8::stop_sampling(functions, isolate);
    }
}

fn sampling() -> Option<(&'static v8::SamplingFunctions, v8::Isolate)> {
    let bridge = v8::bridge().ok()?;
    Some((bridge.sampling.as_ref()?, bridge.current_isolate()?))
}

/// What came of a file.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Written {
    bytes: u64,
    #[serde(flatten)]
    swept: Swept,
}

/// Writes a profile to a file that appears whole or not at all, readable by its owner alone; the promise of JSON: `bytes`, and what had
/// to make way for it where it may not be one of more than `files` of its kind, or of more than `most_bytes` (`evicted`, `problem`).
///
/// `format` is `heapprofile`, where `text` is written as it is, or `pprof`, where `text` is an `AllocationProfile` as JSON, which is
/// encoded and compressed.
#[napi(catch_unwind, ts_return_type = "Promise<string>")]
pub fn write_allocation_profile(
    env: &Env,
    path: String,
    format: String,
    text: String,
    files: Option<f64>,
    most_bytes: Option<f64>,
) -> napi::Result<Object<'_>> {
    let compression = match format.as_str() {
        "heapprofile" => None,
        "pprof" => Some(Compression::Gzip),
        _ => {
            let expected = "heapprofile or pprof".into();
            return Err(to_napi(&ErrorKind::InvalidArg { name: "format", expected, found: format }.into()));
        }
    };
    let budget = files
        .zip(most_bytes)
        .map(|(files, bytes)| Budget { files: files as u64, bytes: Bytes(bytes as u64) });
    in_background(env, move || {
        let path = Path::new(&path);
        let bytes = match compression {
            None => write(path, text.as_bytes(), None)?,
            Some(_) => write(path, &encoded(&text)?, compression)?,
        };
        let swept = budget.map_or_else(Swept::default, |budget| storage::sweep(path, budget, is_alive));
        let internal = |e: serde_json::Error| Error::new(ErrorKind::Internal { message: e.to_string() });
        serde_json::to_string(&Written { bytes, swept }).map_err(internal)
    })
}

fn encoded(json: &str) -> Result<Vec<u8>> {
    let profile: AllocationProfile = serde_json::from_str(json).map_err(|e| {
        Error::new(ErrorKind::InvalidArg {
            name: "text",
            expected: "an allocation profile".into(),
            found: e.to_string(),
        })
    })?;
    profile.to_pprof()
}

fn write(path: &Path, bytes: &[u8], compression: Option<Compression>) -> Result<u64> {
    let place = Reserved::create(path)?;
    let mut content = place.content(compression)?;
    content.write(bytes)?;
    let length = content.finish()?;
    place.publish()?;
    Ok(length)
}
