//! What the JavaScript thread and the one that hears a clone both use, and what the world is told by way of it.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use napi::threadsafe_function::ThreadsafeFunctionCallMode;
use serde_json::{Value, json};

use crate::analysis::Baseline;
use crate::ffi::node::monitor::Wake;
use crate::ffi::os::pending;
use crate::recorder::{Event, Incident, IncidentKind, IncidentPhase, Recorder, TextKind};
use crate::report::{HeapLimitRecord, Rung};
use crate::units::UnixMillis;

/// What growth is measured from.
#[derive(Clone)]
pub struct Kept {
    pub baseline: Arc<Baseline>,
    /// The rung of the ladder that it was.
    pub rung: Option<Rung>,
}

/// What the JavaScript thread and the one that hears a clone both use.
#[derive(Default)]
pub struct Shared {
    /// What JavaScript is to be told.
    inbox: Mutex<VecDeque<Value>>,
    /// There while a clone is at work: what keeps the process's death waiting.
    working: Mutex<Option<pending::Guard>>,
    idle: Condvar,
    wake: Mutex<Weak<Wake>>,
    pub kept: Mutex<Option<Kept>>,
    /// The black box, if this life is recorded.
    recorder: Mutex<Option<Arc<Recorder>>>,
    /// When the incident was whose clone came to grief, if the last one did.
    pub lost: Mutex<Option<UnixMillis>>,
}

pub fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while it was held leaves a value that is whole: each is replaced at once.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Shared {
    /// What JavaScript has not been told yet, oldest first.
    pub fn take(&self) -> Vec<Value> {
        locked(&self.inbox).drain(..).collect()
    }

    /// Has growth measured from there; nothing for not at all.
    pub fn keep(&self, kept: Option<Kept>) {
        *locked(&self.kept) = kept;
    }

    /// Has JavaScript woken by `wake` from now on.
    pub fn woken_by(&self, wake: &Arc<Wake>) {
        *locked(&self.wake) = Arc::downgrade(wake);
    }

    /// Has what happens at the limit recorded there from now on.
    pub fn recorded_by(&self, recorder: Option<Arc<Recorder>>) {
        *locked(&self.recorder) = recorder;
    }

    /// Takes down how far the incident is, for whoever reads the recording of this life.
    pub fn record(&self, phase: IncidentPhase, record: HeapLimitRecord, reason: &str) {
        if let Some(recorder) = &*locked(&self.recorder) {
            let HeapLimitRecord { used_bytes: used, limit_bytes: limit, raised_to_bytes: raised_to } = record;
            let reason = reason.to_owned();
            let incident = Incident { kind: IncidentKind::HeapLimit, phase, used, limit, raised_to, reason };
            recorder.event(UnixMillis::now(), &Event::Incident(incident));
        }
    }

    /// Tells JavaScript and the recording of a report that is complete.
    pub fn finish(&self, record: HeapLimitRecord, told: Value) {
        let report = &told["report"];
        let first = report["culprits"][0]["constructorName"].as_str();
        self.record(IncidentPhase::Captured, record, first.unwrap_or("no culprit was found"));
        if let Some(recorder) = &*locked(&self.recorder)
            && !recorder.text(TextKind::Report, UnixMillis::now(), &report.to_string())
        {
            // Too long: what counts fits in any case.
            let mut short = report.clone();
            if let Some(culprits) = short["culprits"].as_array_mut() {
                culprits.truncate(1);
            }
            short["constructors"] = json!([]);
            recorder.text(TextKind::Report, UnixMillis::now(), &short.to_string());
        }
        self.tell(told);
    }

    pub fn tell(&self, what: Value) {
        locked(&self.inbox).push_back(what);
        let wake = locked(&self.wake).upgrade();
        if let Some(wake) = wake {
            wake.call((), ThreadsafeFunctionCallMode::NonBlocking);
        }
    }

    pub fn begin(&self, guard: pending::Guard) {
        *locked(&self.working) = Some(guard.handed_over());
    }

    pub fn end(&self) {
        locked(&self.working).take();
        self.idle.notify_all();
    }

    pub fn is_working(&self) -> bool {
        locked(&self.working).is_some()
    }

    /// Waits until no clone is at work, for `most`; from then on nobody else waits for it either.
    pub fn wait(&self, most: Duration) {
        let working = locked(&self.working);
        let waited = self.idle.wait_timeout_while(working, most, |working| working.is_some());
        waited.unwrap_or_else(PoisonError::into_inner).0.take();
    }
}
