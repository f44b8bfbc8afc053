//! The counts of a leak test: kept here, so that they are no part of the heap that is counted.

use std::sync::Arc;
use std::time::Instant;

use napi::bindgen_prelude::Env;
use napi_derive::napi;

use super::capture::{internal, measured, walk_functions};
use super::{to_json, to_napi};
use crate::analysis::{Lengths, Mark, Tally};
use crate::ffi::v8::{self, Collection};

/// Objects by constructor after each round of a leak test.
#[napi]
#[derive(Default)]
pub struct NativeTally {
    tally: Tally,
    lengths: Lengths,
    mark: Option<Arc<Mark>>,
}

#[napi]
impl NativeTally {
    /// An empty one.
    #[napi(constructor, catch_unwind)]
    pub fn new() -> Self {
        Self::default()
    }

    /// Counts the objects of this thread's heap and the entries of its collections, on this thread; gives the pause in milliseconds, and
    /// nothing where this runtime cannot. V8 collects garbage first.
    #[napi(catch_unwind)]
    pub fn count(&mut self, env: &Env) -> napi::Result<Option<f64>> {
        let Some((walk, isolate)) = walk_functions() else { return Ok(None) };
        let started = Instant::now();
        let walked = measured(walk, isolate, env, false).map_err(|e| to_napi(&e))?;
        let mut counts = walked.objects;
        counts.extend(walked.entries.into_iter().map(|(kind, count)| (entry_of(kind).to_owned(), count)));
        self.tally.push(counts);
        Ok(Some(started.elapsed().as_secs_f64() * 1e3))
    }

    /// Measures each collection that a snapshot has numbered; gives the pause in milliseconds, and nothing where this runtime cannot. Beside
    /// each of the graphs that are compared: there are numbers after the first only.
    #[napi(catch_unwind)]
    pub fn measure(&mut self, env: &Env) -> napi::Result<Option<f64>> {
        let Some((walk, isolate)) = walk_functions() else { return Ok(None) };
        let started = Instant::now();
        self.lengths.push(measured(walk, isolate, env, true).map_err(|e| to_napi(&e))?.lengths);
        Ok(Some(started.elapsed().as_secs_f64() * 1e3))
    }

    /// Numbers all objects, so that in a later snapshot those that are there by now are told from those to come, and counts them: by how many
    /// there are more since the last count. `false` where this runtime cannot. V8 collects garbage first.
    #[napi(catch_unwind)]
    pub fn mark(&mut self, env: &Env) -> napi::Result<bool> {
        let snapshots = v8::bridge().ok().and_then(|bridge| bridge.snapshots.as_ref());
        let Some((snapshots, (walk, isolate))) = snapshots.zip(walk_functions()) else { return Ok(false) };
        let Some(last) = v8::number_objects(snapshots, isolate) else { return Ok(false) };
        let counts = measured(walk, isolate, env, false).map_err(|e| to_napi(&e))?.objects;
        self.mark = Some(Arc::new(Mark { last, growth: self.tally.since(counts) }));
        Ok(true)
    }

    /// JSON: the constructors whose number grew in proportion to `calls`, those between each two of the last counts.
    #[napi(catch_unwind)]
    pub fn steady(&self, calls: Vec<f64>) -> napi::Result<String> {
        if calls.len() >= self.tally.len() {
            return Err(to_napi(&internal("more rounds than were counted")));
        }
        let calls: Vec<u64> = calls.iter().map(|&calls| calls as u64).collect();
        to_json(&self.tally.steady(&calls))
    }
}

impl NativeTally {
    /// What was known at the mark, if there was one.
    pub(super) fn marked(&self) -> Option<Arc<Mark>> {
        self.mark.clone()
    }

    /// What was measured.
    pub(super) fn lengths(&self) -> &Lengths {
        &self.lengths
    }
}

/// What stands for the entries of such collections among constructors.
fn entry_of(kind: Collection) -> &'static str {
    match kind {
        Collection::Array => "(entry of an Array)",
        Collection::Map => "(entry of a Map)",
        Collection::Set => "(entry of a Set)",
    }
}
