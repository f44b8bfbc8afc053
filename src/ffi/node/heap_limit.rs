//! What is done when a thread's heap comes to its limit: a report that reaches the disk whether JavaScript ever runs again or not.
//!
//! ```text
//!  V8 asks for a higher limit      V8 gives up without asking (a table too large for what is left)
//!        │ near                          │ fatal
//!        ▼                               ▼
//!  a draft of the report is on disk, oom-risk waits for JavaScript
//!        │                               │
//!        ├─ in a clone: the answer is    ├─ in a clone, and the process waits for it
//!        │  given at once                └─ nothing
//!        ├─ inline: when it is done
//!        └─ nothing
//!  the report takes the draft's place; `fatal`, if it comes to that, waits for a clone that is still at work
//! ```

mod look;
mod shared;

use std::cell::Cell;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use napi::sys;
use napi_derive::napi;
use serde_json::{Value, json};

use super::background::{guarded, spawn};
use crate::clone::limit::{Means, inline_refusal, plan, slack};
use crate::clone::message::Message;
use crate::clone::room::{Room, Way};
use crate::error::Result;
use crate::ffi::os::pending;
use crate::ffi::v8::{self, AtLimit, NearLimit, Next, Reply};
use crate::recorder::IncidentPhase;
use crate::report::{
    AtomicFile, EvidenceNote, HeapLimitRecord, LeakReport, Reason, SCHEMA_VERSION, VerdictRecord,
};
use crate::storage::Budget;
use crate::units::{Bytes, UnixMillis};
use look::Look;
use shared::locked;
pub use shared::{Kept, Shared};

/// By how much the limit rises while V8 collects garbage for our own snapshot.
const ROOM_FOR_V8: u64 = 16 << 20;
/// By how much Node raises a worker's limit for its end, and how much of that has to be left.
const ROOM_FOR_NODE: u64 = 16 << 20;
const MARGIN: u64 = 4 << 20;
/// Above the highest limit that V8 has been told, where it wants a higher one still.
const STEP: u64 = 1 << 20;
/// How long other threads are waited for to fall asleep: this, and as much for each megabyte of heap. Those of the collection that has just
/// ended sweep for some ten milliseconds, and longer where others want the processors; a look inline takes ten times as long.
const PATIENCE: Duration = Duration::from_millis(250);
const PATIENCE_PER_MIB: Duration = Duration::from_millis(10);
/// When a clone has to be done: this, and as much for each megabyte of heap. It yields to whoever wants the processors: on a busy
/// machine a heap of 40 MB has taken 111 s. Nobody waits for as long (`patience`), and where its process is gone there is no second look.
const DEADLINE: Duration = Duration::from_secs(300);
const DEADLINE_PER_MIB: Duration = Duration::from_secs(2);
/// The first process of a container takes all others with it, clones that are meant to outlive it among them: for that long it waits.
const FIRST_PROCESS_WAITS: Duration = Duration::from_secs(120);

/// How a heap's limit is watched.
#[napi(object)]
#[derive(Clone)]
pub struct HeapLimitOptions {
    /// By how much the limit is raised; nothing for a tenth of it.
    pub slack_bytes: Option<f64>,
    /// Whether the snapshot is kept.
    pub snapshot: bool,
    /// How many times a look is taken.
    pub captures: u32,
    /// Where files go.
    pub directory: String,
    /// What the snapshots in it may come to.
    pub max_files: f64,
    /// The same in bytes.
    pub max_bytes: f64,
    /// Version of Node.
    pub node: String,
    /// The machine's name.
    pub host: String,
    /// The thread.
    pub thread_id: u32,
    /// Whether V8 has to be told to make line ends known.
    pub line_ends: bool,
    /// Why the heap is not to be looked at; nothing where it may be.
    pub blind: Option<String>,
    /// Why no clone can be made; nothing where one can.
    pub no_clone: Option<String>,
    /// How long a process that dies waits for its report.
    pub wait_ms: f64,
}

/// The watch over one isolate's limit, from creation to drop, on its thread.
pub struct HeapLimit {
    _near: NearLimit,
}

