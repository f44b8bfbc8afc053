//! What one window of floors proves.

use super::fit::{Column, Fit, MOST, least_squares, median, robust_weights};
use super::shape::{Steps, straightness};
use super::window::{Garbage, Window, glance};
use crate::series::{Point, Pyramid};

const KIB: f64 = 1024.0;
/// Residuals below this are rounding.
const LEAST_RESIDUAL: f64 = 16.0 * KIB;

pub static TUNE: std::sync::OnceLock<[f64; 11]> = std::sync::OnceLock::new();
pub fn tune(i: usize) -> f64 {
    TUNE.get().map_or([0.2, 1.5, 0.5, 0.25, 0.75, 0.4, 0.85, 0.35, 12.0, 0.6, 1.5][i], |t| t[i])
}

/// Samples at the start of a life that no window reaches into: modules load, code is compiled, caches fill.
pub const WARM_UP: f64 = 10.0;
/// The same for an urgent leak.
const URGENT_WARM_UP: f64 = 3.0;
/// A leak is urgent where the limit is this many samples away ...
const URGENT_SAMPLES: f64 = 60.0;
/// ... and growth over the window is this share of the process's size.
const URGENT_SHARE: f64 = 0.6;
/// A window that begins in the first hour must show this much more.
const YOUNG: f64 = 120.0;
const YOUNG_FACTOR: f64 = 2.0;
/// Length of window, in samples, at which [`Demands::share`] is asked: an hour at 30 seconds.
const SHARE_SAMPLES: f64 = 120.0;
/// A day at 30 seconds: shorter windows cannot tell growth from the daily course of the load.
const DAY: f64 = 2880.0;
/// Eight hours: a process with so few collections in so long a time is idle, and nothing else explains its growth.
const LONG: f64 = 960.0;

/// What is asked of a window.
#[derive(Debug, Clone, Copy)]
pub struct Demands {
    /// Growth, in bytes, that is worth a word whatever the size of the process.
    pub least_bytes: f64,
    /// Growth over an hour at 30 seconds a sample, as a share of the process's size; twice that over half an hour.
    pub share: f64,
    /// The share that is asked of the longest windows.
    pub least_share: f64,
    /// Standard errors that the slope must be from 0.
    pub t: f64,
    /// Shortest window, in samples.
    pub least_span: f64,
    pub record: f64,
    pub straight: f64,
    pub sudden_straight: f64,
    pub sudden_exact: usize,
    pub sudden_ratio: f64,
    /// Whether only major collections leave exact floors.
    pub collected: bool,
}

/// Why a window makes no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    Points,
    Falls,
    Effect,
    Warm,
    Load,
    Chance,
    Uneven,
    Late,
    Plateau,
    Seen,
    Young,
    Slowing,
    Unproven,
    Inexact,
    Sudden,
}

/// What a window found.
#[derive(Debug, Clone, Copy, Default)]
pub struct Finding {
    pub points: usize,
    pub exact: usize,
    /// Samples from the first point to the last, and when the first was.
    pub span: f64,
    pub start: f64,
    /// Growth over the window in bytes, what the load explains taken away, and the growth that would have been too small.
    pub growth: f64,
    pub least: f64,
    /// Standard errors from no growth.
    pub t: f64,
    /// The level at the start and in the last quarter.
    pub first: f64,
    pub last: f64,
    pub smallest_step: f64,
    pub last_step: f64,
    pub straight: f64,
    /// Samples to the limit.
    pub left: f64,
    pub urgent: bool,
    /// Whether exact floors show it; otherwise it waits for the next one.
    pub proven: bool,
    pub scale: f64,
    pub pace: f64,
    pub record: f64,
    pub load_share: f64,
}

impl Finding {
    /// Bytes a sample.
    pub fn rate(&self) -> f64 {
        self.growth / self.span.max(1e-9)
    }
}

