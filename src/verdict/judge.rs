//! What one window of floors proves.
//!
//! A window makes a claim only where everything that also makes floors rise was ruled out, one by one; what refused is
//! kept as a [`Refusal`]. In the order of cost:
//!
//! 1. *Effect*: growth is large enough to matter, for the process's size and for the length of the window.
//! 2. *Chance*: the slope is many standard errors from 0, these widened for floors that follow each other.
//! 3. *Load*: neither the load's averages nor memory in proportion to it explain half of the growth.
//! 4. *Unevenness*: all quarters of the window rise, the last one too.
//! 5. *Plateau*: a line describes the window better than growth that saturates, or one step.
//! 6. *Seen before*: the level is a new high, by most of the growth.
//! 7. *Slowing*: growth was not faster before the window; growth with no past must show more.
//! 8. *Weight*: all of these together are strong, where each alone may be weak.
//! 9. *Garbage*: major collections show it, within the window or by the next one.

use super::demands::Demands;
use super::fit::{Column, Fit, MOST, least_squares, median, robust_weights};
use super::shape::{Steps, straightness};
use super::weight::{Signs, bend};
use super::window::{Garbage, Window};
use crate::series::{Point, Pyramid};

const KIB: f64 = 1024.0;
pub(super) const ONE: Column = [1.0; MOST];

/// Samples at the start of a life that no window reaches into: modules load, code is compiled, caches fill.
pub const WARM_UP: f64 = 10.0;
/// A day at 30 seconds: shorter windows cannot tell growth from the daily course of the load.
const DAY: f64 = 2880.0;
/// Eight hours: a process with few collections in so long a time is idle, and has nothing else to explain growth by.
const LONG: f64 = 960.0;
/// Windows that begin before this many samples must show [`YOUNG_FACTOR`] times the growth, less where floors are many.
const YOUNG: f64 = 120.0;
const YOUNG_FACTOR: f64 = 2.0;
const YOUNG_FACTOR_MANY: f64 = 1.4;
/// A level below this is nothing that growth could be a share of.
const LEAST_LEVEL: f64 = 100.0 * KIB;
/// Residuals below this are rounding, for the standard error; a tenth of the noise is, for comparing models.
const LEAST_RESIDUAL: f64 = 16.0 * KIB;
pub(super) const LEAST_ROUNDING: f64 = 8.0 * KIB;
/// Below this many points the slope must be this much surer.
const MANY: usize = 12;
const FEW_SURER: f64 = 1.5;

/// A leak is urgent where the limit is this many samples away ...
const URGENT_SAMPLES: f64 = 60.0;
const URGENT_YOUNG_SAMPLES: f64 = 25.0;
/// ... growth over the window is this share of the process's size, and more of it while the process is young ...
pub(super) const URGENT_SHARE: f64 = 0.6;
const URGENT_YOUNG_FACTOR: f64 = 1.6;
/// ... and the load has not risen by more than this.
const URGENT_LIFT: f64 = 1.3;

/// A model with a load term rivals the best one within this difference of Schwarz's criterion.
const RIVAL: f64 = 6.0;
/// Share of the growth that must remain in every rival, and beyond what the load explains.
const BEYOND_LOAD: f64 = 0.5;
/// Where the load rose by this factor, memory in proportion to it explains this share of the rise.
const LOAD_ROSE: f64 = 1.25;
const PROPORTIONAL: f64 = 0.6;
/// The smallest and the last rise between quarters, as shares of the mean one.
const LEAST_STEP: f64 = 0.26;
const LEAST_LAST: f64 = 0.45;
/// Growth that was faster than this before the window, as a multiple of the window's, is dying out.
const MOST_PACE: f64 = 1.13;
/// Growth slower than this before the window began within it. It must show more: the last quarter, the floors, the effect.
const SUDDEN_PACE: f64 = 0.47;
const SUDDEN_LAST: f64 = 0.9;
const SUDDEN_EXACT: usize = 4;
const SUDDEN_FACTOR: f64 = 1.2;
/// The same for growth with no past at all, and how much older than the window the process must be, in spans.
const PASTLESS_FACTOR: f64 = 1.5;
const PASTLESS_AGE: f64 = 0.3;
const PASTLESS_SPAN: f64 = 480.0;
/// Share of the window that exact floors must span to prove it, or where one of them must come before a bound does.
const PROVING_SPAN: f64 = 0.28;
const PROVING_BOUND: f64 = 0.35;
/// Share of the line's growth that they must show.
const PROVING_GROWTH: f64 = 0.5;
const CERTAIN_GROWTH: f64 = 0.6;

