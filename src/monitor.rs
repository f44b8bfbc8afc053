//! Where the flow of readings ends: one sample in, a record, a verdict and alerts out.

mod suspicion;

use std::sync::Arc;

use crate::alert::{Alert, Alerter, Cause};
use crate::config::MonitorConfig;
use crate::recorder::{Event, Metric, PauseKind, Recorder, Recovery};
use crate::recording::{Record, Recording};
use crate::sample::{AfterGc, GcKind, GcTotals, Interval, Load, Probe, ProcessFigures, Reading, Sample};
use crate::series::{Ring, RouteSeries};
use crate::units::{Bytes, Micros, UnixMillis};
use crate::verdict::{
    Answer, Attribution, ConfirmedBy, Detector, FloorDetector, Look, Status, Verdict, attribute,
};
use suspicion::Suspicion;
pub use suspicion::SuspicionNumber;

/// Pauses of this length and more are worth a line in the black box.
const LONG_PAUSE: Micros = Micros(50_000);

/// The state of one monitor, without a clock and without Node.
pub struct Monitor {
    samples: Ring<Sample>,
    recording: Recording,
    detector: Box<dyn Detector>,
    suspicion: Suspicion,
    alerter: Alerter,
    verdict: Verdict,
    routes: RouteSeries,
    /// What was counted up to the last sample.
    counted: Counted,
    /// The black box, where there is one.
    recorder: Option<Arc<Recorder>>,
}

/// Where counters stood.
#[derive(Debug, Clone, Copy)]
struct Counted {
    gc: GcTotals,
    load: Load,
    /// Nothing before the first sample.
    cpu: Option<Micros>,
    /// How many major collections were judged.
    major: u64,
    /// How many minor collections there were by the last one that was judged.
    minor: u64,
}

impl Counted {
    fn new(probe: &Probe) -> Self {
        let (gc, (_, load, _)) = (probe.gc_totals(), probe.figures());
        Self { gc, load, cpu: None, major: gc.major, minor: gc.minor }
    }
}

impl Monitor {
    /// A monitor that has seen nothing yet; `probe` tells which collections came before its time.
    pub fn new(config: &MonitorConfig, probe: &Probe) -> Self {
        Self {
            samples: Ring::new(config.max_samples),
            recording: Recording::new(config.history_bytes),
            detector: Box::new(FloorDetector::default()),
            suspicion: Suspicion::default(),
            alerter: Alerter::new(config.alert_threshold),
            verdict: Verdict::default(),
            routes: RouteSeries::default(),
            counted: Counted::new(probe),
            recorder: None,
        }
    }

    /// What is observed from now on is recorded there.
    pub fn record(&mut self, recorder: Option<Arc<Recorder>>) {
        self.recorder = recorder;
    }

    /// The black box, if what is observed is recorded.
    pub fn recorder(&self) -> Option<&Arc<Recorder>> {
        self.recorder.as_ref()
    }

    /// Judges anew, as if the process had just begun: nobody knows what happened since the watch was stopped. The samples
    /// and the recording stay.
    pub fn restart(&mut self, config: &MonitorConfig, probe: &Probe, at: UnixMillis) {
        self.recording.push(&Record::Restart(at));
        self.detector = Box::new(FloorDetector::default());
        self.suspicion.restart();
        self.alerter = Alerter::new(config.alert_threshold);
        self.verdict = Verdict::default();
        self.routes.clear();
        self.counted = Counted::new(probe);
    }

