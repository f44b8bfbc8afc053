//! The last floors at one time scale, corrected and in columns.

use super::fit::{Column, MOST};
use crate::series::{Point, Promoted, Pyramid, Rate};

/// Once a window has this many exact floors, bounds between them add nothing.
const ENOUGH_EXACT: usize = 12;
/// Weight of a bound, beside 1 for an exact floor: in a cycle that is over, and in the one under way.
const CLOSED_WEIGHT: f64 = 0.5;
const OPEN_WEIGHT: f64 = 0.25;
/// Share of its length that a window's points must span.
const LEAST_COVER: f64 = 0.6;
/// Fewest points of a window.
const FEWEST: usize = 4;

/// What the points of one kind of memory are corrected by.
#[derive(Debug, Clone, Copy)]
pub struct Garbage<'a> {
    /// Cycle by cycle.
    pub promoted: &'a Promoted,
    /// What to expect of the cycle under way.
    pub expected: Option<Rate>,
}

impl<'a> Garbage<'a> {
    /// The correction that `promoted` tells at this time.
    pub fn of(promoted: &'a Promoted) -> Self {
        Self { promoted, expected: promoted.rate() }
    }

    fn expected_of(&self, point: &Point) -> Option<f64> {
        if point.exact { Some(0.0) } else { self.expected.map(|rate| rate.mean * point.garbage) }
    }
}

/// The points of a window, oldest first, and columns made of them. Reused: nothing here allocates.
#[derive(Debug, Clone)]
pub struct Window {
    /// How many points there are.
    pub n: usize,
    /// How many of them are exact floors.
    pub exact: usize,
    /// The points as they were recorded.
    pub points: [Point; MOST],
    /// Time, from 0 at the first point to 1 at the last.
    pub x: Column,
    /// Memory in bytes, the garbage between major collections taken away.
    pub y: Column,
    /// Weights.
    pub w: Column,
    /// When the first point is, in samples.
    pub start: f64,
    /// Samples from the first point to the last.
    pub span: f64,
    /// By how much the last point may be too high: two standard deviations of the garbage in it.
    pub doubt: f64,
}

impl Default for Window {
    fn default() -> Self {
        Self {
            n: 0,
            exact: 0,
            points: [Point::default(); MOST],
            x: [0.0; MOST],
            y: [0.0; MOST],
            w: [1.0; MOST],
            start: 0.0,
            span: 0.0,
            doubt: 0.0,
        }
    }
}

/// About how much memory rose in the samples from `since` on: from the lowest point of the first quarter to the lowest of
/// the last. Nothing where too few points are there. For sorting out windows that cannot matter, at a tenth of the cost
/// of gathering them.
pub fn glance(pyramid: &Pyramid, level: usize, since: f64, now: f64, garbage: Garbage<'_>) -> Option<f64> {
    let quarter = (now - since) / 4.0;
    let low = |p: &Point, lowest: f64| garbage.expected_of(p).map_or(lowest, |g| lowest.min(p.y - g));
    let mut first = f64::INFINITY;
    // A window whose first quarter is empty is taken from its first point on, and likewise at its end.
    for (i, p) in pyramid.since(level, since).enumerate() {
        if i > 0 && p.x > since + quarter {
            break;
        }
        first = low(p, first);
    }
    let mut last = f64::INFINITY;
    let tail = pyramid.tail(level);
    for (i, p) in tail.iter().chain(pyramid.since(level, since).rev()).enumerate() {
        if i > 0 && p.x < now - quarter {
            break;
        }
        last = low(p, last);
    }
    Some(last - first).filter(|rise| rise.is_finite())
}

impl Window {
    /// Takes the points from `since` on at the resolution of `level`; false where they are too few or too close.
    pub fn gather(
        &mut self,
        pyramid: &Pyramid,
        level: usize,
        since: f64,
        now: f64,
        garbage: Garbage<'_>,
    ) -> bool {
        let tail = pyramid.tail(level).filter(|p| p.x >= since);
        let all = pyramid.since(level, since).copied().chain(tail);
        let (mut exact, mut last_exact) = (0, f64::NEG_INFINITY);
        for p in all.clone().filter(|p| p.exact) {
            exact += 1;
            last_exact = p.x;
        }
        let mut closed = garbage.promoted.closed().peekable();
        let mut n = 0;
        self.doubt = 0.0;
        for p in all.take(MOST) {
            let (y, weight, doubt) = if p.exact {
                (p.y, 1.0, 0.0)
            } else if p.x > last_exact {
                let Some(rate) = garbage.expected else { continue };
                (p.y - rate.mean * p.garbage, OPEN_WEIGHT, 2.0 * rate.deviation * p.garbage)
            } else {
                if exact >= ENOUGH_EXACT {
                    continue;
                }
                while closed.peek().is_some_and(|&(end, _)| end < p.x) {
                    closed.next();
                }
                let Some(&(_, rate)) = closed.peek() else { continue };
                (p.y - rate * p.garbage, CLOSED_WEIGHT, 0.0)
            };
            self.points[n] = p;
            self.y[n] = y;
            self.w[n] = weight;
            self.doubt = doubt;
            n += 1;
        }
        self.n = n;
        self.exact = exact;
        if n < FEWEST || exact == 0 {
            return false;
        }
        self.start = self.points[0].x;
        self.span = self.points[n - 1].x - self.start;
        if self.span < (LEAST_COVER * (now - since)).max(FEWEST as f64) {
            return false;
        }
        for i in 0..n {
            self.x[i] = (self.points[i].x - self.start) / self.span;
        }
        true
    }

    /// The first and the last point that a major collection left; both 0 where there is none.
    pub fn major_ends(&self) -> (usize, usize) {
        let mut major = (0..self.n).filter(|&i| self.points[i].major);
        let first = major.next().unwrap_or(0);
        (first, major.next_back().unwrap_or(first))
    }
}