/// Why a window makes no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    /// Too few points, or too close together.
    Points,
    /// Nothing grows.
    Falls,
    /// Growth too small to matter.
    Effect,
    /// It reaches into the warm-up.
    WarmUp,
    /// The load explains it.
    Load,
    /// The slope may be chance.
    Chance,
    /// A part of the window does not rise.
    Uneven,
    /// Saturating growth, or one step, describes it as well.
    Plateau,
    /// The level was as high before.
    Seen,
    /// There is no past to compare with.
    Young,
    /// Growth was faster before.
    Slowing,
    /// Growth began within the window and shows too little for that.
    Sudden,
    /// Every sign is there, and all of them together are too weak.
    Faint,
    /// Major collections contradict it, or memory that was given back explains it.
    Contradicted,
}

/// What a window found.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Finding {
    /// Points of the window, and how many of them are exact floors.
    pub points: usize,
    pub exact: usize,
    /// Samples from the first point to the last, and when the first was.
    pub span: f64,
    pub start: f64,
    /// Growth over the window in bytes, what the load explains taken away; its standard error; what would be too small.
    pub growth: f64,
    pub error: f64,
    pub least: f64,
    /// The level of the line at the start, and the median of the last quarter.
    pub first: f64,
    pub last: f64,
    /// Smallest and last rise between quarters, as shares of the mean rise.
    pub smallest_step: f64,
    pub last_step: f64,
    /// By how much, in Schwarz's criterion, a line beats saturating growth and steps.
    pub straight: f64,
    /// The end's height above all earlier highs, as a share of the growth; infinite where there is no past.
    pub record: f64,
    /// Growth before the window as a multiple of the window's; 0 where there is no past.
    pub pace: f64,
    /// What the load explains, as a share of the growth.
    pub load_share: f64,
    /// What all signs together weigh; nothing where that was not asked.
    pub weight: Option<f64>,
    /// Whether the limit is near.
    pub urgent: bool,
    /// Whether major collections show it; otherwise it waits for the next one.
    pub proven: bool,
}

impl Finding {
    /// Bytes a sample.
    pub fn rate(&self) -> f64 {
        self.growth / self.span.max(1e-9)
    }

    /// The level that the line leads to expect at `x`.
    pub fn expected_at(&self, x: f64) -> f64 {
        // The median of the last quarter stands for its middle.
        self.last + self.rate() * (x - (self.start + 0.875 * self.span))
    }
}

/// What the window needs to know beside its points.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Samples so far.
    pub now: f64,
    /// The size of the process, in bytes: what growth is compared with.
    pub footprint: f64,
    /// The level of this memory at which the process ends; infinite where none is known.
    pub limit: f64,
    /// Samples at the start of a life that no urgent window reaches into.
    pub urgent_warm_up: f64,
    /// The garbage between major collections.
    pub garbage: Garbage<'a>,
    /// A lower bound of the same memory that does not rise when other memory is given back, where there is one.
    pub bound: Option<&'a Pyramid>,
}

/// How memory follows the load within a window.
struct LoadModel {
    key: usize,
    mean: f64,
    deviation: f64,
    share: f64,
    z: Column,
}

impl LoadModel {
    fn of(&self, point: &Point) -> f64 {
        self.share * (f64::from(point.smooth[self.key]) - self.mean) / self.deviation
    }

    /// Mean, deviation and standardised values of one average of the load, where it varies at all.
    fn standardised(window: &Window, key: usize) -> Option<(f64, f64, Column)> {
        const LEAST_VARIATION: f64 = 0.05;
        let n = window.n as f64;
        let points = &window.points[..window.n];
        let level = |p: &Point| f64::from(p.smooth[key]);
        let mean = points.iter().map(level).sum::<f64>() / n;
        let deviation = (points.iter().map(|p| (level(p) - mean).powi(2)).sum::<f64>() / n).sqrt();
        if deviation <= LEAST_VARIATION * mean {
            return None;
        }
        let mut z = [0.0; MOST];
        z.iter_mut().zip(points).for_each(|(z, p)| *z = (level(p) - mean) / deviation);
        Some((mean, deviation, z))
    }
}

