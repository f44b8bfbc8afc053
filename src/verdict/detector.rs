//! From readings to a verdict.

use super::demands::Demands;
use super::judge::{Context, Finding, WARM_UP};
use super::rise::Rise;
use super::track::Track;
use super::window::Garbage;
use super::{Evidence, Kind, LimitKind, Status, Verdict};
use crate::sample::{AfterGc, GcKind, Sample};
use crate::series::{LoadFilter, Point, Promoted, Pyramid};
use crate::units::{Bytes, UnixMillis};

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

const MIB: f64 = Bytes::MIB as f64;
/// Samples over which the smallest resident set is the process's size: what it comes back to.
const FOOTPRINT_SAMPLES: usize = 40;
/// No process is smaller: growth of a tiny one matters less than its share says.
const LEAST_FOOTPRINT: f64 = 20.0 * MIB;
/// Samples for which memory that the heap once reserved is held to explain the resident set: a day at 30 seconds.
const RESERVED_SAMPLES: u32 = 2880;
/// Samples from one suspicion to the next at the least: a day at 30 seconds.
const SUSPICION_REST: f64 = 2880.0;
/// Growth by this many times what the last one showed is another suspicion before that, less of it the longer ago it was.
const SUSPICION_DWARFED: f64 = 8.0;
/// A suspicion stands at least until there was no new high for this many samples.
const SUSPICION_PATIENCE: f64 = 60.0;
/// A gap of this many intervals is a machine that slept, not a longer interval.
const SLEPT: f64 = 10.0;
/// 97.5 % of a normal distribution lie below this many standard deviations: both sides together leave 95 %.
const NORMAL_95: f64 = 1.96;

/// Heap: three megabytes, and four per cent of the process over an hour, where the signs together weigh enough.
const HEAP: Demands = Demands {
    least_bytes: 3.0 * MIB,
    share: 0.036,
    least_share: 0.015,
    least_span: 0.0,
    t: 3.5,
    record: 0.77,
    straight: 7.0,
    sudden_straight: 8.2,
    weight: 8.6,
    collected: true,
    shown_by_majors: false,
};

/// External memory hardly varies but for garbage, which major collections tell apart: the line must be straighter.
const EXTERNAL: Demands = Demands {
    least_span: 30.0,
    record: 0.88,
    straight: 20.0,
    sudden_straight: 20.0,
    collected: false,
    shown_by_majors: true,
    ..HEAP
};

/// Native memory is what is left of the resident set, with what the allocator and the kernel keep: more growth is asked.
const NATIVE: Demands =
    Demands { least_bytes: 6.0 * MIB, share: 0.0605, least_span: 80.0, shown_by_majors: false, ..EXTERNAL };

/// The largest value of the last one to two spells, in constant memory.
#[derive(Debug, Clone, Copy, Default)]
struct RecentMost {
    spells: [f64; 2],
    samples: u32,
}

impl RecentMost {
    fn add(&mut self, value: f64) -> f64 {
        if self.samples == RESERVED_SAMPLES {
            self.spells = [0.0, self.spells[0]];
            self.samples = 0;
        }
        self.samples += 1;
        self.spells[0] = self.spells[0].max(value);
        self.spells[0].max(self.spells[1])
    }
}

/// A suspicion that was raised.
#[derive(Debug, Clone, Copy)]
struct Suspicion {
    at: f64,
    kind: Kind,
    finding: Finding,
    rise: Rise,
    /// Whether it goes on.
    stands: bool,
}

impl Suspicion {
    /// Whether `finding` may be told of after this one: a day later, or once this one is over and little beside it. What a
    /// process loads at its start must not hide what it leaks an hour later.
    fn gives_way_to(&self, finding: &Finding, now: f64) -> bool {
        let rested = (now - self.at) / SUSPICION_REST;
        let dwarfed = finding.growth > SUSPICION_DWARFED.powf(1.0 - rested) * self.finding.growth;
        rested >= 1.0 || (!self.stands && now - self.at > SUSPICION_PATIENCE && dwarfed)
    }
}