    /// Takes one sample from what `probe` holds and passes the alerts that follow from it to `alert`.
    ///
    /// Does not allocate. Costs some microseconds.
    pub fn observe(
        &mut self,
        probe: &Probe,
        process: ProcessFigures,
        at: UnixMillis,
        mut alert: impl FnMut(Alert),
    ) -> Sample {
        let last_gc = probe.last_major_gc();
        let sample = self.reading(probe, process, at);
        let reading = &sample.reading;
        self.counted = Counted { gc: reading.gc, load: reading.load, cpu: Some(process.cpu), ..self.counted };
        self.tell_collections(probe);
        self.recording.push(&Record::Sample(sample));
        let before = (self.verdict.status, self.verdict.kind);
        self.verdict = self.suspicion.judge(self.detector.on_sample(&sample), last_gc);
        self.samples.push(sample);
        let recorder = self.recorder.as_deref();
        if let Some(recorder) = recorder {
            recorder.sample(&sample, &self.verdict, self.suspicion.confirmed());
            if before != (self.verdict.status, self.verdict.kind) {
                recorder.event(at, &verdict_event(&self.verdict));
            }
        }
        for told in self.alerter.observe(&sample, &self.verdict) {
            if let (Some(recorder), Some(event)) = (recorder, alert_event(&told)) {
                recorder.event(at, &event);
            }
            alert(told);
        }
        sample
    }

    /// Records in the black box where the process stands, between two samples: the heap's figures are as old as they say. Costs a
    /// microsecond or two; nothing where there is no box.
    pub fn pulse(&self, probe: &Probe, process: ProcessFigures, at: UnixMillis) {
        if let Some(recorder) = &self.recorder {
            let sample = self.reading(probe, process, at);
            recorder.pulse(&sample, &self.verdict, self.suspicion.confirmed());
        }
    }

    /// What is known now, and what was counted since the last sample.
    fn reading(&self, probe: &Probe, process: ProcessFigures, at: UnixMillis) -> Sample {
        let (heap, load, freshness) = probe.figures();
        let gc = probe.gc_totals();
        let floor: Option<Bytes> = probe.last_major_gc().map(|gc| gc.used);
        let reading = Reading { at, heap, heap_age: freshness.age, process, gc, load, floor };
        let counted = &self.counted;
        Sample {
            reading,
            gc: gc.since(counted.gc),
            load: load.since(counted.load),
            cpu: Micros(process.cpu.0.saturating_sub(counted.cpu.unwrap_or(process.cpu).0)),
        }
    }

    /// Tells the detector of the collections since the last sample.
    fn tell_collections(&mut self, probe: &Probe) {
        let Self { recording, detector, counted, recorder, verdict, routes, .. } = self;
        let mut last_major = None;
        let mut tell = |gc: AfterGc| {
            recording.push(&Record::Gc(gc));
            detector.on_gc(&gc);
            if gc.kind == GcKind::Major {
                last_major = Some(gc);
            }
        };
        let mut interval = Interval::default();
        counted.major = probe.major_gcs(counted.major, |gc| interval.add(gc).into_iter().for_each(&mut tell));
        if let Some((minor, number)) = probe.last_minor_gc(counted.minor, counted.major) {
            counted.minor = number;
            interval.add(minor).into_iter().for_each(&mut tell);
        }
        interval.end().into_iter().for_each(&mut tell);
        // While modules load and caches fill, the floor grows by what no request will leave behind again.
        if let Some(floor) = last_major.filter(|_| verdict.status != Status::WarmingUp) {
            routes.add(floor);
        }
        let Some(recorder) = recorder else { return };
        // One floor a sample: a process that does nothing but collect would push everything else out of the ring.
        if let Some(AfterGc { at, used, external, .. }) = last_major {
            recorder.event(at, &Event::MajorGc { used, external });
        }
        if let Some((kind, pause)) = probe.take_longest_pause()
            && pause >= LONG_PAUSE
        {
            let kind = match kind {
                GcKind::Minor => PauseKind::Minor,
                GcKind::Major => PauseKind::Major,
                GcKind::Step => PauseKind::Step,
            };
            recorder.event(UnixMillis::now(), &Event::Pause { kind, pause });
        }
    }

    /// Takes note of how many requests of each route are complete, as of `at`. Allocates the first time alone.
    pub fn publish_routes(&mut self, at: UnixMillis, counts: &[f64]) {
        self.routes.publish(at, counts);
    }

    /// The route that the growth of the floor comes from, or why none is named. Some 100 us: for a report.
    pub fn route(&self) -> Attribution {
        attribute(self.routes.rows())
    }