/// The model of a window that explains it best.
struct Model {
    /// Growth over the window, and how many standard errors it is from 0.
    growth: f64,
    t: f64,
    /// Growth of the plain line in time.
    plain: f64,
    first: f64,
    /// Time from 0 to 1, or load so far where growth follows that.
    axis: Column,
    by_load: bool,
    load: Option<LoadModel>,
    /// The smallest growth among models that explain the window as well.
    least_rival: f64,
    rounding: f64,
}

pub(super) fn t_of(fit: &Fit, columns: &[&Column], window: &Window) -> f64 {
    let residuals = fit.residuals(columns, &window.y);
    fit.t(1, &residuals, LEAST_RESIDUAL)
}

/// Fits the line with outliers held down; rivals compete under the window's own weights, which favour none of them.
fn model(window: &Window, collected: bool) -> Option<Model> {
    let Window { n, ref points, ref x, ref y, w: ref prior, .. } = *window;
    let (w, scale) = robust_weights(&[&ONE, x], y, prior, n)?;
    let plain = least_squares(&[&ONE, x], y, &w, n)?;
    let (mut axis, mut line, mut by_load) = (*x, plain, false);
    // A leak a request grows with the load so far rather than with time.
    let loaded = points[n - 1].load - points[0].load;
    if collected && n >= 8 && loaded > 0.0 {
        let mut loads = [0.0; MOST];
        loads.iter_mut().zip(&points[..n]).for_each(|(l, p)| *l = (p.load - points[0].load) / loaded);
        if let Some(fit) = least_squares(&[&ONE, &loads], y, &w, n)
            && fit.beta[1] > 0.0
            && fit.bic(0, 4.0 * KIB) + 4.0 < plain.bic(0, 4.0 * KIB)
        {
            (axis, line, by_load) = (loads, fit, true);
        }
    }
    let rounding = (0.1 * scale).max(LEAST_ROUNDING);
    let mut best_bic = least_squares(&[&ONE, &axis], y, prior, n)?.bic(2, rounding);
    let mut rivals = [(line.beta[1], best_bic); 4];
    let mut best = Model {
        growth: line.beta[1],
        t: t_of(&line, &[&ONE, &axis], window),
        plain: plain.beta[1],
        first: plain.beta[0],
        axis,
        by_load,
        load: None,
        least_rival: 0.0,
        rounding,
    };
    let keys = if n >= 6 { 0..3 } else { 0..0 };
    for key in keys {
        let Some((mean, deviation, z)) = LoadModel::standardised(window, key) else { continue };
        let columns = [&ONE, &axis, &z];
        let Some(fit) = least_squares(&columns, y, prior, n).filter(|fit| fit.beta[2] > 0.0) else {
            continue;
        };
        let bic = fit.bic(3, rounding);
        rivals[key + 1] = (fit.beta[1], bic);
        if collected && bic < best_bic {
            best_bic = bic;
            best.growth = fit.beta[1];
            best.t = t_of(&fit, &columns, window);
            best.load = Some(LoadModel { key, mean, deviation, share: fit.beta[2], z });
        }
    }
    best.least_rival =
        rivals.iter().filter(|r| r.1 < best_bic + RIVAL).map(|r| r.0).fold(f64::INFINITY, f64::min);
    Some(best)
}

/// Whether so few points rise together with the load that they prove nothing.
fn follows_load(window: &Window) -> bool {
    let n = window.n as f64;
    (1..3).any(|key| {
        let level = |i: usize| f64::from(window.points[i].smooth[key]);
        let mean = (0..window.n).map(level).sum::<f64>() / n;
        let with = (0..window.n).map(|i| (level(i) - mean) * (window.x[i] - 0.5)).sum::<f64>() / n;
        mean > 0.0 && with > 0.02 * mean
    })
}

/// Whether major collections show the growth: some, or nothing yet; an error where they contradict it.
fn proven(window: &Window, model: &Model, demands: &Demands) -> Result<bool, Refusal> {
    if !demands.collected && !demands.shown_by_majors {
        return Ok(true);
    }
    let (x, y) = (&window.x, &window.y);
    let (a, b) = window.major_ends();
    if b > a && x[b] - x[a] >= PROVING_SPAN {
        let shown = y[b] - y[a];
        if shown < PROVING_GROWTH * model.growth * (model.axis[b] - model.axis[a]) {
            return Err(Refusal::Contradicted);
        }
        return Ok(true);
    }
    // What any collection left bounds what was alive: from there to an exact floor the growth is certain.
    let certain = y[a] - window.points[0].y;
    Ok(x[a] >= PROVING_BOUND && certain >= CERTAIN_GROWTH * model.growth * (model.axis[a] - model.axis[0]))
}