/// Judges by what remains after collections, over windows from minutes to days; [`super`] says what it calls a leak.
///
/// Memory: five series of 32 KiB, about 180 KiB with the working space, taken at creation. Time: constant for a
/// collection or a sample, a few microseconds at the most.
pub struct FloorDetector {
    samples: u64,
    last_at: UnixMillis,
    interval_ms: f64,
    load: LoadFilter,
    /// Bytes allocated so far, at the last sample, and at the last major collection.
    allocated: f64,
    allocated_at_major: f64,
    /// What the last minor collection since the last major one left, and what was allocated by then.
    last_minor: Option<(f64, f64)>,
    pending_minor: Option<AfterGc>,
    promoted: Promoted,
    /// Floors are exact here: there is no garbage to take away.
    no_garbage: Promoted,
    footprints: [f64; FOOTPRINT_SAMPLES],
    reserved: RecentMost,
    heap: Track,
    external: Track,
    native: Track,
    /// Resident memory above all that the heap and the buffers lately needed.
    native_bound: Pyramid,
    /// What the C allocator has handed out.
    in_use: Pyramid,
    suspicion: Option<Suspicion>,
}

impl Default for FloorDetector {
    fn default() -> Self {
        Self::with_strictness(1.0)
    }
}

impl FloorDetector {
    /// A detector that asks for `strictness` times the growth, straightness and certainty: below 1 it calls leaks earlier,
    /// and more that are none. For measuring where the default lies; a monitor has no such option.
    pub fn with_strictness(strictness: f64) -> Self {
        let track = |demands: Demands| Track::new(demands.times(strictness));
        Self {
            samples: 0,
            last_at: UnixMillis(0),
            interval_ms: 0.0,
            load: LoadFilter::default(),
            allocated: 0.0,
            allocated_at_major: 0.0,
            last_minor: None,
            pending_minor: None,
            promoted: Promoted::default(),
            no_garbage: Promoted::default(),
            footprints: [f64::INFINITY; FOOTPRINT_SAMPLES],
            reserved: RecentMost::default(),
            heap: track(HEAP),
            external: track(EXTERNAL),
            native: track(NATIVE),
            native_bound: Pyramid::default(),
            in_use: Pyramid::default(),
            suspicion: None,
        }
    }
}

/// Where each kind of memory ends, as levels of that kind.
#[derive(Debug, Clone, Copy)]
struct Limits {
    heap: Option<f64>,
    container: [Option<f64>; 3],
}

impl Limits {
    fn of(sample: &Sample, levels: [f64; 3]) -> Self {
        let reading = &sample.reading;
        let rss = reading.process.rss.0 as f64;
        let container = reading.process.container_limit.map(|limit| limit.0 as f64);
        Self {
            heap: Some(reading.heap.limit.0 as f64).filter(|&limit| limit > 0.0),
            container: levels.map(|level| container.map(|limit| limit - (rss - level).max(0.0))),
        }
    }

    /// The level that ends the process first, and whose limit it is.
    fn nearest(&self, kind: Kind) -> Option<(f64, LimitKind)> {
        let container = self.container[kind.index()].map(|level| (level, LimitKind::Container));
        let heap = self.heap.filter(|_| kind == Kind::Heap).map(|level| (level, LimitKind::Heap));
        heap.into_iter().chain(container).min_by(|a, b| a.0.total_cmp(&b.0))
    }
}

impl FloorDetector {
    /// When something was, in samples: a clock that counts the monitor's own interval, and stands while the machine sleeps.
    fn x(&self, at: UnixMillis) -> f64 {
        let since = at.0.saturating_sub(self.last_at.0) as f64;
        let share = if self.interval_ms > 0.0 { (since / self.interval_ms).min(1.0) } else { 0.5 };
        self.samples as f64 + share
    }

    fn point(&self, x: f64, y: f64) -> Point {
        let (load, smooth) = (self.load.total(), self.load.smooth());
        Point { x, y, garbage: 0.0, load, smooth, exact: true, major: false }
    }

    fn count_interval(&mut self, at: UnixMillis) {
        let since = at.0.saturating_sub(self.last_at.0) as f64;
        if self.samples == 1 {
            self.interval_ms = since;
        } else if self.samples > 1 && since < SLEPT * self.interval_ms {
            self.interval_ms += (since - self.interval_ms) / self.samples.min(16) as f64;
        }
        self.last_at = at;
    }