    /// Bytes that the record takes: samples, what the detector was fed, and the floors beside the routes.
    pub fn size(&self) -> usize {
        size_of::<Self>()
            + self.samples.capacity() * size_of::<Sample>()
            + self.recording.capacity()
            + size_of::<FloorDetector>()
            + self.routes.size()
    }

    /// The last samples, oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Sample> {
        self.samples.iter()
    }

    /// All that the detector was fed, as far as it is kept.
    pub fn recording(&self) -> &Recording {
        &self.recording
    }

    /// The judgement at the last sample.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }

    /// By what a leak was confirmed that the counters alone have not proven.
    pub fn confirmed_by(&self) -> Option<&ConfirmedBy> {
        self.suspicion.confirmed()
    }

    /// The suspicion that wants a look at the heap, if one does now: when it is raised, and whenever the floor has grown further.
    /// Some comparisons; to be asked at each sample.
    pub fn look_wanted(&self) -> Option<SuspicionNumber> {
        self.suspicion.look_wanted()
    }

    /// Takes note that a look is taken, whatever comes of it: it counts.
    pub fn look_begins(&mut self, number: SuspicionNumber) {
        self.suspicion.look_begins(number);
    }

    /// Takes note that the look may not be taken, or that it failed: it is asked for again some samples later.
    pub fn look_refused(&mut self, number: SuspicionNumber) {
        self.suspicion.look_refused(number);
    }

    /// Takes note of what a look saw and says what is known now. From the next sample on, a suspicion that it confirms is a leak,
    /// until the detector calls the process healthy.
    pub fn confirm(&mut self, number: SuspicionNumber, look: Look, probe: &Probe) -> Answer {
        self.suspicion.look(number, look, probe.last_major_gc())
    }
}

/// What the black box is told of another verdict.
fn verdict_event(verdict: &Verdict) -> Event {
    Event::Verdict {
        status: verdict.status,
        kind: verdict.kind,
        growth_bytes_per_second: verdict.growth_bytes_per_second,
        eta_ms: verdict.eta_ms,
        limit: verdict.limit,
    }
}

