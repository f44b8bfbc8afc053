//! Whether a count goes up and stays up: listeners of an event, timers, handles.
//!
//! Counts are exact, so that nothing has to be held against garbage; but they follow the load up and down. The statistics are those
//! of memory ([`fit`](super::fit), [`shape`](super::shape)), on floors: the lowest count of each stretch of ticks, since what was
//! added and taken away again within one is nothing that stays. A window makes a claim where its growth
//!
//! - *matters*: it is a good part of what was there before;
//! - *is not chance* and *not a step*: a line beats both, and each quarter rises;
//! - *does not end*: a line beats growth that saturates, and it was no faster before;
//! - *is new*: the count was never as high;
//! - *is not load*: hardly anything is ever taken away. Where listeners come and go, what they do in one day is no proof: the
//!   window must be longer than that.

use super::fit::{Column, least_squares};
use super::judge::{ONE, WARM_UP};
use super::shape::{Steps, straightness};
use crate::units::UnixMillis;

/// Points of a level; when they are full, the oldest quarter makes way.
const POINTS: usize = super::fit::MOST;
const LEVELS: usize = 3;
/// How many points of a level make one of the next: at 30 seconds half a minute, 8 minutes, and two hours a point.
const FOLD: u32 = 16;
/// The windows, in points, the shortest first.
const WINDOWS: [usize; 5] = [16, 23, 32, 45, POINTS];
/// Growth by fewer is no leak to speak of: Node itself warns at 11 listeners.
const LEAST: f64 = 8.0;
/// The growth that matters, as a share of the level before, by level: what goes on for days may be less.
const SHARE: [f64; LEVELS] = [0.5, 0.5, 0.25];
const LEAST_T: f64 = 6.0;
const LEAST_STEP: f64 = 0.26;
const LEAST_LAST: f64 = 0.45;
const LEAST_STRAIGHT: f64 = 7.0;
/// The end's height above all that was before, as a share of the growth.
const LEAST_RECORD: f64 = 0.77;
/// Growth that was this much faster before the window is dying out.
const MOST_PACE: f64 = 1.3;
/// A count is a whole number: a residual below this is rounding.
const ROUNDING: f64 = 0.5;
/// Where more than this share of what comes is seen to go, the count follows the load ...
const MOST_TURNOVER: f64 = 0.1;
/// ... and a window must be this many ticks long: a day and a quarter at 30 seconds.
const TURNOVER_TICKS: u32 = 3600;
/// A claim must stand for this share of its window, and for so many ticks at least.
const STANDING: f64 = 0.1;
const LEAST_STANDING: u32 = 3;
/// Growth is over when less than this share of it is left.
const LEFT: f64 = 0.5;
/// What was told of once is told of again when the count is this many times as high.
const TOLD_AGAIN: f64 = 2.0;

/// A count that goes up and stays up.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CountGrowth {
    /// The number of the series, as [`CountJudge::open`] gave it.
    pub series: u32,
    /// The count now, and its growth over the window.
    pub count: u32,
    /// By how much it grew over the window.
    pub delta: u32,
    /// When the window began.
    pub since: UnixMillis,
    /// The window's slope.
    pub per_hour: f64,
}

/// The lowest count of a stretch, and when the stretch began.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
struct Floor {
    count: u32,
    at: UnixMillis,
}

/// The floors of stretches of one length.
#[derive(Debug, Clone)]
struct Level {
    floors: [Floor; POINTS],
    len: usize,
    /// The stretch under way, and of how many floors of the level below it has the lowest.
    pending: Floor,
    pending_len: u32,
    /// The highest floor that made way.
    gone: u32,
    has_gone: bool,
    /// Since which tick each evaluation made a claim, and the count then.
    claim: Option<(u32, u32)>,
}

impl Default for Level {
    fn default() -> Self {
        Self {
            floors: [Floor::default(); POINTS],
            len: 0,
            pending: Floor::default(),
            pending_len: 0,
            gone: 0,
            has_gone: false,
            claim: None,
        }
    }
}