/// Judges the window that was gathered at the resolution of `level`.
pub fn judge(
    window: &Window,
    pyramid: &Pyramid,
    level: usize,
    context: &Context<'_>,
    demands: &Demands,
) -> Result<Finding, Refusal> {
    let Window { n, exact, span, start, doubt, ref points, ref y, .. } = *window;
    if span < demands.least_span {
        return Err(Refusal::Points);
    }
    let young = start < YOUNG;
    // Few points are little proof: they must then show more growth.
    let few = match n {
        ..=4 => 2.0,
        5 => 1.6,
        6 => 1.3,
        7..=8 => 1.1,
        _ => 1.0,
    };
    let young_factor = match young {
        true if exact >= MANY => YOUNG_FACTOR_MANY,
        true => YOUNG_FACTOR,
        false => 1.0,
    };
    let least = few * young_factor * demands.least(span, context.footprint);
    if let Some(bound) = context.bound {
        let top = bound.since(level, start + 0.75 * span).map(|p| p.y).fold(f64::NEG_INFINITY, f64::max);
        let bottom = y[..(n / 4).max(1)].iter().copied().fold(f64::INFINITY, f64::min);
        if top - bottom < 0.5 * least {
            return Err(Refusal::Contradicted);
        }
    }

    let model = model(window, demands.collected).ok_or(Refusal::Points)?;
    let growth = model.growth;
    if model.plain <= 0.0 || growth <= 0.0 {
        return Err(Refusal::Falls);
    }
    if n < 6 && follows_load(window) {
        return Err(Refusal::Load);
    }
    let proven = proven(window, &model, demands)?;
    // Mean load within the window, by that of the hour before it.
    let mean_load = points[..n].iter().map(|p| f64::from(p.smooth[0])).sum::<f64>() / n as f64;
    let lift = mean_load / f64::from(points[0].smooth[2]).max(1e-9);
    let samples_left = (context.limit - y[n - 1]).max(KIB) / (growth / span);
    let urgent = proven
        && samples_left < if young { URGENT_YOUNG_SAMPLES } else { URGENT_SAMPLES }
        && lift < URGENT_LIFT
        && n >= if young { 6 } else { 5 }
        && growth > URGENT_SHARE * context.footprint * if young { URGENT_YOUNG_FACTOR } else { 1.0 };
    if start < if urgent { context.urgent_warm_up } else { WARM_UP } {
        return Err(Refusal::WarmUp);
    }
    let risen = if lift > 1.1 { lift.powi(2).min(6.0) } else { 1.0 };
    if growth - doubt < least * risen && !urgent {
        return Err(Refusal::Effect);
    }
    if model.t < demands.t * if n < MANY { FEW_SURER } else { 1.0 } {
        return Err(Refusal::Chance);
    }
    let load_range = load_range(&model, n);
    if explained_by_load(window, &model, load_range, demands)
        || (model.plain < 0.5 * least && !urgent)
        || model.least_rival < BEYOND_LOAD * growth
    {
        return Err(Refusal::Load);
    }

    let mut adjusted = *y;
    if let Some(load) = &model.load {
        adjusted.iter_mut().zip(&load.z).for_each(|(y, z)| *y -= load.share * z);
    }
    let steps = Steps::of(&model.axis, &adjusted, n).ok_or(Refusal::Uneven)?;
    if steps.smallest < LEAST_STEP || (steps.last < LEAST_LAST && n >= 6) {
        return Err(Refusal::Uneven);
    }
    let straight = if n >= 6 {
        straightness(&model.axis, &adjusted, &window.w, n, span, model.rounding)
    } else {
        f64::INFINITY
    };
    let certainty = (n as f64 / MANY as f64).min(1.0);
    if straight < demands.straight * certainty {
        return Err(Refusal::Plateau);
    }

    let adjust = |p: &Point| p.y - model.load.as_ref().map_or(0.0, |load| load.of(p));
    let highest = pyramid
        .before(level + 3, start)
        .filter(|p| p.x > WARM_UP)
        .map(adjust)
        .fold(f64::NEG_INFINITY, f64::max);
    let record = (steps.end - highest) / growth;
    if record < demands.record {
        return Err(Refusal::Seen);
    }
    let load_share = load_range / growth;
    let mut pace = 0.0;
    let mut weight = None;
    if !urgent {
        let past = earlier(pyramid, level, start, span);
        match past {
            Some(p) => {
                let mut head = adjusted;
                let rise = median(&mut head[..(n / 8).max(1)]) - adjust(&p);
                let time = if model.by_load {
                    (points[0].load - p.load) / (points[n - 1].load - points[0].load)
                } else {
                    (start - p.x).max(1.0) / span
                };
                pace = rise / time.max(1e-9) / growth;
            }
            None if start < WARM_UP + PASTLESS_AGE * span.min(PASTLESS_SPAN)
                || growth < PASTLESS_FACTOR * least =>
            {
                return Err(Refusal::Young);
            }
            None => {}
        }
        if pace > MOST_PACE {
            return Err(Refusal::Slowing);
        }
        if pace < SUDDEN_PACE {
            if straight < demands.sudden_straight * certainty {
                return Err(Refusal::Plateau);
            }
            let unseen = exact < SUDDEN_EXACT && span < LONG;
            if unseen || steps.last < SUDDEN_LAST || growth < SUDDEN_FACTOR * least {
                return Err(Refusal::Sudden);
            }
        }
        let (a, b) = window.major_ends();
        let signs = Signs {
            t: model.t,
            span,
            relative: growth / y[0].max(LEAST_LEVEL),
            majors: (b > a).then(|| window.x[b] - window.x[a]),
            doubt: doubt / growth,
            load: load_share,
            rival: model.least_rival / growth,
            bend: bend(&model.axis, &adjusted, &window.w, n, growth),
            pace: past.map(|_| pace),
            residual: context.bound.is_some(),
            age: context.now,
        };
        let sum = signs.weight();
        if sum < demands.weight {
            return Err(Refusal::Faint);
        }
        weight = Some(sum);
    }
    Ok(Finding {
        points: n,
        exact,
        span,
        start,
        growth,
        error: growth / model.t,
        least,
        first: model.first,
        last: steps.end,
        smallest_step: steps.smallest,
        last_step: steps.last,
        straight,
        record,
        pace,
        load_share,
        weight,
        urgent,
        proven,
    })
}

