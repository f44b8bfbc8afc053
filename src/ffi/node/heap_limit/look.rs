//! One look at a heap that is at its limit, and the report that is made of it: the same in the process and in a clone.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::time::Instant;

use napi::bindgen_prelude::Env;
use napi::sys;
use serde_json::{Value, json};

use super::{Kept, Watcher, written};
use crate::analysis::{ConstructorDelta, Culprit, MatchedBy, accumulated, growth, spelled_names};
use crate::capture::Capture;
use crate::clone::message::Step;
use crate::clone::room::Way;
use crate::error::{Error, ErrorKind, Result};
use crate::ffi::node::background::guarded;
use crate::ffi::node::capture::{counted, free, internal, is_alive, walk_functions};
use crate::ffi::v8::{self, ChunkSink};
use crate::product::{Origin, mismatch};
use crate::report::{Grown, LeakReport, ReportedCulprit, Reserved, Rung};
use crate::snapshot::Stamp;
use crate::storage::{self, Budget};
use crate::units::UnixMillis;

/// What a report tells of, at most.
const MOST_CONSTRUCTORS: usize = 20;
/// Fewer objects more of a constructor are what two ways of counting may differ by.
const LEAST_COUNTED: i64 = 100;
/// The rung's reason in the ladder.
const WHY: &str = "the heap came to its limit: what does it hold?";
const NO_BASELINE: &str =
    "no baseline had been taken: culprits are what the heap holds most of, all of it, not what has grown";
const NOTHING_GREW: &str = "nothing that has grown since the baseline stands out: culprits are what the heap holds most of, all of it";

/// A look that is to be taken.
pub struct Look {
    pub started: Instant,
    pub at: UnixMillis,
    /// The report as far as it is known.
    pub draft: LeakReport,
    /// Where it goes.
    pub file: PathBuf,
    /// What growth is measured from.
    pub kept: Option<Kept>,
    /// Why it is not the best look that there could be.
    pub why: Option<String>,
}

/// What a look has found.
#[derive(Default)]
struct Found {
    culprits: Vec<Culprit>,
    constructors: Vec<ConstructorDelta>,
    census: Option<Vec<Grown>>,
    matched_by: Option<MatchedBy>,
    files: Vec<String>,
    notes: Vec<String>,
    /// Which of the names the program's text spells: these may leave the process.
    spelled: Vec<String>,
}

/// V8's chunks on their way.
struct Feed<'a, F> {
    capture: Capture,
    stamp: Option<Stamp>,
    step: &'a mut F,
    is_reading: bool,
}

impl<F: FnMut(Step)> ChunkSink for Feed<'_, F> {
    fn chunk(&mut self, text: &[u8]) -> bool {
        if !self.is_reading {
            self.is_reading = true;
            (self.step)(Step::Reading);
        }
        let capture = &mut self.capture;
        match &mut self.stamp {
            Some(stamp) => {
                stamp.apply(text, |piece| if capture.feed(piece) { Ok(()) } else { Err(()) }).is_ok()
            }
            None => capture.feed(text),
        }
    }
}

impl Look {
    /// The same look, for which there is one reason more not to be better.
    pub fn because(mut self, why: &str) -> Self {
        self.why = Some(why.to_owned());
        self
    }

    /// Takes the look in the way given, writes the report and gives what JavaScript is told of it. Does not fail: a report that could not be
    /// written, or has nothing to tell, says so.
    pub fn take(&self, watcher: &Watcher, mode: &str, way: Way, mut step: impl FnMut(Step)) -> Value {
        let in_clone = mode == "clone";
        // In a clone the process stood still until now.
        let forked = self.started.elapsed();
        let found = guarded(|| match way {
            Way::Census => self.counted(watcher, &mut step),
            Way::Clone | Way::Inline => self.seen(watcher, in_clone, &mut step),
        });
        let found = match found {
            Ok(found) => found,
            Err(error) => return self.without(Some(format!("the look at the heap failed: {error}"))),
        };
        step(Step::Telling);
        let duration = self.started.elapsed();
        let pause_ms = if in_clone { forked } else { duration }.as_secs_f64() * 1e3;
        let mut report = self.draft.clone();
        let rung = if way == Way::Census { "census" } else { "graph" };
        report.evidence.ladder.push(Rung {
            rung: rung.into(),
            mode: mode.into(),
            at: self.at,
            pause_ms,
            duration_ms: duration.as_secs_f64() * 1e3,
            cpu_ms: None,
            peak_bytes: None,
            why: WHY.into(),
        });
        report.pause_ms += pause_ms;
        let note = &mut report.evidence;
        note.mode = mode.into();
        note.rung = Some(if way == Way::Census { "census" } else { "snapshot" }.into());
        note.matched_by = found.matched_by.map(|by| by.name().to_owned());
        note.matched_by_reason = found.matched_by.and_then(|by| {
            mismatch(by, if in_clone { Origin::Clone } else { Origin::SameIsolate }).map(str::to_owned)
        });
        if found.matched_by.is_none() && way != Way::Census {
            note.baseline_at = None;
        }
        let notes: Vec<String> = self.why.iter().cloned().chain(found.notes).collect();
        note.reason = (!notes.is_empty()).then(|| notes.join("; "));
        report.culprits = found.culprits.into_iter().map(ReportedCulprit::from).collect();
        report.constructors = found.constructors;
        report.census = found.census;
        report.files = found.files;
        self.done(&report, &found.spelled)
    }