impl Level {
    fn push(&mut self, floor: Floor) {
        if self.len == POINTS {
            let quarter = POINTS / 4;
            let gone = self.floors[..quarter].iter().map(|floor| floor.count).max().unwrap_or(0);
            (self.gone, self.has_gone) = (self.gone.max(gone), true);
            self.floors.copy_within(quarter.., 0);
            self.len -= quarter;
        }
        self.floors[self.len] = floor;
        self.len += 1;
    }

    /// Takes a floor of the level below; gives the stretch's own once it is over.
    fn fold(&mut self, floor: Floor) -> Option<Floor> {
        if self.pending_len == 0 {
            self.pending = floor;
        }
        self.pending.count = self.pending.count.min(floor.count);
        self.pending_len += 1;
        if self.pending_len < FOLD {
            return None;
        }
        self.pending_len = 0;
        self.push(self.pending);
        Some(self.pending)
    }

    fn floors(&self) -> &[Floor] {
        &self.floors[..self.len]
    }

    /// The share of what comes that is seen to go, from one floor to the next.
    fn turnover(&self) -> f64 {
        let (mut rises, mut falls) = (0u64, 0u64);
        for pair in self.floors().windows(2) {
            rises += u64::from(pair[1].count.saturating_sub(pair[0].count));
            falls += u64::from(pair[0].count.saturating_sub(pair[1].count));
        }
        if rises == 0 { 1.0 } else { falls as f64 / rises as f64 }
    }
}

/// What a window claims.
#[derive(Debug, Clone, Copy)]
struct Claim {
    first: f64,
    growth: f64,
    since: UnixMillis,
    /// In ticks.
    span: u32,
}

/// The record of one count: about 3 KiB, whatever its age.
#[derive(Debug, Clone)]
struct Series {
    levels: [Level; LEVELS],
    ticks: u32,
    /// What was told: the count then, and the one below which the growth is over.
    told: Option<(u32, f64)>,
}

impl Series {
    fn new() -> Self {
        Self { levels: Default::default(), ticks: 0, told: None }
    }

    fn add(&mut self, count: u32, at: UnixMillis) -> Option<(Claim, u32)> {
        self.ticks = self.ticks.saturating_add(1);
        if self.told.is_some_and(|(_, least)| f64::from(count) < least) {
            self.told = None;
        }
        let mut floor = Floor { count, at };
        let mut found = None;
        for level in 0..LEVELS {
            if level == 0 {
                self.levels[0].push(floor);
            } else {
                match self.levels[level].fold(floor) {
                    Some(folded) => floor = folded,
                    None => break,
                }
            }
            let claim = self.claim(level);
            found = found.or(self.standing(level, claim, count));
        }
        let claim = found?;
        if self.told.is_some_and(|(told, _)| f64::from(count) < TOLD_AGAIN * f64::from(told)) {
            return None;
        }
        self.told = Some((count, claim.first + LEFT * claim.growth));
        Some((claim, count))
    }

    /// The claim, once it has stood for long enough and grown meanwhile.
    fn standing(&mut self, level: usize, claim: Option<Claim>, count: u32) -> Option<Claim> {
        let Some(claim) = claim else {
            self.levels[level].claim = None;
            return None;
        };
        let (since, then) = *self.levels[level].claim.get_or_insert((self.ticks, count));
        let patience = ((STANDING * f64::from(claim.span)) as u32).max(LEAST_STANDING);
        (self.ticks - since >= patience && count > then).then_some(claim)
    }

    fn claim(&self, level: usize) -> Option<Claim> {
        let floors = self.levels[level].floors();
        let step = FOLD.pow(level as u32);
        let comes_and_goes = self.levels[0].turnover() > MOST_TURNOVER;
        let windows = WINDOWS.into_iter().take_while(|&n| n <= floors.len());
        windows
            .filter(|&n| !comes_and_goes || (n as u32 - 1) * step >= TURNOVER_TICKS)
            .find_map(|n| self.window(level, n, step))
    }