    fn add_minor(&mut self, gc: &AfterGc) {
        let (used, x) = (gc.used.0 as f64, self.x(gc.at));
        self.last_minor = Some((used, self.allocated));
        let garbage = self.allocated - self.allocated_at_major;
        self.heap.add(Point { garbage, exact: false, ..self.point(x, used) });
    }

    /// What a process loads at its start it loads within a minute or so, however often it is looked at; below a second a
    /// sample, life itself is run faster.
    fn urgent_warm_up(&self) -> f64 {
        const SAMPLES: f64 = 3.0;
        const MS: f64 = 60_000.0;
        if self.interval_ms < 1000.0 { SAMPLES } else { SAMPLES.max(MS / self.interval_ms) }
    }

    fn footprint(&self) -> f64 {
        self.footprints.iter().copied().fold(f64::INFINITY, f64::min).max(LEAST_FOOTPRINT)
    }

    /// A native leak that the allocator does not know of is memory that it keeps after it was given back.
    fn kind_of_native(&self, finding: &Finding) -> Kind {
        let since = |p: &&Point| p.x >= finding.start;
        let levels = (0..crate::series::LEVELS).rev();
        let all = levels.flat_map(|level| self.in_use.since(level, finding.start));
        let first = all.clone().filter(since).min_by(|a, b| a.x.total_cmp(&b.x));
        let (Some(first), Some(last)) = (first, self.in_use.newest()) else { return Kind::Native };
        if last.y - first.y < 0.5 * finding.growth { Kind::Fragmentation } else { Kind::Native }
    }

    fn verdict_of(
        &self,
        status: Status,
        kind: Kind,
        finding: &Finding,
        limits: &Limits,
        levels: [f64; 3],
    ) -> Verdict {
        let per_second = |growth: f64| growth / finding.span.max(1e-9) / self.interval_ms.max(1e-3) * 1e3;
        let rate = per_second(finding.growth);
        let doubt = NORMAL_95 * finding.error;
        let limit = limits.nearest(kind);
        let left = limit.map(|(limit, _)| (limit - levels[kind.index()]).max(0.0));
        let finite = |v: f64| Some(v).filter(|v| v.is_finite());
        let ago = (self.samples as f64 - finding.start).max(0.0) * self.interval_ms;
        Verdict {
            status,
            kind,
            growth_bytes_per_second: rate,
            growth_interval: Some([per_second(finding.growth - doubt), per_second(finding.growth + doubt)]),
            since: Some(UnixMillis(self.last_at.0.saturating_sub(ago as u64))),
            eta_ms: left.map(|left| (left / rate.max(1e-9) * 1e3) as u64),
            limit: limit.map(|(_, kind)| kind),
            advice: kind.advice(),
            evidence: Evidence {
                floors: finding.points as u32,
                exact_floors: finding.exact as u32,
                first_floor_bytes: finding.first.max(0.0) as u64,
                last_floor_bytes: finding.last.max(0.0) as u64,
                window_ms: (finding.span * self.interval_ms) as u64,
                growth_bytes: finding.growth.max(0.0) as u64,
                minimum_effect_bytes: finding.least as u64,
                standard_errors: finding.growth / finding.error.max(1.0),
                smallest_step_share: finding.smallest_step,
                late_share: finding.last_step,
                straightness: finite(finding.straight),
                record_share: finite(finding.record),
                earlier_pace: finding.pace,
                load_share: finding.load_share,
                weight: finding.weight,
                urgent: finding.urgent,
            },
        }
    }
}

impl Detector for FloorDetector {
    fn on_gc(&mut self, gc: &AfterGc) {
        match gc.kind {
            GcKind::Step => {}
            GcKind::Minor => self.pending_minor = Some(*gc),
            GcKind::Major => {
                let x = self.x(gc.at);
                let used = gc.used.0 as f64;
                self.pending_minor = None;
                if let Some((then, allocated)) = self.last_minor.take() {
                    self.promoted.add(x, then - used, allocated - self.allocated_at_major);
                }
                self.allocated_at_major = self.allocated;
                for (level, track) in [(used, true), (gc.external.0 as f64, false)] {
                    let point = Point { major: true, ..self.point(x, level) };
                    let track = if track { &mut self.heap } else { &mut self.external };
                    track.verify(point);
                    track.add(point);
                }
            }
        }
    }

