//! The black box: what JavaScript has recorded, and recordings as JavaScript sees them.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use napi_derive::napi;
use serde_json::{Value, json};

use super::background::spawn;
use super::capture::is_alive as process_is_alive;
use super::monitor::{Core, NativeMonitor};
use super::{to_json, to_napi};
use crate::error::{Error, ErrorKind, Result};
use crate::recorder::{
    DEFAULT_BYTES, End, EndKind, Ended, Event, Exception, Header, Incident, Life, MOST_BYTES, RecordedEvent,
    Recorder, Recording, SMALLEST_BYTES, StoredText, TextKind, Words, signal_name,
};
use crate::report::{SampleRecord, VerdictRecord};
use crate::storage::{Budget, sweep};
use crate::units::{Bytes, Micros, UnixMillis};

#[cfg(target_os = "linux")]
use crate::ffi::os::flight;

/// Where a life is recorded.
#[napi(object)]
pub struct BlackBox {
    /// The folder, which is made where it is missing.
    pub directory: String,
    /// Length of the file; rounded up to whole pages.
    pub bytes: Option<f64>,
    /// How many recordings there may be in the folder, those of living processes not counted.
    pub files: f64,
    /// `process.version`.
    pub node: String,
    /// What the process was started as.
    pub title: String,
    /// `worker_threads.threadId`.
    pub thread_id: u32,
}

/// A life that is being recorded, from a monitor's `start` to its end.
pub struct RunningFlight {
    core: Arc<Core>,
    recorder: Arc<Recorder>,
    path: PathBuf,
    #[cfg(target_os = "linux")]
    _flight: flight::Flight,
}

impl RunningFlight {
    /// Begins a recording of what this monitor observes.
    ///
    /// # Errors
    ///
    /// `InvalidArg` for a size that cannot be, `Io` where the file cannot be made, `Unsupported` where there is no black box.
    pub fn begin(core: &Arc<Core>, place: BlackBox, interval: Duration) -> Result<Self> {
        let header = header(core, &place, interval)?;
        Self::begin_in(core, place, header)
    }

    #[cfg(target_os = "linux")]
    fn begin_in(core: &Arc<Core>, place: BlackBox, header: Header) -> Result<Self> {
        let flight = flight::begin(Path::new(&place.directory), header)?;
        let (recorder, path) = (Arc::clone(&flight.recorder), flight.path.clone());
        core.lock().monitor.record(Some(Arc::clone(&recorder)));
        core.pulse();
        // Not on this thread: it waits for others that make room in the same folder.
        let budget = Budget { files: place.files as u64, bytes: Bytes(u64::MAX) };
        let newcomer = path.clone();
        // Without a thread for it there are some files more until the next start.
        let _ = spawn("heapwarden-room", move || drop(sweep(&newcomer, budget, process_is_alive)));
        Ok(Self { core: Arc::clone(core), recorder, path, _flight: flight })
    }

    #[cfg(not(target_os = "linux"))]
    fn begin_in(_: &Arc<Core>, _: BlackBox, _: Header) -> Result<Self> {
        let reason = refusal().unwrap_or_default().to_owned();
        Err(ErrorKind::Unsupported { feature: "the black box", reason }.into())
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Marks a clean end, unless one is marked already.
    pub fn end(&self, kind: EndKind, exit_code: Option<i32>) {
        self.recorder.end(&End { at: UnixMillis::now(), kind, exit_code });
    }
}

/// Why no life can be recorded on this system; nothing where one can.
pub fn refusal() -> Option<&'static str> {
    (!cfg!(target_os = "linux")).then_some("it has been tried on Linux only")
}

impl Drop for RunningFlight {
    fn drop(&mut self) {
        self.end(EndKind::Teardown, None);
        self.core.lock().monitor.record(None);
    }
}

fn header(core: &Core, place: &BlackBox, interval: Duration) -> Result<Header> {
    let (least, most) = (SMALLEST_BYTES as f64, MOST_BYTES as f64);
    let bytes = match place.bytes {
        None => DEFAULT_BYTES,
        Some(bytes) if (least..=most).contains(&bytes) => bytes as usize,
        Some(bytes) => {
            let expected = format!("a number from {least} to {most} (bytes)");
            let (name, found) = ("blackBox.bytes", bytes.to_string());
            return Err(ErrorKind::InvalidArg { name, expected, found }.into());
        }
    };
    Ok(Header {
        bytes: bytes as u64,
        started_at: UnixMillis(0),
        pid: std::process::id(),
        thread_id: place.thread_id,
        os_thread: 0,
        interval: Micros(interval.as_micros() as u64),
        heap_limit: core.probe.figures().0.limit,
        container_limit: core.lock().container_limit(),
        boot_id: String::new(),
        node: place.node.clone(),
        title: place.title.clone(),
    })
}