/// What the window needs to know beside its points.
#[derive(Debug, Clone, Copy)]
pub struct Context<'a> {
    /// Samples so far.
    pub now: f64,
    /// The size of the process, in bytes: what growth is compared with.
    pub footprint: f64,
    /// The level at which the process ends.
    pub limit: f64,
    pub garbage: Garbage<'a>,
    /// A lower bound of the same memory that does not rise when other memory is given back, where there is one.
    pub proof: Option<&'a Pyramid>,
    /// Whether growth is certain only once major collections have shown it.
    pub wait: bool,
}

/// How memory follows the load within a window.
struct LoadModel {
    key: usize,
    mean: f64,
    deviation: f64,
    z: Column,
    share: f64,
}

impl LoadModel {
    fn of(&self, point: &Point) -> f64 {
        self.share * (f64::from(point.smooth[self.key]) - self.mean) / self.deviation
    }
}

struct Model {
    growth: f64,
    t: f64,
    load: Option<LoadModel>,
}

fn t_of(fit: &Fit, columns: &[&Column], window: &Window) -> f64 {
    let mut residuals = [0.0; MOST];
    for (i, r) in residuals[..window.n].iter_mut().enumerate() {
        *r = fit.residual(columns, &window.y, i);
    }
    fit.t(1, &residuals, LEAST_RESIDUAL)
}

