//! One kind of memory, watched at all time scales.

use super::demands::Demands;
use super::judge::{Context, Finding, judge};
use super::rise::Rise;
use super::suspect::suspect;
use super::window::{Window, glance};
use crate::series::{LEVELS, Point, Pyramid};

/// Windows: from 6 samples on, each root two times the one before, to six days at 30 seconds.
const WINDOWS: usize = 24;
const SHORTEST: f64 = 6.0;
/// Windows that suspicions come from: six minutes to an hour and a half at 30 seconds.
const SUSPICIOUS: std::ops::RangeInclusive<usize> = 2..=10;
/// A window is judged again when this share of it is new.
const AGAIN: f64 = 1.0 / 16.0;
/// Most points that a window has by its level.
const POINTS: f64 = 48.5;
/// From this length on a window is also judged at a quarter of its resolution, where the lowest floors of longer stretches
/// are less noisy.
const COARSE: f64 = 480.0;
/// A claim must stand for this share of its window, before it is one ...
const STAND: f64 = 0.1;
/// ... and grow by this share of what it says meanwhile.
const STAND_GROWTH: f64 = 0.5;
/// A claim that was not repeated for this share of its window begins anew.
const FORGOTTEN: f64 = 0.6;
/// Fewer points make a claim at once, if they show so much more: another such window may not come.
const FEW: usize = 8;
const FEW_FACTOR: f64 = 3.0;
/// A floor agrees with an expectation where it shows this share of the growth; it may come this many windows later.
const AGREES: f64 = 0.6;
const AWAITED: f64 = 2.0;
/// A floor that lies below the claimed level by this share of the growth ends it at once.
const DENIES: f64 = 0.2;
/// A called leak is not over before there was no new high for this many samples.
const PATIENCE: f64 = 120.0;
/// Windows that may be judged in one update, whatever is due; the others wait for the next. Keeps an update short.
const JUDGED: usize = 1;

/// A window's claim that has not stood long enough.
#[derive(Debug, Clone, Copy)]
struct Claim {
    finding: Finding,
    /// When it was made, when it was last repeated, and the newest point then.
    first: f64,
    last: f64,
    newest: f64,
}

/// A leak that was called.
#[derive(Debug, Clone, Copy)]
struct Called {
    finding: Finding,
    rise: Rise,
}

/// The floors of one kind of memory, and what they prove.
///
/// Memory: one [`Pyramid`], one window of working space (6 KiB) and a claim for each of the 24 windows (5 KiB), all taken
/// at creation.
#[derive(Debug)]
pub struct Track {
    demands: Demands,
    pyramid: Pyramid,
    window: Box<Window>,
    due: [f64; WINDOWS],
    claims: [Option<Claim>; WINDOWS],
    /// Where the next update goes on, and whether there is anything to do.
    next: usize,
    changed: bool,
    called: Option<Called>,
    suspected: Option<Finding>,
    /// The newest floor.
    floor: Option<Point>,
}

/// Each window's length, and the finest level at which it has at most [`POINTS`] points.
const SCALES: [(f64, usize); WINDOWS] = {
    let mut scales = [(SHORTEST, 0); WINDOWS];
    let mut i = 1;
    while i < WINDOWS {
        let length = scales[i - 1].0 * std::f64::consts::SQRT_2;
        let mut level = scales[i - 1].1;
        while length > POINTS * (1u64 << level) as f64 && level + 1 < LEVELS {
            level += 1;
        }
        scales[i] = (length, level);
        i += 1;
    }
    scales
};

impl Track {
    /// A track that has seen nothing.
    pub fn new(demands: Demands) -> Self {
        Self {
            demands,
            pyramid: Pyramid::default(),
            window: Box::default(),
            due: [0.0; WINDOWS],
            claims: [None; WINDOWS],
            next: 0,
            changed: false,
            called: None,
            suspected: None,
            floor: None,
        }
    }

    /// Adds a point to the sample under way.
    pub fn add(&mut self, point: Point) {
        self.pyramid.add(point);
        self.changed = true;
        if point.major || !self.demands.collected {
            self.floor = Some(point);
            self.follow(point);
        }
    }

    /// Ends the sample under way; `samples` ended with it.
    pub fn end_sample(&mut self, samples: u64) {
        self.pyramid.end_sample(samples);
    }

    /// The leak that is called now.
    pub fn leak(&self) -> Option<&Finding> {
        self.called.as_ref().map(|called| &called.finding)
    }

