//! Which change of verdict, and which crossing of a threshold, becomes an alert.

use serde::Serialize;

use crate::sample::Sample;
use crate::units::Bytes;
use crate::verdict::{Status, Verdict};

/// Something worth telling.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum Alert {
    /// The warm-up is over: the moment for a baseline of the heap.
    Baseline,
    /// There may be a leak: worth a look at the heap.
    Suspect {
        /// The suspicion.
        verdict: Verdict,
    },
    /// A leak was proven.
    Leak {
        /// The claim.
        verdict: Verdict,
    },
    /// Memory crossed a fixed threshold.
    Threshold(Crossing),
    /// What was told before is over.
    Recovered {
        /// What it was.
        from: Cause,
    },
}

/// What a recovery ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cause {
    /// A leak.
    Leak,
    /// A crossed threshold.
    Threshold,
}

/// Memory above a fixed threshold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Crossing {
    /// Which figure crossed: `heapUsed` or `rss`.
    pub metric: &'static str,
    /// Its value.
    pub value_bytes: Bytes,
    /// The threshold.
    pub threshold_bytes: Bytes,
}

/// Below this share of the threshold the threshold is armed again, so that a figure near it does not flap.
const REARM: f64 = 0.95;
/// Share of the limits at which the default threshold stands.
const DEFAULT_SHARE: f64 = 0.9;
/// Most alerts one sample can raise.
pub const MOST: usize = 3;

/// Turns verdicts and samples into alerts, each told once.
#[derive(Debug, Default)]
pub struct Alerter {
    threshold: Option<Bytes>,
    warm: bool,
    suspected: bool,
    leaking: bool,
    above: bool,
}

impl Alerter {
    /// An alerter with a fixed threshold for the used heap, or with the default one: 90 % of the nearest limit.
    pub fn new(threshold: Option<Bytes>) -> Self {
        Self { threshold, ..Self::default() }
    }

    /// The alerts that this sample and verdict give rise to, at most [`MOST`]. Does not allocate.
    pub fn observe(&mut self, sample: &Sample, verdict: &Verdict) -> impl Iterator<Item = Alert> + use<> {
        let mut alerts = [None; MOST];
        if !self.warm && verdict.status != Status::WarmingUp {
            self.warm = true;
            alerts[0] = Some(Alert::Baseline);
        }
        let suspected = matches!(verdict.status, Status::Suspect | Status::Leak);
        if suspected && !self.suspected && verdict.status == Status::Suspect {
            alerts[1] = Some(Alert::Suspect { verdict: *verdict });
        }
        self.suspected = suspected;
        let leaking = verdict.status == Status::Leak;
        if leaking != self.leaking {
            self.leaking = leaking;
            alerts[1] = Some(if leaking {
                Alert::Leak { verdict: *verdict }
            } else {
                Alert::Recovered { from: Cause::Leak }
            });
        }
        match self.crossing(sample) {
            Some(crossing) if !self.above && crossing.value_bytes >= crossing.threshold_bytes => {
                self.above = true;
                alerts[2] = Some(Alert::Threshold(crossing));
            }
            Some(crossing)
                if self.above
                    && (crossing.value_bytes.0 as f64) < REARM * crossing.threshold_bytes.0 as f64 =>
            {
                self.above = false;
                alerts[2] = Some(Alert::Recovered { from: Cause::Threshold });
            }
            _ => {}
        }
        alerts.into_iter().flatten()
    }

