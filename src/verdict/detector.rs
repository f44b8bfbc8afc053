//! From floors to a verdict.

use super::track::Track;
use super::judge::{Context, Demands};
use super::window::Garbage;
use super::{Evidence, Kind, Status, Verdict};
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

pub struct FloorDetector {
    samples: u64,
    last_at: UnixMillis,
    interval_ms: f64,
    load: LoadFilter,
    last_allocated: f64,
    last_requests: u64,
    allocated_at_major: f64,
    last_minor: Option<(f64, f64)>,
    pending_minor: Option<AfterGc>,
    promoted: Promoted,
    external_promoted: Promoted,
    last_external: Option<(f64, f64)>,
    any_major: bool,
    rss: [f64; 40],
    most: [f64; 2],
    most_n: u32,
    pub heap: Track,
    pub external: Track,
    pub native: Track,
    proof: Pyramid,
    limit: f64,
    external_limit: f64,
}

impl Default for FloorDetector {
    fn default() -> Self {
        let demands = |least, share, collected| Demands { least_bytes: least * MIB, share, least_share: 0.03, least_span: 0.0, record: if collected { 0.7 } else { 0.8 }, straight: if collected { 7.0 } else { 20.0 }, sudden_exact: 4, sudden_ratio: 1.5, sudden_straight: if collected { 20.0 } else { 40.0 }, t: 6.0, collected };
        Self {
            samples: 0,
            last_at: UnixMillis(0),
            interval_ms: 30_000.0,
            load: LoadFilter::default(),
            last_allocated: 0.0,
            last_requests: 0,
            allocated_at_major: 0.0,
            last_minor: None,
            pending_minor: None,
            promoted: Promoted::default(),
            external_promoted: Promoted::default(),
            last_external: None,
            any_major: false,
            rss: [0.0; 40],
            most: [0.0; 2],
            most_n: 0,
            heap: Track::new(demands(6.0, 0.12, true)),
            external: Track::new(Demands { least_span: 30.0, ..demands(6.0, 0.12, false) }),
            native: Track::new(Demands { least_span: 80.0, ..demands(12.0, 0.144, false) }),
            proof: Pyramid::default(),
            limit: 0.0,
            external_limit: f64::INFINITY,
        }
    }
}

impl FloorDetector {
    fn x(&self, at: UnixMillis) -> f64 {
        let since = at.0.saturating_sub(self.last_at.0) as f64;
        self.samples as f64 + if self.samples == 0 { 0.5 } else { (since / self.interval_ms).min(1.0) }
    }

    fn point(&self, x: f64, y: f64, garbage: f64, exact: bool) -> Point {
        Point { x, y, garbage, load: self.load.total(), smooth: self.load.smooth(), exact, major: false }
    }

    fn footprint(&self) -> f64 {
        let n = (self.samples.min(40) as usize).max(1);
        self.rss[..n].iter().copied().fold(f64::INFINITY, f64::min).max(20.0 * MIB)
    }
}

impl Detector for FloorDetector {
    fn on_gc(&mut self, gc: &AfterGc) {
        let x = self.x(gc.at);
        let used = gc.used.0 as f64;
        match gc.kind {
            GcKind::Step => {}
            GcKind::Minor => self.pending_minor = Some(*gc),
            GcKind::Major => {
                self.pending_minor = None;
                if let Some((used_then, allocated_then)) = self.last_minor {
                    self.promoted.add(x, used_then - used, allocated_then - self.allocated_at_major);
                }
                if let Some((then, allocated_then)) = self.last_external.take() {
                    self.external_promoted.add(x, then - gc.external.0 as f64, allocated_then - self.allocated_at_major);
                }
                self.last_minor = None;
                self.any_major = true;
                self.allocated_at_major = self.last_allocated;
                let point = Point { major: true, ..self.point(x, used, 0.0, true) };
                self.heap.verify(point);
                self.heap.add(point);
                let point = Point { major: true, ..self.point(x, gc.external.0 as f64, 0.0, true) };
                self.external.verify(point);
                self.external.add(point);
            }
        }
    }

    fn on_sample(&mut self, sample: &Sample) -> Verdict {
        let r = &sample.reading;
        let allocated = r.load.allocated.0 as f64;
        let requests = r.load.requests;
        let load = if requests > 0 { requests.saturating_sub(self.last_requests) as f64 } else { allocated - self.last_allocated };
        self.last_allocated = allocated;
        self.last_requests = requests;
        if self.samples > 0 && r.at.0 > self.last_at.0 {
            self.interval_ms += ((r.at.0 - self.last_at.0) as f64 - self.interval_ms) / self.samples.min(16) as f64;
        }
        if let Some(gc) = self.pending_minor.take() {
            let x = self.x(gc.at);
            if self.any_major || self.samples > 0 {
                let garbage = allocated - self.allocated_at_major;
                self.last_minor = Some((gc.used.0 as f64, allocated));
                self.heap.add(self.point(x, gc.used.0 as f64, garbage, false));
            }
        }
        self.load.add(load);
        self.samples += 1;
        self.last_at = r.at;
        let n = self.samples;
        let x = n as f64;
        self.limit = r.heap.limit.0 as f64;
        let rss = r.process.rss.0 as f64;
        self.rss[(n % 40) as usize % 40] = rss;
        if n < 40 {
            // The unused slots must not count as an empty process.
            for slot in &mut self.rss { if *slot == 0.0 { *slot = f64::INFINITY } }
        }
        let mine = (r.heap.total.0 + r.heap.external.0) as f64;
        self.most_n += 1;
        if self.most_n > 2880 {
            self.most = [0.0, self.most[0]];
            self.most_n = 0;
        }
        self.most[0] = self.most[0].max(mine);
        let bound = rss - self.most[0].max(self.most[1]);
        let ext = r.heap.external.0 as f64;
        self.last_external = Some((ext, allocated));
        self.external.add(self.point(x, ext, 0.0, true));
        self.native.add(self.point(x, rss - mine, 0.0, true));
        self.proof.add(self.point(x, bound, 0.0, true));
        let context = Context {
            now: x,
            footprint: self.footprint(),
            limit: self.limit,
            garbage: Garbage::of(&self.promoted),
            proof: None,
            wait: false,
        };
        let none = Promoted::default();
        self.heap.run(&context);
        let outside = Context { garbage: Garbage::of(&none), limit: self.external_limit, wait: true, ..context };
        self.external.run(&outside);
        self.native.run(&Context { limit: f64::INFINITY, garbage: Garbage::of(&none), proof: Some(&self.proof), ..context });
        self.heap.pyramid.end_sample(n);
        self.external.pyramid.end_sample(n);
        self.native.pyramid.end_sample(n);
        self.proof.end_sample(n);
        for (kind, track) in [(Kind::Heap, &self.heap), (Kind::External, &self.external), (Kind::Native, &self.native)] {
            if let Some(f) = &track.found {
                return Verdict {
                    status: Status::Leak,
                    kind,
                    growth_bytes_per_second: f.rate() / self.interval_ms * 1e3,
                    since: None,
                    eta_ms: None,
                    evidence: Evidence::default(),
                };
            }
        }
        Verdict { status: if n < 10 { Status::WarmingUp } else { Status::Healthy }, ..Verdict::default() }
    }
}