    /// Takes the suspicion that came up since it was last asked for.
    pub fn take_suspicion(&mut self) -> Option<Finding> {
        self.suspected.take()
    }

    /// The newest floor.
    pub fn floor(&self) -> Option<&Point> {
        self.floor.as_ref()
    }

    /// Holds claims that wait for a major collection against what it left. To be called before the point is added.
    pub fn verify(&mut self, floor: Point) {
        for i in 0..WINDOWS {
            let Some(Claim { finding: f, first, .. }) = self.claims[i].filter(|claim| !claim.finding.proven)
            else {
                continue;
            };
            if floor.x - first < STAND * f.span {
                if floor.y < f.last - DENIES * f.growth {
                    self.claims[i] = None;
                }
                continue;
            }
            self.claims[i] = None;
            let risen = AGREES * (f.expected_at(floor.x) - f.last);
            if floor.x - first < AWAITED * f.span && floor.y >= f.last + risen {
                self.call(f, &floor);
            }
        }
    }

    fn call(&mut self, finding: Finding, newest: &Point) {
        match &mut self.called {
            // The longer window has the better rate.
            Some(called) if finding.span >= called.finding.span => called.finding = finding,
            Some(_) => {}
            None => {
                let rise = Rise { top: finding.last.max(newest.y), top_at: newest.x };
                self.called = Some(Called { finding, rise });
            }
        }
    }

    /// Whether a called leak is over.
    fn follow(&mut self, point: Point) {
        let Some(Called { finding, rise }) = &mut self.called else { return };
        if !rise.goes_on(finding, Some(&point), point.x, PATIENCE) {
            self.called = None;
            self.claims = [None; WINDOWS];
        }
    }

    /// Judges windows that are due, as many as an update may take.
    pub fn run(&mut self, context: &Context<'_>) {
        if !self.changed {
            return;
        }
        let mut judged = 0;
        for _ in 0..WINDOWS {
            let i = self.next;
            let (length, _) = SCALES[i];
            let is_due = length <= context.now + 1.0 && context.now >= self.due[i];
            if is_due && self.look(i, length, context, &mut judged) {
                self.due[i] = context.now + (length * AGAIN).floor();
            }
            if judged > JUDGED {
                return;
            }
            self.next = (i + 1) % WINDOWS;
        }
        self.changed = false;
    }

    /// Looks at one window; false where that has to wait for the next update.
    fn look(&mut self, i: usize, length: f64, context: &Context<'_>, judged: &mut usize) -> bool {
        let level = SCALES[i].1;
        let since = context.now - length;
        let Some(rise) = glance(&self.pyramid, level, since, context.now, context.garbage) else {
            return true;
        };
        let (least, least_suspect) = self.demands.least_rise(length, context.footprint);
        let (may_leak, may_suspect) = (rise >= least, rise >= least_suspect && SUSPICIOUS.contains(&i));
        if !may_leak && !may_suspect {
            return true;
        }
        *judged += 1;
        if *judged > JUDGED {
            return false;
        }
        let resolutions = if length >= COARSE && level + 2 < LEVELS { 2 } else { 1 };
        for level in (level..).step_by(2).take(resolutions) {
            if !self.window.gather(&self.pyramid, level, since, context.now, context.garbage) {
                continue;
            }
            if may_suspect && self.called.is_none() && self.suspected.is_none() {
                self.suspected = suspect(&self.window, &self.pyramid, level, context, &self.demands);
            }
            if !may_leak {
                continue;
            }
            if let Ok(finding) = judge(&self.window, &self.pyramid, level, context, &self.demands) {
                self.claim(i, length, finding, context);
                break;
            }
        }
        true
    }

    fn claim(&mut self, i: usize, length: f64, finding: Finding, context: &Context<'_>) {
        let Some(newest) = self.pyramid.newest() else { return };
        let f = &finding;
        if f.proven && (f.urgent || (f.points < FEW && f.growth > FEW_FACTOR * f.least)) {
            return self.call(finding, &newest);
        }
        match &mut self.claims[i] {
            Some(claim) if context.now - claim.last <= FORGOTTEN * length => {
                claim.last = context.now;
                let stood = context.now - claim.first;
                let grown = f.last - claim.finding.last;
                let enough = STAND_GROWTH * claim.finding.growth * stood / length;
                if f.proven && stood >= STAND * length && newest.x > claim.newest && grown >= enough {
                    self.call(finding, &newest);
                }
            }
            claim => {
                *claim = Some(Claim { finding, first: context.now, last: context.now, newest: newest.x });
            }
        }
    }
}