impl HeapLimit {
    /// Watches the limit of `isolate`, of the environment `env`. `verdict` gives what the detector last said. Nothing where this runtime
    /// cannot, or somebody watches it already.
    pub fn watch(
        isolate: v8::Isolate,
        env: sys::napi_env,
        options: HeapLimitOptions,
        shared: &Arc<Shared>,
        verdict: Box<dyn Fn() -> VerdictRecord>,
    ) -> Option<Self> {
        let bridge = v8::bridge().ok()?;
        let watcher = Watcher {
            bridge,
            isolate,
            env,
            captures: Cell::new(options.captures),
            options,
            shared: Arc::clone(shared),
            verdict,
            is_looking: Cell::new(false),
            highest: Cell::new(0),
        };
        Some(Self { _near: NearLimit::install(isolate, Rc::new(watcher))? })
    }
}

struct Watcher {
    bridge: &'static v8::Bridge,
    isolate: v8::Isolate,
    env: sys::napi_env,
    options: HeapLimitOptions,
    shared: Arc<Shared>,
    verdict: Box<dyn Fn() -> VerdictRecord>,
    /// How many looks may still be taken.
    captures: Cell<u32>,
    /// Whether V8 is asked for a snapshot at this moment, in this process.
    is_looking: Cell<bool>,
    /// The highest limit that V8 has been told.
    highest: Cell<u64>,
}

impl AtLimit for Watcher {
    fn near(&self, current: Bytes) -> Reply {
        let raise = |by: u64| {
            let limit = current.0.max(self.highest.get()).saturating_add(by);
            self.highest.set(limit);
            Bytes(limit)
        };
        if self.is_looking.get() {
            return Reply { limit: raise(ROOM_FOR_V8), next: Next::Same };
        }
        if self.captures.get() == 0 {
            return Reply { limit: raise(STEP), next: Next::Before };
        }
        let wanted = self.options.slack_bytes.map(|bytes| Bytes(bytes as u64));
        // A heap may be past its limit by what was asked for at once.
        let above = self.figures().0.saturating_sub(current);
        let limit = raise(slack(wanted, current, memory_left()).0 + above.0);
        self.shared.wait(self.patience());
        self.captures.set(self.captures.get() - 1);
        self.incident(UnixMillis::now(), current, limit, false);
        if self.options.thread_id != 0 {
            // Nobody asks this thread again, which has nothing left to do: one more try where the clone came to grief.
            self.shared.wait(self.patience());
            if let Some(at) = locked(&self.shared.lost).take() {
                self.incident(at, current, limit, false);
                self.shared.wait(self.patience());
            }
        }
        let limit = if self.highest.get() > limit.0 { raise(STEP) } else { limit };
        if self.options.thread_id != 0 {
            // Node ends a worker at its limit, and has so much room for that. A heap that grew on until it is asked could be past it, which
            // ends the process; so it is asked at once. A heap that is past it now goes on, until it comes to a limit that Node can raise.
            let is_room = above.0 + MARGIN <= ROOM_FOR_NODE;
            return Reply { limit, next: if is_room { Next::BeforeAtOnce } else { Next::Before } };
        }
        Reply { limit, next: if self.captures.get() > 0 { Next::Same } else { Next::Before } }
    }

    fn fatal(&self, is_heap: bool) {
        if self.is_looking.get() {
            // Our own snapshot took the last memory. The draft is on disk.
            return;
        }
        let is_working = self.shared.is_working();
        self.shared.wait(self.patience());
        // One more try where the clone came to grief: nobody else will tell.
        let lost = locked(&self.shared.lost).take();
        let is_first = !is_working && self.captures.get() > 0;
        if is_heap && (is_first || lost.is_some()) {
            self.captures.set(0);
            let limit = self.figures().1;
            self.incident(lost.unwrap_or_else(UnixMillis::now), limit, limit, true);
            self.shared.wait(self.patience());
        }
    }
}

impl Watcher {
    /// How long this thread waits for a clone, with nothing else left to do.
    fn patience(&self) -> Duration {
        let wait = Duration::try_from_secs_f64(self.options.wait_ms / 1e3).unwrap_or_default();
        if std::process::id() == 1 { wait.max(FIRST_PROCESS_WAITS) } else { wait }
    }

    /// Used on the heap, and V8's limit.
    fn figures(&self) -> (Bytes, Bytes) {
        let figures = v8::from_statistics(&v8::heap_statistics(self.bridge, self.isolate));
        (figures.used, figures.limit)
    }

