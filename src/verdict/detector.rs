//! From floors to a verdict.

use super::trend::{Trend, mann_kendall_z, median, theil_sen};
use super::{Evidence, Kind, Status, Verdict};
use crate::sample::{AfterGc, GcKind, Sample};
use crate::series::{Floor, Floors};
use crate::units::{Bytes, UnixMillis};

/// Where the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Limits {
    /// V8's heap limit.
    pub heap: Option<Bytes>,
    /// The container's memory limit, less what the process uses outside the heap.
    pub container: Option<Bytes>,
}

impl Limits {
    /// The limits at one sample, both as a size that the V8 heap may reach.
    pub fn of(sample: &Sample) -> Self {
        let reading = &sample.reading;
        let outside = reading.process.rss.saturating_sub(reading.heap.used);
        Self {
            heap: Some(reading.heap.limit).filter(|limit| limit.0 > 0),
            container: reading.process.container_limit.map(|limit| limit.saturating_sub(outside)),
        }
    }

    /// The limit that is met first.
    pub fn nearest(self) -> Option<Bytes> {
        self.heap.into_iter().chain(self.container).min()
    }
}

/// Judges a process by its memory figures, fed in time order.
///
/// The one seam between the monitor and the statistics: another detector takes this place without anything else
/// changing.
pub trait Detector: Send {
    /// Takes note of one collection, minor or major.
    fn on_gc(&mut self, gc: &AfterGc);

    /// Takes note of one sample and says what is known now. Constant memory.
    fn on_sample(&mut self, sample: &Sample) -> Verdict;
}

/// Samples at the start of a life into which no window reaches: modules load, caches and the JIT warm up.
const WARM_UP_SAMPLES: u32 = 10;
/// The same for an urgent leak.
const URGENT_WARM_UP_SAMPLES: u32 = 3;
/// A leak is urgent when the limit is this many samples away at its rate ...
const URGENT_SAMPLES: f64 = 60.0;
/// ... and the window grew by this multiple of what it began with.
const URGENT_SHARE: f64 = 1.0;
/// Windows, in floors from the newest back, so that a leak that began late is not drowned in a healthy past.
const WINDOWS: [usize; 9] = [5, 6, 8, 12, 16, 24, 32, 64, 96];
/// Fewest floors for any claim.
const MIN_FLOORS: usize = 5;
/// Kendall's z for a leak: chance below 1 in 30 000 for one window.
const LEAK_Z: f64 = 4.0;
/// Kendall's z for a suspicion.
const SUSPECT_Z: f64 = 2.4;
/// Growth over a window of [`SHARE_SAMPLES`], as a share of its first floor, that is worth a claim. Over other windows it
/// goes with the inverse root of their length: working sets wander, and wander relatively less far in a longer time.
const MIN_SHARE: f64 = 0.12;
/// An hour at the default interval.
const SHARE_SAMPLES: f64 = 120.0;
/// And in bytes, whatever the heap's size.
const MIN_BYTES: f64 = 4.0 * 1024.0 * 1024.0;
/// A window is cut into this many parts, whose median floors must rise one after the other.
const PARTS: usize = 4;
/// Smallest rise between two parts, as a share of the mean one: a step in traffic has parts that do not rise.
const MIN_STEP_SHARE: f64 = 0.25;
/// The same for the last rise: a cache on its way to its cap slows down before it gets there.
const MIN_LATE_SHARE: f64 = 0.5;
/// New floors over which a leak must stand before it is called one.
const CONFIRMATIONS: u32 = 2;
/// How far the end of a window must stand above all floors before it, as a share of the window's growth: what comes and
/// goes with the load has been as high before.
const MIN_RECORD_SHARE: f64 = 0.2;
/// A window that grows slower than this share of what came before it is the end of a warm-up, not a leak.
const MIN_PACE: f64 = 0.85;
/// Floors without a new high after which a called leak is taken back, if they also last as long as its window.
const RECOVERIES: u32 = 8;
/// A called leak is taken back at once where less than this share of its growth is left.
const RELEASED_SHARE: f64 = 0.5;