    /// What the last `n` floors of a level prove.
    fn window(&self, level: usize, n: usize, step: u32) -> Option<Claim> {
        let floors = self.levels[level].floors();
        let (before, window) = floors.split_at(floors.len() - n);
        let (first, last) = (window[0], window[n - 1]);
        let rise = f64::from(last.count) - f64::from(first.count);
        // What most counts at most times end with.
        if rise < LEAST.max(SHARE[level] * f64::from(first.count)) {
            return None;
        }
        let (mut axis, mut y): (Column, Column) = ([0.0; POINTS], [0.0; POINTS]);
        for (i, floor) in window.iter().enumerate() {
            axis[i] = i as f64 / (n - 1) as f64;
            y[i] = f64::from(floor.count);
        }
        let columns = [&ONE, &axis];
        let fit = least_squares(&columns, &y, &ONE, n)?;
        let residuals = fit.residuals(&columns, &y);
        let (start, growth) = (fit.beta[0].max(0.0), fit.beta[1]);
        if growth < LEAST.max(SHARE[level] * start) || fit.t(1, &residuals, ROUNDING) < LEAST_T {
            return None;
        }
        let steps = Steps::of(&axis, &y, n)?;
        if steps.smallest < LEAST_STEP || steps.last < LEAST_LAST {
            return None;
        }
        let span = (n as u32 - 1) * step;
        if straightness(&axis, &y, &ONE, n, f64::from(span), ROUNDING) < LEAST_STRAIGHT {
            return None;
        }
        let gone = self.levels[level].has_gone.then_some(self.levels[level].gone);
        let highest = before.iter().map(|floor| floor.count).chain(gone).max();
        if highest.is_some_and(|highest| steps.end - f64::from(highest) < LEAST_RECORD * growth) {
            return None;
        }
        // What came before is seldom as long as the window: its slope is compared.
        if let Some(oldest) = before.first().filter(|_| before.len() >= n / 4) {
            let earlier = (f64::from(first.count) - f64::from(oldest.count)) / before.len() as f64;
            if earlier > MOST_PACE * growth / (n - 1) as f64 {
                return None;
            }
        }
        Some(Claim { first: start, growth, since: first.at, span })
    }
}

/// Judges many counts that are taken at the same ticks.
///
/// Memory: about 3 KiB a series. Time: some tens of nanoseconds a series that does not rise, a few microseconds for one that does.
#[derive(Debug, Default)]
pub struct CountJudge {
    series: Vec<Option<Box<Series>>>,
    free: Vec<u32>,
    ticks: u64,
}

impl CountJudge {
    /// A judge of no series.
    pub fn new() -> Self {
        Self::default()
    }

    /// The number of a new series.
    pub fn open(&mut self) -> u32 {
        let series = Some(Box::new(Series::new()));
        if let Some(number) = self.free.pop() {
            self.series[number as usize] = series;
            return number;
        }
        self.series.push(series);
        self.series.len() as u32 - 1
    }

    /// Forgets a series; its number is given to another. Without effect where there is none of that number.
    pub fn close(&mut self, number: u32) {
        if self.series.get_mut(number as usize).is_some_and(|slot| slot.take().is_some()) {
            self.free.push(number);
        }
    }

    /// Takes the counts of one tick, in pairs of a series' number and its count, and gives what grows. The first ticks of all are
    /// not counted: programs set themselves up.
    pub fn tick(&mut self, at: UnixMillis, counts: impl Iterator<Item = (u32, u32)>) -> Vec<CountGrowth> {
        self.ticks += 1;
        if self.ticks as f64 <= WARM_UP {
            return Vec::new();
        }
        let mut found = Vec::new();
        for (number, count) in counts {
            let Some(Some(series)) = self.series.get_mut(number as usize) else { continue };
            if let Some((claim, count)) = series.add(count, at) {
                let hours = at.0.saturating_sub(claim.since.0).max(1) as f64 / 3.6e6;
                found.push(CountGrowth {
                    series: number,
                    count,
                    delta: claim.growth.round() as u32,
                    since: claim.since,
                    per_hour: claim.growth / hours,
                });
            }
        }
        found
    }
}

#[cfg(test)]
#[path = "counts_tests.rs"]
mod tests;