    /// Takes down that the heap is at its limit, and what it holds.
    fn incident(&self, at: UnixMillis, limit: Bytes, raised_to: Bytes, fatal: bool) {
        let guard = pending::begin();
        let started = Instant::now();
        let (used, _) = self.figures();
        let record = HeapLimitRecord { used_bytes: used, limit_bytes: limit, raised_to_bytes: raised_to };
        let kept = locked(&self.shared.kept).clone();
        let draft = self.draft(at, record, kept.as_ref());
        let file = self.file(at);
        let reason = if fatal { "heap-limit-fatal" } else { "heap-limit" };
        self.shared.record(IncidentPhase::Began, record, reason);
        // Whatever comes now, that much is known.
        let _ = written(&draft, &file);
        self.shared.tell(json!({
            "type": "oom-risk", "kind": "heap", "reason": reason,
            "usedBytes": used, "limitBytes": limit, "raisedToBytes": raised_to, "at": at, "report": file,
        }));
        let means = Means {
            blind: self.options.blind.clone(),
            no_clone: self.options.no_clone.clone(),
            walk: self.bridge.walk.is_some(),
            fatal,
        };
        let room = Room { heap: used, left: memory_left().unwrap_or(Bytes(u64::MAX)), seen: times_seen() };
        let planned = plan(&room, &means);
        let look = Look { started, at, draft, file, kept, why: planned.reason };
        match planned.way {
            Some(way @ (Way::Clone | Way::Census)) => self.in_clone(look, way, &room, &means, guard),
            Some(Way::Inline) => self.inline(look),
            None => self.finish(&look, look.without(None)),
        }
    }

    /// A report that says no more than that the heap is at its limit.
    fn draft(&self, at: UnixMillis, record: HeapLimitRecord, kept: Option<&Kept>) -> LeakReport {
        let rung = kept.and_then(|kept| kept.rung.clone());
        LeakReport {
            schema_version: SCHEMA_VERSION,
            reason: Reason::HeapLimit,
            reported_at: at,
            pid: std::process::id(),
            thread_id: self.options.thread_id,
            node: self.options.node.clone(),
            host: Some(self.options.host.clone()),
            verdict: (self.verdict)(),
            heap_limit: Some(record),
            container_limit: None,
            culprits: Vec::new(),
            constructors: Vec::new(),
            census: None,
            routes: None,
            allocation_sites: Vec::new(),
            files: Vec::new(),
            pause_ms: rung.as_ref().map_or(0.0, |rung| rung.pause_ms),
            evidence: EvidenceNote {
                mode: "none".into(),
                rung: Some("none".into()),
                reason: Some("the look at the heap did not come to its end".into()),
                baseline_at: rung.as_ref().map(|rung| rung.at),
                matched_by: None,
                matched_by_reason: None,
                heap_source: "bridge".into(),
                allocation_sites_reason: Some("not told of at the heap's limit".into()),
                allocation_sites_at: None,
                ladder: rung.into_iter().collect(),
                confirmation: None,
            },
        }
    }

    fn file(&self, at: UnixMillis) -> PathBuf {
        let name = format!("leak-{}-{}-{}.json", compact(at), std::process::id(), self.options.thread_id);
        Path::new(&self.options.directory).join(format!("heapwarden-{name}"))
    }

    /// The name of the snapshot that is kept, if it is; those that JavaScript names have numbers from 1.
    fn snapshot(&self, at: UnixMillis) -> Option<(PathBuf, Budget)> {
        let name =
            || format!("{}-{}-{}-0.heapsnapshot", compact(at), std::process::id(), self.options.thread_id);
        let budget =
            Budget { files: self.options.max_files as u64, bytes: Bytes(self.options.max_bytes as u64) };
        self.options
            .snapshot
            .then(|| (Path::new(&self.options.directory).join(format!("heapwarden-{}", name())), budget))
    }

    /// Looks at the heap on the spot. The process stands still.
    fn inline(&self, look: Look) {
        self.is_looking.set(true);
        let report = look.take(self, "inline", Way::Inline, |_| {});
        self.is_looking.set(false);
        self.finish(&look, report);
    }