/// What one window says.
#[derive(Debug, Clone, Copy)]
struct Finding {
    status: Status,
    rate: f64,
    since: UnixMillis,
    evidence: Evidence,
}

/// One kind of memory and its floors.
struct Track {
    kind: Kind,
    floors: Floors,
    points: Vec<(f64, f64)>,
    scratch: Vec<f64>,
    /// The last judgement; renewed only when a floor arrives.
    found: Option<Finding>,
    passed: u32,
    /// The highest floor since a leak was called, and how many came after it; nothing where none is called.
    called: Option<(Floor, u32)>,
    /// Where this memory ends, as of the last sample.
    limit: Option<Bytes>,
}

impl Track {
    fn new(kind: Kind) -> Self {
        let most = *WINDOWS.iter().max().unwrap_or(&0);
        Self {
            kind,
            floors: Floors::default(),
            points: Vec::with_capacity(most),
            scratch: Vec::with_capacity(most * (most - 1) / 2),
            found: None,
            passed: 0,
            called: None,
            limit: None,
        }
    }

    fn push(&mut self, floor: Floor) {
        self.floors.push(floor);
        let best = WINDOWS.iter().filter_map(|&window| self.judge(window)).max_by(|a, b| {
            let rank = |f: &Finding| (f.status == Status::Leak, f.evidence.trend_z);
            rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let proven = best.is_some_and(|f| f.status == Status::Leak);
        self.passed = if proven { self.passed + 1 } else { 0 };
        self.called = match self.called {
            None if self.passed >= CONFIRMATIONS => Some((floor, 0)),
            Some((top, _)) if proven || floor.used > top.used => {
                Some((if floor.used > top.used { floor } else { top }, 0))
            }
            Some((top, since)) if !self.is_over(&floor, &top, since + 1) => Some((top, since + 1)),
            _ => None,
        };
        // A leak once called keeps the numbers that it was called by until others prove it again.
        if proven || self.called.is_none() {
            self.found = best;
        }
    }

    /// Whether a leak that was called is over: most of its growth was let go, or it has not gone higher for long.
    fn is_over(&self, floor: &Floor, top: &Floor, since: u32) -> bool {
        let Some(Finding { evidence: e, .. }) = &self.found else { return true };
        let left = floor.used.0 as f64 - e.first_floor_bytes as f64;
        let growth = e.last_floor_bytes as f64 - e.first_floor_bytes as f64;
        left < RELEASED_SHARE * growth
            || (since >= RECOVERIES && floor.at.0.saturating_sub(top.at.0) >= e.window_ms)
    }

    fn judge(&mut self, window: usize) -> Option<Finding> {
        let n = self.floors.iter().len().min(window);
        if n < MIN_FLOORS {
            return None;
        }
        let newest = self.floors.iter().rev().take(n);
        let Floor { at: start, sample: first_sample, .. } = *newest.clone().next_back()?;
        let Floor { at: end, sample: last_sample, .. } = *newest.clone().next()?;
        self.points.clear();
        let seconds = |at: UnixMillis| at.0.saturating_sub(start.0) as f64 / 1e3;
        self.points.extend(newest.rev().map(|f| (seconds(f.at), f.used.0 as f64)));

        let trend = theil_sen(&self.points, &mut self.scratch)?;
        let span = seconds(end);
        let growth = trend.slope * span;
        let first = trend.at(0.0).max(0.0);
        // Few floors are little proof: they must then show more growth.
        let doubt = match n {
            ..6 => 2.0,
            6..8 => 1.5,
            8..12 => 1.2,
            _ => 1.0,
        };
        let samples = f64::from(last_sample.saturating_sub(first_sample)).max(1.0);
        let share = MIN_SHARE * (SHARE_SAMPLES / samples).sqrt();
        let effect = doubt * MIN_BYTES.max(share * first);
        let (smallest, late) = steps(&self.points, &mut self.scratch);
        // With few floors even a perfect rise cannot reach the usual z; then it has to be perfect.
        let most_z = mann_kendall_perfect(n);
        let steady = smallest >= MIN_STEP_SHARE && late >= MIN_LATE_SHARE;
        let fresh = self.is_news(n, &trend, span);
        let rate = growth / samples;
        let urgent = self.limit.is_some_and(|limit| limit.0 as f64 - trend.at(span) < URGENT_SAMPLES * rate)
            && growth >= URGENT_SHARE * first;
        let warm = first_sample >= if urgent { URGENT_WARM_UP_SAMPLES } else { WARM_UP_SAMPLES };
        if !warm {
            return None;
        }
        let proven = trend.z >= LEAK_Z.min(most_z) && steady && (urgent || (growth >= effect && fresh));
        let likely = trend.z >= SUSPECT_Z.min(most_z) && growth >= effect / 2.0 && late > 0.0;
        if !(span > 0.0 && trend.slope > 0.0 && likely) {
            return None;
        }
        Some(Finding {
            status: if proven { Status::Leak } else { Status::Suspect },
            rate: trend.slope,
            since: start,
            evidence: Evidence {
                floors: n as u32,
                first_floor_bytes: first as u64,
                last_floor_bytes: trend.at(span).max(0.0) as u64,
                window_ms: (span * 1e3) as u64,
                trend_z: trend.z,
                smallest_step_share: smallest,
                late_share: late,
                minimum_effect_bytes: effect as u64,
            },
        })
    }

    /// Whether the newest `n` floors go beyond what came before them: higher than ever, and no slower than until then.
    fn is_news(&self, n: usize, trend: &Trend, span: f64) -> bool {
        let before = self.floors.iter().take(self.floors.iter().len() - n);
        let Some(highest) = before.clone().map(|f| f.used).max() else { return false };
        let top = trend.at(span) - MIN_RECORD_SHARE * trend.slope * span;
        if top < highest.0 as f64 {
            return false;
        }
        let Some(start) = self.floors.iter().rev().nth(n - 1).map(|f| f.at) else { return false };
        let seconds_before = |f: &Floor| start.0.saturating_sub(f.at.0) as f64 / 1e3;
        let reference =
            before.clone().rev().find(|f| seconds_before(f) >= 0.3 * span).or_else(|| before.clone().next());
        reference.is_some_and(|f| {
            let pace = (trend.at(0.0) - f.used.0 as f64) / seconds_before(f).max(1.0);
            pace * MIN_PACE <= trend.slope
        })
    }

    fn verdict(&self) -> Option<Verdict> {
        let found = self.found.as_ref()?;
        let last = self.floors.last().map_or(Bytes(0), |f| f.used);
        Some(Verdict {
            status: if self.called.is_some() { Status::Leak } else { Status::Suspect },
            kind: self.kind,
            growth_bytes_per_second: found.rate,
            since: Some(found.since),
            eta_ms: Verdict::eta(found.rate, last, self.limit),
            evidence: found.evidence,
        })
    }
}

/// Cuts the window into parts and gives the smallest and the last rise between their medians, each as a share of the
/// mean rise; 0 for both where there is no rise on the whole.
fn steps(points: &[(f64, f64)], scratch: &mut Vec<f64>) -> (f64, f64) {
    let parts = PARTS.min(points.len() / 2);
    let mut medians = [0.0; PARTS];
    for (part, median_of_part) in medians[..parts].iter_mut().enumerate() {
        let range = part * points.len() / parts..(part + 1) * points.len() / parts;
        scratch.clear();
        scratch.extend(points[range].iter().map(|p| p.1));
        *median_of_part = median(scratch).unwrap_or(0.0);
    }
    let medians = &medians[..parts];
    let mean = (medians[parts - 1] - medians[0]) / (parts.max(2) - 1) as f64;
    if mean <= 0.0 {
        return (0.0, 0.0);
    }
    let rises = medians.windows(2).map(|pair| (pair[1] - pair[0]) / mean);
    let late = rises.clone().next_back().unwrap_or(0.0);
    (rises.fold(f64::INFINITY, f64::min), late)
}

/// Kendall's z of `n` strictly rising values, the largest there is.
fn mann_kendall_perfect(n: usize) -> f64 {
    let mut rising = [(0.0, 0.0); MIN_FLOORS * 2];
    let n = n.min(rising.len());
    for (i, point) in rising.iter_mut().enumerate() {
        *point = (i as f64, i as f64);
    }
    mann_kendall_z(&rising[..n])
}

/// Judges by the robust trend of post-GC floors, of the heap and of external memory, over several windows.
///
/// Memory: two fixed series of 128 floors and their working space, about 150 KiB. Time: an update with a new floor
/// takes up to 0.5 ms on the sampling thread, one without takes nothing.
pub struct FloorDetector {
    samples: u32,
    tracks: [Track; 2],
}

impl Default for FloorDetector {
    fn default() -> Self {
        Self { samples: 0, tracks: [Track::new(Kind::Heap), Track::new(Kind::External)] }
    }
}

impl Detector for FloorDetector {
    fn on_gc(&mut self, gc: &AfterGc) {
        if gc.kind != GcKind::Major {
            return;
        }
        let sample = self.samples;
        self.tracks[0].push(Floor { at: gc.at, used: gc.used, sample });
        self.tracks[1].push(Floor { at: gc.at, used: gc.external, sample });
    }

    fn on_sample(&mut self, sample: &Sample) -> Verdict {
        self.samples = self.samples.saturating_add(1);
        let limits = Limits::of(sample);
        self.tracks[0].limit = limits.nearest();
        // External memory is not bound by V8's limit, only by the container's.
        self.tracks[1].limit = limits.container;
        let found = [self.tracks[0].verdict(), self.tracks[1].verdict()];
        let young = self.samples < WARM_UP_SAMPLES;
        let worst = found.into_iter().flatten().max_by(|a, b| {
            let rank = |v: &Verdict| (v.status == Status::Leak, v.growth_bytes_per_second);
            rank(a).partial_cmp(&rank(b)).unwrap_or(std::cmp::Ordering::Equal)
        });
        let calm = if young { Status::WarmingUp } else { Status::Healthy };
        worst
            .filter(|v| !young || v.status == Status::Leak)
            .unwrap_or(Verdict { status: calm, ..Verdict::default() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::{HeapFigures, Reading};

    const MIB: u64 = Bytes::MIB;

    /// Feeds one major collection a sample, ten seconds apart; gives the last verdict and when it first said leak.
    fn run(floors: impl IntoIterator<Item = u64>) -> (Verdict, Option<usize>) {
        let mut detector = FloorDetector::default();
        let (mut verdict, mut leak) = (Verdict::default(), None);
        for (i, used) in floors.into_iter().enumerate() {
            let at = UnixMillis(10_000 * (i as u64 + 1));
            detector.on_gc(&AfterGc { at, kind: GcKind::Major, used: Bytes(used), external: Bytes(MIB) });
            let heap = HeapFigures { used: Bytes(used), limit: Bytes(2048 * MIB), ..HeapFigures::default() };
            verdict = detector.on_sample(&Sample {
                reading: Reading { at, heap, ..Reading::default() },
                ..Sample::default()
            });
            if verdict.status == Status::Leak {
                leak.get_or_insert(i);
            }
        }
        (verdict, leak)
    }

    /// A repeatable stand-in for noise, between 0 and 1.
    fn noise(i: u64) -> f64 {
        (i.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(17).wrapping_mul(0xBF58_476D_1CE4_E5B9) >> 11)
            as f64
            / (1u64 << 53) as f64
    }

    #[test]
    fn a_steady_leak_is_called_with_its_rate_and_its_end() {
        let (verdict, leak) = run((0..60).map(|i| (50 + i) * MIB));
        assert_eq!((verdict.status, verdict.kind), (Status::Leak, Kind::Heap));
        assert!(leak.is_some_and(|at| at < 40), "{leak:?}");
        let rate = verdict.growth_bytes_per_second;
        assert!((rate / (MIB as f64 / 10.0) - 1.0).abs() < 0.02, "{rate}");
        let left = (2048.0 - 109.0) * MIB as f64 / rate * 1e3;
        let eta = verdict.eta_ms.expect("a heap limit is known") as f64;
        assert!((eta / left - 1.0).abs() < 0.02, "{eta} {left}");
    }

    #[test]
    fn healthy_shapes_stay_silent() {
        let flat = (0..500u64).map(|i| 100 * MIB + (noise(i) * 8.0) as u64 * MIB);
        assert_eq!(run(flat).1, None, "noise");
        let warm_up = (0..300u64).map(|i| 20 * MIB + 60 * MIB * i.min(8) / 8);
        assert_eq!(run(warm_up).1, None, "warm-up");
        let step = (0..300u64).map(|i| if i < 100 { 50 * MIB } else { 90 * MIB } + (noise(i) * 3e6) as u64);
        assert_eq!(run(step).1, None, "a step in traffic");
        let sawtooth = (0..600u64).map(|i| 80 * MIB + (i % 30) * MIB / 2 + (noise(i) * 2e6) as u64);
        let (verdict, _) = run(sawtooth);
        assert_ne!(verdict.kind, Kind::Native, "an hourly batch: {verdict:?}");
    }

    #[test]
    fn before_the_warm_up_is_over_only_an_urgent_leak_is_called() {
        assert_eq!(run((0..9).map(|i| (10 + 5 * i) * MIB)).0.status, Status::WarmingUp);
        assert_eq!(run((0..9).map(|i| (1 + i) * 100 * MIB)).0.status, Status::Leak, "dead in two minutes");
        assert_eq!(run([]).0.status, Status::WarmingUp);
    }

    #[test]
    fn a_leak_that_is_let_go_is_taken_back() {
        let leak = (0..40u64).map(|i| (50 + i) * MIB);
        let flat = (0..40u64).map(|_| 50 * MIB);
        let (verdict, called) = run(leak.chain(flat));
        assert!(called.is_some());
        assert_ne!(verdict.status, Status::Leak);
    }

    #[test]
    fn a_leak_that_stumbles_is_not_taken_back() {
        let mut detector = FloorDetector::default();
        let mut states = Vec::new();
        for i in 0..120u64 {
            // Grows by steps of ten collections once it was called, as under a load that comes and goes.
            let used = (50 + if i < 40 { i } else { i / 10 * 10 }) * MIB;
            let at = UnixMillis(10_000 * (i + 1));
            detector.on_gc(&AfterGc { at, kind: GcKind::Major, used: Bytes(used), external: Bytes(MIB) });
            let heap = HeapFigures { used: Bytes(used), limit: Bytes(2048 * MIB), ..HeapFigures::default() };
            let reading = Reading { at, heap, ..Reading::default() };
            let status = detector.on_sample(&Sample { reading, ..Sample::default() }).status;
            if states.last() != Some(&status) {
                states.push(status);
            }
        }
        let changes = states.windows(2).filter(|pair| pair[0] == Status::Leak).count();
        assert_eq!(changes, 0, "{states:?}");
        assert_eq!(states.last(), Some(&Status::Leak));
    }

    #[test]
    fn a_leak_after_a_long_healthy_life_is_still_seen() {
        let healthy = (0..1000u64).map(|i| 100 * MIB + (noise(i) * 4e6) as u64);
        let leak = (0..200u64).map(|i| (100 + i) * MIB);
        let (_, called) = run(healthy.chain(leak));
        assert!(called.is_some_and(|at| at > 1000), "{called:?}");
    }

    #[test]
    fn extremes_do_not_upset_it() {
        run((0..100).map(|_| u64::MAX));
        run((0..100).map(|_| 0));
        run((0..100).map(|i| if i % 2 == 0 { u64::MAX } else { 0 }));
    }
}