    /// The report where nothing was seen, because of `why`: written, and as JavaScript is told of it.
    pub fn without(&self, why: Option<String>) -> Value {
        let mut report = self.draft.clone();
        let reasons: Vec<String> = self.why.iter().cloned().chain(why).collect();
        if !reasons.is_empty() {
            report.evidence.reason = Some(reasons.join("; "));
        }
        self.done(&report, &[])
    }

    fn done(&self, report: &LeakReport, spelled: &[String]) -> Value {
        let problem = written(report, &self.file).err().map(|error| crate::ffi::node::error_json(&error));
        json!({ "type": "report", "path": self.file, "report": report, "spelled": spelled, "problem": problem })
    }

    /// By a snapshot.
    fn seen(&self, watcher: &Watcher, in_clone: bool, step: &mut impl FnMut(Step)) -> Result<Found> {
        let unsupported =
            |reason: &str| ErrorKind::Unsupported { feature: "snapshots", reason: reason.into() };
        let functions = watcher.bridge.snapshots.as_ref().ok_or_else(|| {
            unsupported("this runtime's snapshots cannot be taken through the bridge to V8")
        })?;
        if watcher.options.line_ends
            && let Some(line_ends) = watcher.bridge.line_ends.as_ref()
        {
            v8::make_iterable(watcher.bridge, watcher.isolate);
            v8::make_line_ends_known(line_ends, watcher.isolate);
        }
        let mut found = Found::default();
        let place = watcher.snapshot(self.at).map(|(path, budget)| (self.place(&path), path, budget));
        step(Step::Taking);
        let content = place.as_ref().map(|(place, ..)| place.as_ref().map_err(Error::clone)?.content(None));
        let capture = Capture::new(content, true);
        let stamp = in_clone.then(Stamp::new);
        let mut feed = Feed { capture, stamp, step, is_reading: false };
        let is_whole = v8::take_snapshot(functions, watcher.isolate, &mut feed);
        let Feed { capture, step, is_reading, .. } = feed;
        let cause = (!is_whole && !is_reading)
            .then(|| ErrorKind::Clone { reason: "V8 took no snapshot".into() }.into());
        step(Step::Analysing);
        let captured = capture.finish(cause);
        if let Some((place, path, budget)) = place {
            let is_complete = captured.file.unwrap_or_else(|| Err(internal("no file was written")));
            match is_complete.and_then(|_| place?.publish()) {
                Ok(()) => found.files.push(kept(&path, budget)),
                Err(error) => found.notes.push(format!("the snapshot was not kept: {error}")),
            }
        }
        let graph = captured.graph.unwrap_or_else(|| Err(internal("no graph was made")))?;
        let cancel = AtomicBool::new(false);
        if let Some(kept) = &self.kept {
            let grown = growth(&kept.baseline, &graph, &cancel)?;
            if !grown.culprits.is_empty() {
                found.matched_by = Some(grown.matched_by);
                (found.culprits, found.constructors) = (grown.culprits, grown.constructors);
            }
        }
        if found.culprits.is_empty() {
            let all = accumulated(&graph, &cancel)?;
            (found.culprits, found.constructors) = (all.culprits, all.constructors);
            let note = if self.kept.is_some() { NOTHING_GREW } else { NO_BASELINE };
            found.notes.push(note.to_owned());
        }
        found.constructors.truncate(MOST_CONSTRUCTORS);
        found.spelled = spelled_names(&graph, &(&found.culprits, &found.constructors));
        Ok(found)
    }

    /// A place for the snapshot, if there is space for it.
    fn place(&self, path: &Path) -> Result<Reserved> {
        let place = Reserved::create(path)?;
        let folder = path.parent().unwrap_or(Path::new("."));
        if let (Some(free), Some(limit)) = (free(folder), self.draft.heap_limit) {
            storage::check(folder, limit.used_bytes, None, free)?;
        }
        Ok(place)
    }

    /// By a walk over the heap.
    fn counted(&self, watcher: &Watcher, step: &mut impl FnMut(Step)) -> Result<Found> {
        step(Step::Taking);
        let (walk, isolate) = walk_functions().ok_or_else(|| internal("the heap cannot be walked"))?;
        // V8 calls from the middle of a collection: whose scope of handles is open there, nobody says.
        let mut scope = std::ptr::null_mut();
        // SAFETY: the environment is alive for as long as its heap is watched, and this is its thread; the place outlives the call.
        if unsafe { sys::napi_open_handle_scope(watcher.env, &raw mut scope) } != sys::Status::napi_ok {
            return Err(internal("no scope for handles"));
        }
        let counts = counted(walk, isolate, &Env::from_raw(watcher.env));
        // SAFETY: as above; the scope was opened here, and is the last one that was.
        unsafe { sys::napi_close_handle_scope(watcher.env, scope) };
        let counts = counts?;
        let was = |name: &str| self.kept.as_ref().map_or(0, |kept| kept.baseline.count(name));
        let mut grown: Vec<Grown> = counts
            .into_iter()
            .map(|(name, count)| {
                let count_delta = count as i64 - was(&name) as i64;
                Grown { constructor_name: name, count, count_delta }
            })
            .filter(|grown| grown.count_delta >= LEAST_COUNTED)
            .collect();
        grown.sort_by(|a, b| (b.count_delta, &a.constructor_name).cmp(&(a.count_delta, &b.constructor_name)));
        grown.truncate(MOST_CONSTRUCTORS);
        Ok(Found { census: Some(grown), ..Found::default() })
    }
}

/// Makes room for the snapshot at `path`, which is complete; gives its path.
fn kept(path: &Path, budget: Budget) -> String {
    storage::sweep(path, budget, is_alive);
    path.to_string_lossy().into_owned()
}
