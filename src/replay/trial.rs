//! One series before the detector.

use serde::Serialize;

use super::{Settings, Timing};
use crate::alert::{Alert, Alerter};
use crate::sample::{AfterGc, Interval, Sample};
use crate::units::UnixMillis;
use crate::verdict::{Detector, FloorDetector, Kind, Status, Verdict};

/// Most alarms, suspicions and changes told of one trace: a detector that flutters has more, and nobody reads them.
const MOST_TOLD: usize = 5000;

/// When traces without a calendar begin: any moment would do.
const TRACE_EPOCH: UnixMillis = UnixMillis(1_700_000_000_000);

/// What a moment is called in the answer.
#[derive(Debug, Clone, Copy)]
pub enum Clock {
    /// Seconds on the trace's own clock.
    Trace,
    /// Seconds since the first record.
    Epoch(Option<UnixMillis>),
}

/// A moment at `seconds` of a trace's own clock.
pub fn trace_moment(seconds: f64) -> UnixMillis {
    UnixMillis(TRACE_EPOCH.0.saturating_add((seconds * 1e3).round() as u64))
}

impl Clock {
    /// In seconds, to the tenth.
    fn seconds(&mut self, at: UnixMillis) -> f64 {
        let zero = match self {
            Self::Trace => TRACE_EPOCH,
            Self::Epoch(first) => *first.get_or_insert(at),
        };
        // Both ways: the system's clock may have been set back.
        let ms = if at >= zero { (at.0 - zero.0) as f64 } else { -((zero.0 - at.0) as f64) };
        (ms / 100.0).round() / 10.0
    }
}

/// When the verdict became what it is, of which memory, and at how many bytes a second.
pub type Told = (f64, Kind, i64);

/// What came of one trace.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TraceResult {
    /// The trace's name; of a process, its id and its thread's.
    pub id: String,
    /// When a leak was first called; nothing where none was.
    pub t: Option<f64>,
    /// Of which memory.
    pub kind: Option<Kind>,
    /// Its growth in bytes a second.
    pub rate: Option<i64>,
    /// Each time that a leak was called.
    pub alarms: Vec<Told>,
    /// Each time that the verdict became a suspicion.
    pub suspects: Vec<Told>,
    /// Samples judged.
    pub samples: u64,
    /// Collections that the detector was told of.
    pub collections: u64,
    /// The last verdict.
    pub verdict: Verdict,
    /// Each change of the status, where that was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub changes: Option<Vec<Change>>,
}

/// A change of the verdict's status.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Change {
    /// When, in seconds as in the rest of the answer.
    pub t: f64,
    /// When, by the calendar; nothing for a trace that has none.
    pub at: Option<UnixMillis>,
    /// What the status was.
    pub from: Status,
    /// What the verdict is.
    pub verdict: Verdict,
}

/// A detector and an alerter as a monitor has them, and what they say.
pub struct Trial {
    settings: Settings,
    clock: Clock,
    detector: Box<dyn Detector>,
    alerter: Alerter,
    interval: Interval,
    result: TraceResult,
}

impl Trial {
    /// A trial that has seen nothing.
    pub fn new(id: String, clock: Clock, settings: Settings) -> Self {
        let result = TraceResult {
            id,
            t: None,
            kind: None,
            rate: None,
            alarms: Vec::new(),
            suspects: Vec::new(),
            samples: 0,
            collections: 0,
            verdict: Verdict::default(),
            changes: settings.explain.then(Vec::new),
        };
        Self {
            settings,
            clock,
            detector: Box::new(FloorDetector::with_strictness(settings.strictness)),
            alerter: Alerter::new(None),
            interval: Interval::default(),
            result,
        }
    }

    /// Takes note of a collection, in time order.
    pub fn gc(&mut self, gc: AfterGc, timing: &mut Timing) {
        self.clock.seconds(gc.at);
        if let Some(gc) = self.interval.add(gc) {
            self.tell(&gc, timing);
        }
    }

    fn tell(&mut self, gc: &AfterGc, timing: &mut Timing) {
        self.result.collections += 1;
        timing.of(self.settings.timing, || self.detector.on_gc(gc));
    }

    /// Has a sample judged.
    pub fn sample(&mut self, sample: &Sample, timing: &mut Timing) {
        let at = sample.reading.at;
        let t = self.clock.seconds(at);
        if let Some(gc) = self.interval.end() {
            self.tell(&gc, timing);
        }
        let verdict = timing.of(self.settings.timing, || self.detector.on_sample(sample));
        let result = &mut self.result;
        result.samples += 1;
        let told = |verdict: &Verdict| (t, verdict.kind, verdict.growth_bytes_per_second.round() as i64);
        for alert in self.alerter.observe(sample, &verdict) {
            if let Alert::Leak { verdict } = alert
                && result.alarms.len() < MOST_TOLD
            {
                result.alarms.push(told(&verdict));
            }
        }
        let from = std::mem::replace(&mut result.verdict, verdict).status;
        if from == verdict.status {
            return;
        }
        if verdict.status == Status::Suspect && result.suspects.len() < MOST_TOLD {
            result.suspects.push(told(&verdict));
        }
        if let Some(changes) = &mut result.changes
            && changes.len() < MOST_TOLD
        {
            let at = matches!(self.clock, Clock::Epoch(_)).then_some(at);
            changes.push(Change { t, at, from, verdict });
        }
    }

    /// Judges anew from here on.
    pub fn restart(&mut self, at: UnixMillis) {
        self.clock.seconds(at);
        self.detector = Box::new(FloorDetector::with_strictness(self.settings.strictness));
        self.alerter = Alerter::new(None);
        self.interval = Interval::default();
        self.result.verdict = Verdict::default();
    }

    /// What came of it.
    pub fn finish(self) -> TraceResult {
        let mut result = self.result;
        if let Some(&(t, kind, rate)) = result.alarms.first() {
            (result.t, result.kind, result.rate) = (Some(t), Some(kind), Some(rate));
        }
        result
    }
}