#[napi]
impl NativeMonitor {
    /// Marks the end of the process, or of the worker, with the code that `exit` is told.
    #[napi(catch_unwind)]
    pub fn record_exit(&self, code: i32) {
        if let Some(recorder) = self.core.recorder() {
            recorder.end(&End { at: UnixMillis::now(), kind: EndKind::Exit, exit_code: Some(code) });
        }
    }

    /// Records an exception that nobody caught.
    #[napi(catch_unwind)]
    pub fn record_exception(&self, origin: String, text: String) {
        if let Some(recorder) = self.core.recorder() {
            recorder.exception(&Exception { at: UnixMillis::now(), origin, text });
        }
    }

    /// Records the last `report` or `summary`, as JSON. Gives how long it may be, if it is too long.
    #[napi(catch_unwind, ts_args_type = "kind: 'report' | 'summary', json: string")]
    pub fn record_text(&self, kind: String, json: String) -> Option<u32> {
        let kind = if kind == "report" { TextKind::Report } else { TextKind::Summary };
        let recorder = self.core.recorder()?;
        let fits = recorder.text(kind, UnixMillis::now(), &json);
        (!fits).then(|| u32::try_from(recorder.text_room(kind)).unwrap_or(u32::MAX))
    }

    /// Records another number of listeners or resources than before.
    #[napi(catch_unwind)]
    pub fn record_count(&self, what: String, count: u32, delta: i32) {
        self.record_event(&Event::Count { count: u64::from(count), delta: i64::from(delta), what });
    }

    /// Records that a look at the heap has come to an end.
    #[napi(catch_unwind)]
    pub fn record_capture(&self, what: String, pause_ms: f64, duration_ms: f64) {
        let micros = |ms: f64| Micros((ms.max(0.0) * 1e3) as u64);
        self.record_event(&Event::Capture { pause: micros(pause_ms), duration: micros(duration_ms), what });
    }

    fn record_event(&self, event: &Event) {
        if let Some(recorder) = self.core.recorder() {
            recorder.event(UnixMillis::now(), event);
        }
    }
}

/// What a recording tells, as JSON, as far as it is whole. Rejects what is no recording.
#[napi(catch_unwind)]
pub fn read_recording(path: String) -> napi::Result<String> {
    let path = Path::new(&path);
    let read = || -> Result<Value> {
        let recording = Recording::read(&contents(path)?)?;
        Ok(view(&recording, is_alive(path)))
    };
    to_json(&read().map_err(|error| to_napi(&error))?)
}

/// Of a file no more than a recording can be.
fn contents(path: &Path) -> Result<Vec<u8>> {
    use std::io::Read;
    let file = crate::ffi::os::input::open_regular(path)?;
    let mut bytes = Vec::new();
    file.take(MOST_BYTES as u64).read_to_end(&mut bytes).map_err(|e| Error::io("read", path, &e))?;
    Ok(bytes)
}

#[cfg(target_os = "linux")]
fn is_alive(path: &Path) -> Option<bool> {
    flight::is_alive(path)
}

#[cfg(not(target_os = "linux"))]
fn is_alive(_: &Path) -> Option<bool> {
    None
}

/// A recording as JavaScript sees it.
fn view(recording: &Recording, is_alive: Option<bool>) -> Value {
    let Recording { header, samples, events, state, words, exception, end, summary, report, damage } =
        recording;
    let sample = |sample, status, kind| {
        let mut value = json!(SampleRecord::from(sample));
        value["status"] = json!(status);
        value["kind"] = json!(kind);
        value
    };
    let verdict = recording
        .last_verdict()
        .map(|judgement| VerdictRecord::new(&judgement.verdict, judgement.confirmed_by.as_ref()));
    json!({
        "header": header_view(header),
        "alive": is_alive,
        "life": life_view(&recording.life()),
        "samples": samples.iter().map(|s| sample(&s.sample, s.status, s.kind)).collect::<Vec<_>>(),
        "lastSample": recording.last_sample().map(|last| {
            let of_state = state.as_ref().map(|state| (state.status, state.kind));
            let of_ring = samples.last().map(|s| (s.status, s.kind));
            let (status, kind) = of_state.or(of_ring).unwrap_or_default();
            sample(last, status, kind)
        }),
        "verdict": verdict,
        "events": events.iter().map(event_view).collect::<Vec<_>>(),
        "words": words.as_ref().map(words_view),
        "exception": exception.as_ref().map(exception_view),
        "end": end.as_ref().map(end_view),
        "summary": summary.as_ref().map(text_view),
        "report": report.as_ref().map(text_view),
        "damage": damage,
    })
}