/// What it is told of an alert; of verdicts it knows.
fn alert_event(alert: &Alert) -> Option<Event> {
    match alert {
        Alert::Threshold(crossing) => Some(Event::Threshold {
            metric: if crossing.metric == "rss" { Metric::Rss } else { Metric::HeapUsed },
            value: crossing.value_bytes,
            threshold: crossing.threshold_bytes,
        }),
        Alert::Recovered { from } => Some(Event::Recovered {
            from: match from {
                Cause::Leak => Recovery::Leak,
                Cause::Threshold => Recovery::Threshold,
            },
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Channel, HeapFigures};
    use crate::verdict::{Group, Kind, Status};

    #[test]
    fn collections_are_counted_from_sample_to_sample() {
        let probe = Probe::new();
        probe.record_gc(GcKind::Minor, 1_000, None, UnixMillis(0));
        let mut monitor = Monitor::new(&MonitorConfig::default(), &probe);
        probe.record_gc(GcKind::Minor, 2_000_000, None, UnixMillis(0));
        let after = HeapFigures { used: Bytes(5), ..HeapFigures::default() };
        probe.record_gc(GcKind::Major, 3_000_000, Some(after), UnixMillis(0));
        probe.publish(after, Channel::Refresh);
        let first = monitor.observe(&probe, ProcessFigures::default(), UnixMillis(1), |_| {});
        assert_eq!((first.gc.minor, first.gc.major, first.gc.pause.as_millis()), (1, 1, 5.0));
        assert_eq!(first.reading.floor, Some(Bytes(5)));
        let second = monitor.observe(&probe, ProcessFigures::default(), UnixMillis(2), |_| {});
        assert_eq!(second.gc, GcTotals::default());
        assert_eq!(monitor.samples().len(), 2);
    }

    #[test]
    fn a_restart_judges_anew_and_keeps_the_record() {
        let probe = Probe::new();
        let config = MonitorConfig::default();
        let mut monitor = Monitor::new(&config, &probe);
        let mut alerts = Vec::new();
        for round in 0..2u64 {
            monitor.restart(&config, &probe, UnixMillis(round));
            assert_eq!(monitor.verdict().status, Status::WarmingUp);
            for _ in 0..12 {
                monitor.observe(&probe, ProcessFigures::default(), UnixMillis(1), |alert| alerts.push(alert));
            }
            assert_eq!(alerts.len() as u64, round + 1, "a baseline each time: {alerts:?}");
        }
        assert_eq!(monitor.samples().len(), 20);
    }

    #[test]
    fn the_detector_is_told_of_majors_and_of_the_last_minor_and_all_of_it_is_recorded() {
        let probe = Probe::new();
        let config = MonitorConfig::default();
        let mut monitor = Monitor::new(&config, &probe);
        let mut happen = |letters: &str, from: u64| {
            for (at, letter) in (from..).zip(letters.chars()) {
                let kind = if letter == 'M' { GcKind::Major } else { GcKind::Minor };
                let after = HeapFigures { used: Bytes(at), ..HeapFigures::default() };
                probe.record_gc(kind, 1, Some(after), UnixMillis(at));
            }
            monitor.observe(&probe, ProcessFigures::default(), UnixMillis(from + 9), |_| {});
        };
        happen("mmMmm", 10);
        happen("", 20);
        happen("mM", 30);
        happen("m", 40);
        monitor.restart(&config, &probe, UnixMillis(50));
        let told: Vec<String> = monitor
            .recording()
            .records()
            .map(|record| match record {
                Record::Gc(gc) => format!("{:?} {}", gc.kind, gc.at.0),
                Record::Sample(sample) => format!("sample {}", sample.reading.at.0),
                Record::Restart(at) => format!("restart {}", at.0),
            })
            .collect();
        let expected = [
            "Major 12",
            "Minor 14",
            "sample 19",
            "sample 29",
            "Major 31",
            "sample 39",
            "Minor 40",
            "sample 49",
            "restart 50",
        ];
        assert_eq!(told, expected);
    }

    #[test]
    fn load_and_processor_time_are_counted_from_sample_to_sample() {
        let probe = Probe::new();
        let heap = |n| HeapFigures { used: Bytes(n), ..HeapFigures::default() };
        probe.publish(heap(100), Channel::Refresh);
        let mut monitor = Monitor::new(&MonitorConfig::default(), &probe);
        let mut observe = |used: u64, requests: u64, cpu: u64| {
            probe.set_requests(requests);
            probe.publish(heap(used), Channel::Refresh);
            let process = ProcessFigures { cpu: Micros(cpu), ..ProcessFigures::default() };
            let sample = monitor.observe(&probe, process, UnixMillis(0), |_| {});
            (sample.load.allocated.0, sample.load.requests, sample.cpu.0)
        };
        assert_eq!(observe(150, 7, 9_000), (50, 7, 0), "nobody knows when the processor time began");
        assert_eq!(observe(120, 7, 9_500), (0, 0, 500));
        assert_eq!(observe(125, 9, 9_600), (5, 2, 100));
    }

    /// Says what it is told to say.
    struct Says(std::sync::Arc<std::sync::Mutex<Status>>);

    impl Detector for Says {
        fn on_gc(&mut self, _: &AfterGc) {}

        fn on_sample(&mut self, _: &Sample) -> Verdict {
            let status = *self.0.lock().expect("no panic");
            Verdict { status, kind: Kind::Heap, ..Verdict::default() }
        }
    }

    #[test]
    fn a_suspicion_that_looks_confirm_is_told_as_a_leak_and_its_end_as_recovery() {
        let probe = Probe::new();
        let mut monitor = Monitor::new(&MonitorConfig::default(), &probe);
        let status = std::sync::Arc::default();
        monitor.detector = Box::new(Says(std::sync::Arc::clone(&status)));
        let mut alerts = Vec::new();
        let mut sample = |monitor: &mut Monitor, says: Status, mib: u64| {
            *status.lock().expect("no panic") = says;
            let heap = HeapFigures { used: Bytes::mib(mib), ..HeapFigures::default() };
            probe.record_gc(GcKind::Major, 1, Some(heap), UnixMillis(mib * 1000));
            monitor.observe(&probe, ProcessFigures::default(), UnixMillis(mib * 1000), |alert| {
                alerts.push(match alert {
                    Alert::Baseline => "baseline",
                    Alert::Suspect { .. } => "suspect",
                    Alert::Leak { verdict } if verdict.status == Status::Leak => "leak",
                    Alert::Recovered { .. } => "recovered",
                    _ => "?",
                });
            });
        };
        sample(&mut monitor, Status::Healthy, 20);
        let mut answers = Vec::new();
        for mib in 21..60 {
            sample(&mut monitor, Status::Suspect, mib);
            let Some(number) = monitor.look_wanted() else { continue };
            monitor.look_begins(number);
            let (name, holder) = ("Session".to_owned(), "sessions".to_owned());
            let group = Group { constructor_name: name, holder, count: 1, size: Bytes::mib(mib - 20) };
            let look = Look::new(UnixMillis(mib * 1000), Bytes::mib(mib), Bytes(0), [group]);
            answers.push(matches!(monitor.confirm(number, look, &probe), Answer::Confirmed(_)));
        }
        assert_eq!((answers.as_slice(), monitor.verdict().status), (&[false, false, true][..], Status::Leak));
        assert_eq!(monitor.confirmed_by().map(|by| by.constructor_name.as_str()), Some("Session"));
        sample(&mut monitor, Status::Healthy, 60);
        assert_eq!(monitor.confirmed_by(), None);
        assert_eq!(alerts, ["baseline", "suspect", "leak", "recovered"]);
    }

    #[test]
    fn floors_and_routes_meet_in_a_row_once_the_program_is_warm() {
        let probe = Probe::new();
        let mut monitor = Monitor::new(&MonitorConfig::default(), &probe);
        assert_eq!(monitor.route().found, Err(crate::verdict::NoRoute::Rows { wanted: 24 }));
        let before = monitor.size();
        let (mut users, mut orders) = (0.0, 0.0);
        for i in 1..=90u64 {
            let at = UnixMillis(i * 1000);
            users += 100.0 + 60.0 * ((i as f64) / 3.0).sin();
            orders += 100.0 + 60.0 * ((i as f64) / 5.0).cos();
            let heap =
                HeapFigures { used: Bytes(20_000_000 + (1330.0 * users) as u64), ..HeapFigures::default() };
            monitor.publish_routes(at, &[orders, users]);
            probe.record_gc(GcKind::Major, 1, Some(heap), at);
            probe.publish(heap, Channel::Hook);
            monitor.observe(&probe, ProcessFigures::default(), at, |_| {});
        }
        let told = monitor.route();
        let leak = told.found.expect("one route explains all of it");
        assert_eq!((leak.route, leak.bytes_per_request.round()), (1, 1330.0), "{leak:?}");
        assert!(told.rows < 85, "the warm-up is not among them: {}", told.rows);
        assert!(monitor.size() > before, "the rows are counted");
        monitor.restart(&MonitorConfig::default(), &probe, UnixMillis(0));
        assert_eq!(monitor.route().rows, 0);
    }

    #[test]
    fn a_leak_goes_from_probe_to_alert() {
        let probe = Probe::new();
        let mut monitor = Monitor::new(&MonitorConfig { max_samples: 3, ..MonitorConfig::default() }, &probe);
        let mut alerts = Vec::new();
        for i in 1..=60u64 {
            let at = UnixMillis(i * 1000);
            let heap = HeapFigures { used: Bytes::mib(20 + i), ..HeapFigures::default() };
            probe.record_gc(GcKind::Major, 1, Some(heap), at);
            probe.publish(heap, Channel::Hook);
            monitor.observe(&probe, ProcessFigures::default(), at, |alert| alerts.push(alert));
        }
        let expected = matches!(alerts[..], [Alert::Baseline, Alert::Suspect { .. }, Alert::Leak { .. }]);
        assert!(expected, "{alerts:?}");
        assert_eq!(monitor.verdict().status, Status::Leak);
        assert_eq!(monitor.samples().len(), 3);
    }
}
