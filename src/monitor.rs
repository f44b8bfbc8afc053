//! Where the flow of readings ends: one sample in, a record, a verdict and alerts out.

use crate::alert::{Alert, Alerter};
use crate::config::MonitorConfig;
use crate::sample::{GcTotals, Load, Probe, ProcessFigures, Reading, Sample};
use crate::series::Ring;
use crate::units::{Bytes, UnixMillis};
use crate::verdict::{Detector, FloorDetector, Verdict};

/// The state of one monitor, without a clock and without Node.
pub struct Monitor {
    samples: Ring<Sample>,
    detector: Box<dyn Detector>,
    alerter: Alerter,
    verdict: Verdict,
    /// Number of the next major collection to be judged.
    next_major: u64,
    /// Collections counted up to the last sample.
    counted: GcTotals,
}

impl Monitor {
    /// A monitor that has seen nothing yet; `probe` tells which collections came before its time.
    pub fn new(config: &MonitorConfig, probe: &Probe) -> Self {
        let counted = probe.gc_totals();
        Self {
            samples: Ring::new(config.max_samples),
            detector: Box::new(FloorDetector::default()),
            alerter: Alerter::new(config.alert_threshold),
            verdict: Verdict::default(),
            next_major: counted.major,
            counted,
        }
    }

    /// Judges anew, as if the process had just begun: nobody knows what happened since the watch was stopped. The samples
    /// stay.
    pub fn restart(&mut self, config: &MonitorConfig, probe: &Probe) {
        let samples = std::mem::replace(&mut self.samples, Ring::new(1));
        *self = Self { samples, ..Self::new(config, probe) };
    }

    /// Takes one sample from what `probe` holds and passes the alerts that follow from it to `alert`.
    ///
    /// Does not allocate. Costs some microseconds, and up to a millisecond after a major collection.
    pub fn observe(
        &mut self,
        probe: &Probe,
        process: ProcessFigures,
        at: UnixMillis,
        alert: impl FnMut(Alert),
    ) -> Sample {
        let (heap, freshness) = probe.figures();
        let gc = probe.gc_totals();
        let floor: Option<Bytes> = probe.last_major_gc().map(|gc| gc.used);
        let load = Load::default();
        let reading = Reading { at, heap, heap_age: freshness.age, process, gc, load, floor };
        let sample = Sample { reading, gc: gc.since(self.counted) };
        self.counted = gc;
        let detector = &mut self.detector;
        self.next_major = probe.major_gcs(self.next_major, |gc| detector.on_gc(&gc));
        self.verdict = self.detector.on_sample(&sample);
        self.samples.push(sample);
        self.alerter.observe(&sample, &self.verdict).for_each(alert);
        sample
    }

    /// The last samples, oldest first.
    pub fn samples(&self) -> impl ExactSizeIterator<Item = &Sample> {
        self.samples.iter()
    }

    /// The judgement at the last sample.
    pub fn verdict(&self) -> &Verdict {
        &self.verdict
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{Channel, GcKind, HeapFigures};
    use crate::verdict::Status;

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
        for round in 0..2 {
            monitor.restart(&config, &probe);
            assert_eq!(monitor.verdict().status, Status::WarmingUp);
            for _ in 0..12 {
                monitor.observe(&probe, ProcessFigures::default(), UnixMillis(1), |alert| alerts.push(alert));
            }
            assert_eq!(alerts.len(), round + 1, "a baseline each time: {alerts:?}");
        }
        assert_eq!(monitor.samples().len(), 20);
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
        assert!(matches!(alerts[..], [Alert::Baseline, Alert::Leak { .. }]), "{alerts:?}");
        assert_eq!(monitor.verdict().status, Status::Leak);
        assert_eq!(monitor.samples().len(), 3);
    }
}