/// Judges the last `length` samples at the resolution of `level`, with `window` as working space.
pub fn judge(
    pyramid: &Pyramid,
    level: usize,
    length: f64,
    context: &Context<'_>,
    demands: &Demands,
    window: &mut Window,
) -> Result<Finding, Refusal> {
    let since = context.now - length;
    let footprint = context.footprint;
    let share = |span: f64| {
        demands.least_bytes.max((demands.share * SHARE_SAMPLES / span).max(demands.least_share) * footprint)
    };
    // Before any work: whether there can be enough growth at all.
    let rise = glance(pyramid, level, since, context.now, context.garbage).ok_or(Refusal::Points)?;
    if rise < 0.3 * share(length).min(URGENT_SHARE * footprint) {
        return Err(Refusal::Effect);
    }
    if !window.gather(pyramid, level, since, context.now, context.garbage) {
        return Err(Refusal::Points);
    }
    let &mut Window { n, exact, span, start, doubt, ref points, ref x, ref y, .. } = window;
    let nf = n as f64;
    let young = start < YOUNG;
    // Few points are little proof: they must then show more growth.
    let few = match n {
        ..=4 => 2.0,
        5 => 1.6,
        6 => 1.3,
        7..=8 => 1.1,
        _ => 1.0,
    };
    let least = few * if young { YOUNG_FACTOR } else { 1.0 } * share(span);
    if let Some(proof) = context.proof {
        let top = proof.since(level, start + 0.75 * span).map(|p| p.y).fold(f64::NEG_INFINITY, f64::max);
        let bottom = y[..(n / 4).max(1)].iter().copied().fold(f64::INFINITY, f64::min);
        if top - bottom < 0.5 * least {
            return Err(Refusal::Unproven);
        }
    }

    let one: Column = [1.0; MOST];
    let (w, scale) = robust_weights(&[&one, x], y, &window.w, n).ok_or(Refusal::Points)?;
    let plain = least_squares(&[&one, x], y, &w, n).ok_or(Refusal::Points)?;
    if plain.beta[1] <= 0.0 {
        return Err(Refusal::Falls);
    }
    // Time, or the load so far where that fits clearly better: a leak a request.
    let mut axis = *x;
    let mut line = plain;
    let mut by_load = false;
    if demands.collected && n >= 8 {
        let first = points[0].load;
        let all = points[n - 1].load - first;
        if all > 0.0 {
            let mut loads = [0.0; MOST];
            for i in 0..n {
                loads[i] = (points[i].load - first) / all;
            }
            if let Some(fit) = least_squares(&[&one, &loads], y, &w, n)
                && fit.beta[1] > 0.0
                && fit.bic(0, 4.0 * KIB) + 4.0 < plain.bic(0, 4.0 * KIB)
            {
                axis = loads;
                line = fit;
                by_load = true;
            }
        }
    }
    let rounding = (0.1 * scale).max(8.0 * KIB);
    let prior = window.w;
    let mut best = Model { growth: line.beta[1], t: t_of(&line, &[&one, &axis], window), load: None };
    let mut best_bic = least_squares(&[&one, &axis], y, &prior, n).ok_or(Refusal::Points)?.bic(2, rounding);
    let mut models = [(best.growth, best_bic); 4];
    let mut count = 1;
    if n >= 6 {
        for key in 0..3 {
            let level = |i: usize| f64::from(points[i].smooth[key]);
            let mean = (0..n).map(level).sum::<f64>() / nf;
            let deviation = ((0..n).map(|i| (level(i) - mean).powi(2)).sum::<f64>() / nf).sqrt();
            if deviation <= 0.05 * mean || deviation <= 0.0 {
                continue;
            }
            let mut z = [0.0; MOST];
            for i in 0..n {
                z[i] = (level(i) - mean) / deviation;
            }
            let Some(fit) = least_squares(&[&one, &axis, &z], y, &prior, n) else { continue };
            if fit.beta[2] <= 0.0 {
                continue;
            }
            let bic = fit.bic(3, rounding);
            models[count] = (fit.beta[1], bic);
            count += 1;
            if demands.collected && bic < best_bic {
                best_bic = bic;
                let load = Some(LoadModel { key, mean, deviation, z, share: fit.beta[2] });
                best = Model { growth: fit.beta[1], t: t_of(&fit, &[&one, &axis, &z], window), load };
            }
        }
    } else {
        for key in 1..3 {
            let level = |i: usize| f64::from(points[i].smooth[key]);
            let mean = (0..n).map(level).sum::<f64>() / nf;
            let with = (0..n).map(|i| (level(i) - mean) * (x[i] - 0.5)).sum::<f64>();
            if mean > 0.0 && with / mean / nf > 0.02 {
                return Err(Refusal::Load);
            }
        }
    }
    let growth = best.growth;
    if growth <= 0.0 {
        return Err(Refusal::Falls);
    }
    let mut adjusted = *y;
    let mut load_range = 0.0;
    if let Some(load) = &best.load {
        let (mut a, mut b) = (f64::INFINITY, f64::NEG_INFINITY);
        for i in 0..n {
            adjusted[i] -= load.share * load.z[i];
            a = a.min(load.z[i]);
            b = b.max(load.z[i]);
        }
        load_range = load.share * (b - a);
    }
    let rate = growth / span;
    let left = (context.limit - y[n - 1]).max(KIB) / rate;
    let lift = points[..n].iter().map(|p| f64::from(p.smooth[0])).sum::<f64>() / nf
        / f64::from(points[0].smooth[2]).max(1e-9);

    let mut proven = true;
    if demands.collected || context.wait {
        let (a, b) = window.major_ends();
        proven = b > a && x[b] - x[a] >= tune(7);
        if proven && y[b] - y[a] < 0.5 * growth * (axis[b] - axis[a]) {
            return Err(Refusal::Inexact);
        }
        // What was left after any collection bounds what was alive: from there to an exact floor the growth is certain.
        let certain = y[a] - points[0].y;
        proven |= x[a] >= 0.35 && certain >= 0.6 * growth * (axis[a] - axis[0]);
    }
    let urgent = demands.collected
        && proven
        && left < URGENT_SAMPLES
        && lift < 1.3
        && n >= if young { 6 } else { 5 }
        && growth > URGENT_SHARE * footprint * if young { 1.6 } else { 1.0 };
    if start < if urgent { URGENT_WARM_UP } else { WARM_UP } {
        return Err(Refusal::Warm);
    }
    let risen = if lift > 1.1 { lift.powi(2).min(6.0) } else { 1.0 };
    if growth - doubt < least * risen && !urgent {
        return Err(Refusal::Effect);
    }
    if plain.beta[1] < 0.4 * growth || (plain.beta[1] < 0.5 * least && !urgent) {
        return Err(Refusal::Load);
    }
    if span < DAY && growth < 0.5 * load_range {
        return Err(Refusal::Load);
    }
    // Where the load rose by half and more, memory in proportion to it explains as much.
    let times = f64::from(points[n - 1].smooth[1]) / f64::from(points[0].smooth[1]).max(1e-9);
    if demands.collected && times > tune(10) && span < DAY && growth < tune(9) * (times - 1.0) * y[0] {
        return Err(Refusal::Load);
    }
    if span < demands.least_span {
        return Err(Refusal::Points);
    }
    if best.t < demands.t * if n < 12 { 1.5 } else { 1.0 } {
        return Err(Refusal::Chance);
    }
    if models[..count].iter().any(|&(g, bic)| bic < best_bic + 6.0 && g < 0.5 * growth) {
        return Err(Refusal::Load);
    }

    let steps = Steps::of(&axis, &adjusted, n).ok_or(Refusal::Uneven)?;
    if steps.smallest < tune(3) {
        return Err(Refusal::Uneven);
    }
    if steps.last < tune(2) && n >= 6 {
        return Err(Refusal::Late);
    }
    let straight = if n >= 6 { straightness(&axis, &adjusted, &prior, n, span, rounding) } else { f64::INFINITY };
    let certainty = (nf / tune(8)).min(1.0);
    if straight < demands.straight * certainty {
        return Err(Refusal::Plateau);
    }

    // Against all that was before: higher than ever, and no slower than until then.
    let adjust = |p: &Point| p.y - best.load.as_ref().map_or(0.0, |load| load.of(p));
    let highest = pyramid
        .before(level + 3, start)
        .filter(|p| p.x > WARM_UP)
        .map(adjust)
        .fold(f64::NEG_INFINITY, f64::max);
    let record = (steps.end - highest) / growth;
    if record < demands.record {
        return Err(Refusal::Seen);
    }
    let mut pace = 0.0;
    if !urgent {
        match earlier(pyramid, level, start, span) {
            None => {
                if start < WARM_UP + 0.3 * span.min(480.0) || growth < tune(1) * least {
                    return Err(Refusal::Young);
                }
            }
            Some(p) => {
                let mut head = adjusted;
                let risen = median(&mut head[..(n / 8).max(1)]) - adjust(&p);
                let time = if by_load {
                    (points[0].load - p.load) / (points[n - 1].load - points[0].load)
                } else {
                    (start - p.x).max(1.0) / span
                };
                pace = risen / time.max(1e-9) / growth;
                if pace * tune(6) > 1.0 {
                    return Err(Refusal::Slowing);
                }
            }
        }
        // Growth that began within the window has no past to compare with: it must show more.
        if pace < tune(5) {
            if straight < demands.sudden_straight * certainty {
                return Err(Refusal::Plateau);
            }
            if (exact < demands.sudden_exact && span < LONG)
                || steps.last < tune(4)
                || growth < demands.sudden_ratio * least
            {
                return Err(Refusal::Sudden);
            }
        }
    }
    Ok(Finding {
        points: n,
        exact,
        span,
        start,
        growth,
        least,
        t: best.t,
        first: plain.beta[0],
        last: steps.end,
        smallest_step: steps.smallest,
        last_step: steps.last,
        straight,
        left,
        urgent,
        proven,
        scale,
        pace,
        record,
        load_share: load_range / growth,
    })
}

/// An exact floor from before a window that starts at `start` and spans `span`: the first one in the stretch from 0.9 to
/// 0.3 spans before it, or else the last one before that.
fn earlier(pyramid: &Pyramid, level: usize, start: f64, span: f64) -> Option<Point> {
    let until = start - 0.3 * span;
    let from = (start - 0.9 * span).max(WARM_UP);
    let mut before = None::<Point>;
    let mut within = None::<Point>;
    for level in level..level + 5 {
        for p in pyramid.before(level, until).filter(|p| p.x >= WARM_UP) {
            if p.x >= from {
                if within.is_none_or(|w| p.x < w.x) {
                    within = Some(*p);
                }
            } else if before.is_none_or(|b| p.x > b.x) {
                before = Some(*p);
            }
        }
    }
    within.or(before)
}