/// What the load model moves memory by over the window, in bytes.
fn load_range(model: &Model, n: usize) -> f64 {
    model.load.as_ref().map_or(0.0, |load| {
        let (low, high) =
            load.z[..n].iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(a, b), &z| (a.min(z), b.max(z)));
        load.share * (high - low)
    })
}

/// Whether load may be all there is: it moves as much memory as grows, or rose in proportion. Windows of a day and more
/// have seen the load's daily course, and their models tell.
fn explained_by_load(window: &Window, model: &Model, load_range: f64, demands: &Demands) -> bool {
    if model.plain < 0.4 * model.growth {
        return true;
    }
    if window.span >= DAY {
        return false;
    }
    let (first, last) = (&window.points[0], &window.points[window.n - 1]);
    let rose = f64::from(last.smooth[1]) / f64::from(first.smooth[1]).max(1e-9);
    let proportional = PROPORTIONAL * (rose - 1.0) * window.y[0];
    model.growth < BEYOND_LOAD * load_range
        || (demands.collected && rose > LOAD_ROSE && model.growth < proportional)
}

/// A floor from before a window that starts at `start` and spans `span`: the first one in the stretch from 0.9 to 0.3
/// spans before it, or else the last one before that.
pub(super) fn earlier(pyramid: &Pyramid, level: usize, start: f64, span: f64) -> Option<Point> {
    let until = start - 0.3 * span;
    let from = (start - 0.9 * span).max(WARM_UP);
    let (mut within, mut before) = (None::<Point>, None::<Point>);
    for level in level..level + 5 {
        for p in pyramid.before(level, until).filter(|p| p.x >= WARM_UP) {
            if p.x < from {
                before = before.filter(|b| b.x >= p.x).or(Some(*p));
            } else {
                within = within.filter(|w| w.x <= p.x).or(Some(*p));
            }
        }
    }
    within.or(before)
}