    fn on_sample(&mut self, sample: &Sample) -> Verdict {
        let reading = &sample.reading;
        let minor = self.pending_minor.take();
        self.allocated += sample.load.allocated.0 as f64;
        if let Some(gc) = minor {
            self.add_minor(&gc);
        }
        self.count_interval(reading.at);
        self.load.add(sample.load.requests as f64, sample.load.allocated.0 as f64);
        self.samples += 1;
        let now = self.samples as f64;

        let external = reading.heap.external.0 as f64;
        let rss = reading.process.rss.0 as f64;
        let of_v8 = (reading.heap.total.0 as f64) + external;
        let levels = [reading.heap.used.0 as f64, external, (rss - of_v8).max(0.0)];
        self.footprints[self.samples as usize % FOOTPRINT_SAMPLES] = if rss > 0.0 { rss } else { of_v8 };
        self.external.add(self.point(now, external));
        if rss > 0.0 {
            let bound = rss - self.reserved.add(of_v8);
            self.native.add(self.point(now, levels[2]));
            self.native_bound.add(self.point(now, bound));
        }
        if let Some(in_use) = reading.process.native_in_use {
            self.in_use.add(self.point(now, in_use.0 as f64));
        }

        let limits = Limits::of(sample, levels);
        let context = Context {
            now,
            footprint: self.footprint(),
            limit: limits.nearest(Kind::Heap).map_or(f64::INFINITY, |l| l.0),
            urgent_warm_up: self.urgent_warm_up(),
            garbage: Garbage::of(&self.promoted),
            bound: None,
        };
        self.heap.run(&context);
        let context = Context {
            limit: limits.nearest(Kind::External).map_or(f64::INFINITY, |l| l.0),
            garbage: Garbage::of(&self.no_garbage),
            ..context
        };
        self.external.run(&context);
        self.native.run(&Context {
            limit: limits.nearest(Kind::Native).map_or(f64::INFINITY, |l| l.0),
            bound: Some(&self.native_bound),
            ..context
        });
        for track in [&mut self.heap, &mut self.external, &mut self.native] {
            track.end_sample(self.samples);
        }
        self.native_bound.end_sample(self.samples);
        self.in_use.end_sample(self.samples);

        let tracks = [
            (Kind::Heap, &mut self.heap),
            (Kind::External, &mut self.external),
            (Kind::Native, &mut self.native),
        ];
        let suspected = tracks.map(|(kind, track)| track.take_suspicion().map(|finding| (kind, finding)));
        if let Some((kind, finding)) = suspected.into_iter().flatten().next()
            && self.suspicion.as_ref().is_none_or(|last| last.gives_way_to(&finding, now))
        {
            let rise = Rise { top: finding.last, top_at: now };
            self.suspicion = Some(Suspicion { at: now, kind, finding, rise, stands: true });
        }

        if let Some(suspicion) = &mut self.suspicion {
            let track = match suspicion.kind {
                Kind::External => &self.external,
                Kind::Native => &self.native,
                _ => &self.heap,
            };
            let Suspicion { at, finding, rise, stands, .. } = suspicion;
            // A floor from before tells nothing: where collections are rare, it is from before the growth.
            let floor = track.floor().filter(|floor| floor.x > *at);
            *stands &= rise.goes_on(finding, floor, now, SUSPICION_PATIENCE);
        }
        let leaks =
            [(Kind::Heap, &self.heap), (Kind::External, &self.external), (Kind::Native, &self.native)];
        let worst = leaks
            .into_iter()
            .filter_map(|(kind, track)| Some((kind, *track.leak()?)))
            .max_by(|a, b| a.1.rate().total_cmp(&b.1.rate()));
        if let Some((kind, finding)) = worst {
            let kind = if kind == Kind::Native { self.kind_of_native(&finding) } else { kind };
            return self.verdict_of(Status::Leak, kind, &finding, &limits, levels);
        }
        if let Some(Suspicion { kind, finding, stands: true, .. }) = &self.suspicion {
            return self.verdict_of(Status::Suspect, *kind, finding, &limits, levels);
        }
        let status = if now < WARM_UP { Status::WarmingUp } else { Status::Healthy };
        Verdict { status, ..Verdict::default() }
    }
}

#[cfg(test)]
#[path = "detector_tests.rs"]
mod tests;