fn header_view(header: &Header) -> Value {
    json!({
        "bytes": header.bytes,
        "startedAt": header.started_at,
        "pid": header.pid,
        "threadId": header.thread_id,
        "osThread": header.os_thread,
        "intervalMs": header.interval.as_millis(),
        "heapLimit": header.heap_limit,
        "containerLimit": header.container_limit,
        "bootId": header.boot_id,
        "node": header.node,
        "title": header.title,
    })
}

fn event_view(event: &RecordedEvent) -> Value {
    let RecordedEvent { at, event, .. } = event;
    let mut value = match event {
        Event::MajorGc { used, external } => {
            json!({ "type": "major-gc", "usedBytes": used, "externalBytes": external })
        }
        Event::Pause { kind, pause } => {
            json!({ "type": "pause", "kind": kind, "pauseMs": pause.as_millis() })
        }
        Event::Verdict { status, kind, growth_bytes_per_second, eta_ms, limit } => json!({
            "type": "verdict", "status": status, "kind": kind, "growthBytesPerSecond": growth_bytes_per_second,
            "etaMs": eta_ms, "limit": limit,
        }),
        Event::Threshold { metric, value, threshold } => {
            json!({ "type": "threshold", "metric": metric, "valueBytes": value, "thresholdBytes": threshold })
        }
        Event::Recovered { from } => json!({ "type": "recovered", "from": from }),
        Event::Capture { pause, duration, what } => json!({
            "type": "capture", "what": what, "pauseMs": pause.as_millis(), "durationMs": duration.as_millis(),
        }),
        Event::Incident(incident) => {
            let mut value = incident_view(incident);
            value["type"] = json!("incident");
            value
        }
        Event::Count { count, delta, what } => {
            json!({ "type": "count", "what": what, "count": count, "countDelta": delta })
        }
        Event::Note { text } => json!({ "type": "note", "text": text }),
        Event::Container { held, reclaimable, limit, max, oom, oom_kill, group } => json!({
            "type": "container", "heldBytes": held, "reclaimableBytes": reclaimable, "limitBytes": limit,
            "max": max, "oom": oom, "oomKill": oom_kill, "group": group,
        }),
    };
    value["at"] = json!(at);
    value
}

fn incident_view(incident: &Incident) -> Value {
    json!({
        "kind": incident.kind,
        "phase": incident.phase,
        "usedBytes": incident.used,
        "limitBytes": incident.limit,
        "raisedToBytes": incident.raised_to,
        "reason": incident.reason,
    })
}

fn life_view(life: &Life) -> Value {
    let mut value = match &life.ended {
        Ended::Clean(end) => json!({ "ended": "clean", "end": end_view(end) }),
        Ended::Uncaught { exception, end, words } => json!({
            "ended": "uncaught", "exception": exception_view(exception),
            "end": end.as_ref().map(end_view), "words": words.as_ref().map(words_view),
        }),
        Ended::HeapLimit { at, incident, words, end } => json!({
            "ended": "heap-limit", "at": at, "incident": incident_view(incident),
            "end": end.as_ref().map(end_view), "words": words.as_ref().map(words_view),
        }),
        Ended::Signal(words) | Ended::Asked(words) => {
            json!({ "ended": "signal", "words": words_view(words) })
        }
        Ended::ContainerLimit { at, incident } => {
            json!({ "ended": "container-limit", "at": at, "incident": incident_view(incident) })
        }
        Ended::Unknown => json!({ "ended": "unknown" }),
    };
    value["startedAt"] = json!(life.started_at);
    value["lastSeen"] = json!(life.last_seen);
    value
}

fn words_view(words: &Words) -> Value {
    json!({
        "at": words.at,
        "signal": signal_name(words.signal),
        "number": words.signal,
        "code": words.code,
        "address": format!("{:#x}", words.address),
        "osThread": words.thread,
        "sender": words.sender,
        "waitedMs": words.waited_ms,
    })
}

fn exception_view(exception: &Exception) -> Value {
    json!({ "at": exception.at, "origin": exception.origin, "text": exception.text })
}

fn end_view(end: &End) -> Value {
    json!({ "at": end.at, "kind": end.kind, "exitCode": end.exit_code })
}

/// What was recorded as JSON is given as such.
fn text_view(text: &StoredText) -> Value {
    let value =
        serde_json::from_str::<Value>(&text.text).unwrap_or_else(|_| Value::String(text.text.clone()));
    json!({ "at": text.at, "value": value })
}