    /// Has a clone look at the heap, which writes the report and outlives this process if need be.
    #[cfg(target_os = "linux")]
    fn in_clone(&self, look: Look, way: Way, room: &Room, means: &Means, guard: pending::Guard) {
        use crate::ffi::os::clone::{Attempt, Limits, attempt};

        let mib = u32::try_from(room.heap.0 / Bytes::MIB).unwrap_or(u32::MAX);
        let mut limits = Limits {
            deadline: DEADLINE + DEADLINE_PER_MIB * mib,
            memory: room.ceiling(),
            patience: PATIENCE + PATIENCE_PER_MIB * mib,
            insist: false,
            outlives: true,
        };
        let work = |out: &mut crate::ffi::os::clone::Out| {
            v8::never_at_the_limit(self.isolate);
            let report = look.take(self, "clone", way, |step| out.step(step));
            out.say(&Message::Product(report.to_string()));
        };
        let mut made = attempt(self.bridge.address(), &[], &limits, work);
        if matches!(made, Ok(Attempt::Busy)) {
            // Threads that are at work may be in the middle of anything.
            if inline_refusal(room, means).is_none() && way == Way::Clone {
                return self
                    .inline(look.because("not in a clone: other threads of the process were at work"));
            }
            limits.insist = true;
            made = attempt(self.bridge.address(), &[], &limits, work);
        }
        let watch = match made {
            Ok(Attempt::Made(watch, _)) => watch,
            Ok(Attempt::Busy) => {
                return self.finish(&look, look.without(Some("no clone could be made".into())));
            }
            Err(error) if inline_refusal(room, means).is_none() => {
                return self.inline(look.because(&format!("not in a clone: {error}")));
            }
            Err(error) => return self.finish(&look, look.without(Some(error.to_string()))),
        };
        self.shared.begin(guard);
        let shared = Arc::clone(&self.shared);
        let spawned = spawn("heapwarden-limit", move || {
            let (at, record) = (look.at, look.draft.heap_limit);
            if let Ok((report, is_lost)) = guarded(|| Ok(heard(watch, look))) {
                *locked(&shared.lost) = is_lost.then_some(at);
                if let Some(record) = record {
                    shared.finish(record, report);
                }
            }
            shared.end();
        });
        if spawned.is_err() {
            self.shared.end();
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn in_clone(&self, look: Look, _: Way, _: &Room, _: &Means, _: pending::Guard) {
        self.inline(look);
    }

    fn finish(&self, look: &Look, report: Value) {
        if let Some(record) = look.draft.heap_limit {
            self.shared.finish(record, report);
        }
    }
}

/// Hears a clone to its end and gives its report, and whether it came to grief: then the report says so.
#[cfg(target_os = "linux")]
fn heard(watch: crate::ffi::os::clone::Watch, look: Look) -> (Value, bool) {
    use crate::ffi::os::clone::Watched;
    use std::sync::atomic::AtomicBool;

    let mut report = None;
    let watched = watch.hear(&AtomicBool::new(false), |message| {
        if let Message::Product(json) = message {
            report = serde_json::from_str::<Value>(&json).ok();
        }
    });
    let (cpu, peak, lost) = match watched {
        Watched::Told { peak, cpu } => (cpu, Some(peak), None),
        Watched::Lost { reason, cpu } => (cpu, None, Some(reason)),
        Watched::Cancelled => (None, None, None),
    };
    match report {
        Some(mut report) => {
            report["cpuMs"] = json!(cpu.map(|time| time.as_secs_f64() * 1e3));
            report["peakBytes"] = json!(peak);
            (report, false)
        }
        None => {
            let why = format!("a clone of the process came to grief: {}", lost.unwrap_or_default());
            (look.without(Some(why)), true)
        }
    }
}

/// Writes the report; a file of that name is replaced when it is whole.
fn written(report: &LeakReport, file: &Path) -> Result<()> {
    let text = serde_json::to_string_pretty(report).map_err(|e| super::capture::internal(&e.to_string()))?;
    let mut out = AtomicFile::create(file)?;
    out.write(text.as_bytes())?;
    out.write(b"\n")?;
    out.commit().map(drop)
}

/// A moment as file names have it: `20261121T131218-123Z`.
fn compact(at: UnixMillis) -> String {
    at.to_string().replace(['-', ':'], "").replace('.', "-")
}

#[cfg(target_os = "linux")]
fn memory_left() -> Option<Bytes> {
    crate::ffi::os::memory_left()
}

#[cfg(not(target_os = "linux"))]
fn memory_left() -> Option<Bytes> {
    None
}

#[cfg(target_os = "linux")]
fn times_seen() -> Option<f64> {
    super::capture::times_seen()
}

#[cfg(not(target_os = "linux"))]
fn times_seen() -> Option<f64> {
    None
}