    /// The figure that is nearest to its threshold, relative to it; nothing where no limit is known.
    fn crossing(&self, sample: &Sample) -> Option<Crossing> {
        let reading = &sample.reading;
        let heap = |threshold| Crossing {
            metric: "heapUsed",
            value_bytes: reading.heap.used,
            threshold_bytes: threshold,
        };
        if let Some(threshold) = self.threshold {
            return Some(heap(threshold));
        }
        let share = |limit: Bytes| Bytes((limit.0 as f64 * DEFAULT_SHARE) as u64);
        let of_heap = Some(reading.heap.limit).filter(|l| l.0 > 0).map(|limit| heap(share(limit)));
        let of_container = reading.process.container_limit.map(|limit| Crossing {
            metric: "rss",
            value_bytes: reading.process.rss,
            threshold_bytes: share(limit),
        });
        of_heap.into_iter().chain(of_container).max_by(|a, b| {
            let height = |c: &Crossing| c.value_bytes.0 as f64 / (c.threshold_bytes.0 as f64).max(1.0);
            height(a).total_cmp(&height(b))
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{HeapFigures, ProcessFigures, Reading};

    fn sample(used_mib: u64, rss_mib: u64, container_mib: Option<u64>) -> Sample {
        let heap =
            HeapFigures { used: Bytes::mib(used_mib), limit: Bytes::mib(1000), ..HeapFigures::default() };
        let process = ProcessFigures {
            rss: Bytes::mib(rss_mib),
            container_limit: container_mib.map(Bytes::mib),
            ..ProcessFigures::default()
        };
        Sample { reading: Reading { heap, process, ..Reading::default() }, ..Sample::default() }
    }

    fn kinds(alerter: &mut Alerter, sample: &Sample, status: Status) -> Vec<String> {
        let verdict = Verdict { status, ..Verdict::default() };
        let name = |alert: Alert| match alert {
            Alert::Recovered { from } => format!("recovered {from:?}"),
            Alert::Threshold(crossing) => format!("threshold {}", crossing.metric),
            Alert::Suspect { .. } => "suspect".into(),
            Alert::Leak { .. } => "leak".into(),
            Alert::Baseline => "baseline".into(),
        };
        alerter.observe(sample, &verdict).map(name).collect()
    }

    #[test]
    fn each_change_is_told_once() {
        let mut alerter = Alerter::new(None);
        let calm = sample(10, 50, None);
        assert!(kinds(&mut alerter, &calm, Status::WarmingUp).is_empty());
        assert_eq!(kinds(&mut alerter, &calm, Status::Healthy), ["baseline"]);
        assert_eq!(kinds(&mut alerter, &calm, Status::Suspect), ["suspect"]);
        assert!(kinds(&mut alerter, &calm, Status::Suspect).is_empty());
        assert_eq!(kinds(&mut alerter, &calm, Status::Leak), ["leak"]);
        assert!(kinds(&mut alerter, &calm, Status::Leak).is_empty());
        assert_eq!(kinds(&mut alerter, &calm, Status::Suspect), ["recovered Leak"], "no new suspicion");
        assert!(kinds(&mut alerter, &calm, Status::Healthy).is_empty());
        assert_eq!(kinds(&mut alerter, &calm, Status::Suspect), ["suspect"]);
    }

    #[test]
    fn a_threshold_does_not_flap() {
        let mut alerter = Alerter::new(Some(Bytes::mib(500)));
        let mut at = |mib| kinds(&mut alerter, &sample(mib, 0, None), Status::WarmingUp);
        assert!(at(499).is_empty());
        assert_eq!(at(500), ["threshold heapUsed"]);
        assert!(at(499).is_empty() && at(501).is_empty());
        assert_eq!(at(400), ["recovered Threshold"]);
        assert_eq!(at(600), ["threshold heapUsed"]);
    }

    #[test]
    fn the_default_is_nine_tenths_of_the_nearer_limit() {
        let crossed = |sample| kinds(&mut Alerter::new(None), &sample, Status::WarmingUp);
        assert!(crossed(sample(890, 900, None)).is_empty());
        assert_eq!(crossed(sample(901, 900, None)), ["threshold heapUsed"]);
        assert_eq!(crossed(sample(100, 470, Some(512))), ["threshold rss"]);
        assert!(crossed(sample(100, 400, Some(512))).is_empty());
    }
}
