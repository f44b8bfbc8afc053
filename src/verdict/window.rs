//! What one window of floors says.

use super::fit::{Column, Fit, MOST, least_squares, median, robust};
use crate::series::{Point, Promoted, Pyramid, Rate};

/// Bytes below which nothing is told apart.
const KIB: f64 = 1024.0;

/// What is asked of a window.
#[derive(Debug, Clone, Copy)]
pub struct Demands {
    /// Growth, in bytes, that is worth a word whatever the size of the process.
    pub least_bytes: f64,
    /// Growth over an hour at 30 seconds a sample, as a share of the process's size.
    pub share: f64,
    /// The share that is asked of the longest windows.
    pub least_share: f64,
    pub record: f64,
    pub straight: f64,
    pub sudden_straight: f64,
    pub sudden_exact: usize,
    pub sudden_ratio: f64,
    /// Standard errors that the slope must be from 0.
    pub t: f64,
    /// Whether the memory is collected: its floors are exact only after major collections.
    pub collected: bool,
}

/// Why a window makes no claim.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Refusal {
    Points,
    Cover,
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
    /// Points, and how many of them are exact.
    pub points: usize,
    pub exact: usize,
    /// Length in samples, and where it starts.
    pub span: f64,
    pub start: f64,
    /// Growth over the window in bytes, of the best model.
    pub growth: f64,
    /// Growth that would have been too small.
    pub least: f64,
    /// Standard errors from no growth.
    pub t: f64,
    /// The level at the start and the end.
    pub first: f64,
    pub last: f64,
    /// Smallest and last rise between the quarters, as shares of the mean one.
    pub smallest_step: f64,
    pub last_step: f64,
    /// How much better the straight line is than saturating growth or a step (positive: better).
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
    /// The garbage between major collections.
    pub promoted: &'a Promoted,
    pub garbage: Option<Rate>,
}

const WARM: f64 = 10.0;
const WARM_URGENT: f64 = 3.0;
const URGENT_SAMPLES: f64 = 60.0;
const URGENT_EFFECT: f64 = 0.6;
const URGENT_YOUNG: f64 = 1.6;
const YOUNG: f64 = 120.0;
const YOUNG_EFFECT: f64 = 2.0;

struct Window {
    n: usize,
    exact: usize,
    points: [Point; MOST],
    x: Column,
    y: Column,
    w: Column,
    start: f64,
    span: f64,
    /// By how much the last point may be too high.
    doubt: f64,
}

fn gather(
    pyramid: &Pyramid,
    level: usize,
    length: f64,
    context: &Context<'_>,
    demands: &Demands,
) -> Result<Window, Refusal> {
    let mut window = Window {
        n: 0,
        exact: 0,
        points: [Point::default(); MOST],
        x: [0.0; MOST],
        y: [0.0; MOST],
        w: [1.0; MOST],
        start: 0.0,
        span: 0.0,
        doubt: 0.0,
    };
    let since = context.now - length;
    let tail = pyramid.tail(level).filter(|p| p.x >= since);
    let all = pyramid.since(level, since).copied().chain(tail);
    let last_exact = all.clone().filter(|p| p.exact).last().map_or(f64::NEG_INFINITY, |p| p.x);
    let exact = all.clone().filter(|p| p.exact).count();
    let mut closed = context.promoted.closed().peekable();
    for mut p in all {
        let bound = p.y;
        if demands.collected && !p.exact {
            let Some(rate) = context.garbage else { continue };
            let open = p.x > last_exact;
            if exact >= 12 && !open {
                continue;
            }
            if open {
                p.y -= rate.mean * p.garbage;
                window.doubt = 2.0 * rate.deviation * p.garbage;
                window.w[window.n] = 0.25;
            } else {
                while closed.peek().is_some_and(|&(end, _)| end < p.x) {
                    closed.next();
                }
                let Some(&(_, rate)) = closed.peek() else { continue };
                p.y -= rate * p.garbage;
                window.w[window.n] = 0.5;
            }
        } else {
            window.exact += 1;
            window.doubt = 0.0;
            window.w[window.n] = 1.0;
        }
        if window.n == MOST {
            break;
        }
        window.y[window.n] = p.y;
        p.y = bound;
        window.points[window.n] = p;
        window.n += 1;
    }
    let n = window.n;
    if n < if demands.collected { 4 } else { 8 } || (demands.collected && exact == 0) {
        return Err(Refusal::Points);
    }
    window.start = window.points[0].x;
    window.span = window.points[n - 1].x - window.start;
    if window.span < 0.6 * length || window.span < 4.0 {
        return Err(Refusal::Cover);
    }
    for i in 0..n {
        window.x[i] = (window.points[i].x - window.start) / window.span;
    }
    Ok(window)
}

/// Judges the last `length` samples at the resolution of `level`.
pub fn judge(
    pyramid: &Pyramid,
    level: usize,
    length: f64,
    context: &Context<'_>,
    demands: &Demands,
    proof: Option<&Pyramid>,
) -> Result<Finding, Refusal> {
    let window = gather(pyramid, level, length, context, demands)?;
    let Window { n, span, start, ref points, ref x, ref y, ref w, .. } = window;
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
    let share = (demands.share * 120.0 / span).max(demands.least_share) * context.footprint;
    let least = few * if young { YOUNG_EFFECT } else { 1.0 } * demands.least_bytes.max(share);
    let urgent_least = URGENT_EFFECT * context.footprint * if young { URGENT_YOUNG } else { 1.0 };
    let quarter = (n / 4).max(1);
    let low = |range: std::ops::Range<usize>| range.map(|i| y[i]).fold(f64::INFINITY, f64::min);
    let rise = low(n - quarter..n) - low(0..quarter);
    if rise < 0.3 * least && rise < 0.3 * urgent_least {
        return Err(Refusal::Effect);
    }

    if let Some(proof) = proof {
        let top = proof.since(level, start + 0.75 * span).map(|p| p.y).fold(f64::NEG_INFINITY, f64::max);
        if top - low(0..quarter) < 0.5 * least {
            return Err(Refusal::Unproven);
        }
    }

    let one: Column = [1.0; MOST];
    let plain = robust(&[&one, x], y, n, Some(w)).ok_or(Refusal::Points)?;
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
            let bytes = (4.0 * KIB) * (4.0 * KIB);
            if let Some(fit) = robust(&[&one, &loads], y, n, Some(w))
                && fit.beta[1] > 0.0
                && fit.bic(bytes, 0) + 4.0 < plain.bic(bytes, 0)
            {
                axis = loads;
                line = fit;
                by_load = true;
            }
        }
    }
    let sd = (0.1 * line.scale).max(64.0 * KIB / 8.0);
    let mut best = Model { fit: line, growth: line.beta[1], t: line.t(1, 16.0 * KIB), load: None };
    let mut best_bic = line.bic(sd * sd, 2);
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
            let Some(fit) = robust(&[&one, &axis, &z], y, n, Some(w)) else { continue };
            if fit.beta[2] <= 0.0 {
                continue;
            }
            let bic = fit.bic(sd * sd, 3);
            models[count] = (fit.beta[1], bic);
            count += 1;
            if demands.collected && bic < best_bic {
                best_bic = bic;
                let load = Some(LoadModel { key, mean, deviation, z, share: fit.beta[2] });
                best = Model { fit, growth: fit.beta[1], t: fit.t(1, 16.0 * KIB), load };
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
    let urgent = demands.collected
        && left < URGENT_SAMPLES
        && lift < 1.3
        && n >= if young { 6 } else { 5 }
        && growth > urgent_least;
    if start < if urgent { WARM_URGENT } else { WARM } {
        return Err(Refusal::Warm);
    }
    let mut proven = true;
    if demands.collected {
        let mut exact = (0..n).filter(|&i| points[i].exact);
        let (a, b) = (exact.next().unwrap_or(0), exact.next_back().unwrap_or(0));
        proven = b > a && x[b] - x[a] >= 0.35;
        if proven && y[b] - y[a] < 0.5 * growth * (axis[b] - axis[a]) {
            return Err(Refusal::Inexact);
        }
        // What was left after any collection bounds what was alive: from there to an exact floor the growth is certain.
        let certain = y[a] - window.points[0].y;
        proven |= x[a] >= 0.35 && certain >= 0.6 * growth * (axis[a] - axis[0]);
    }
    let risen = if lift > 1.1 { lift.powi(2).min(6.0) } else { 1.0 };
    if growth - window.doubt < least * risen && !urgent {
        return Err(Refusal::Effect);
    }
    if plain.beta[1] < 0.4 * growth || (plain.beta[1] < 0.5 * least && !urgent) {
        return Err(Refusal::Load);
    }
    if span < 2880.0 && growth < 0.5 * load_range {
        return Err(Refusal::Load);
    }
    if best.t < demands.t * if n < 6 { 1.5 } else { 1.0 } {
        return Err(Refusal::Chance);
    }
    if models[..count].iter().any(|&(g, bic)| bic < best_bic + 6.0 && g < 0.5 * growth) {
        return Err(Refusal::Load);
    }

    let (smallest_step, last_step, end) = steps(&axis, &adjusted, n)?;
    if smallest_step < 0.25 {
        return Err(Refusal::Uneven);
    }
    if last_step < 0.5 && n >= 6 {
        return Err(Refusal::Late);
    }
    let straight = if n >= 6 { straightness(&axis, &adjusted, w, n, span, sd) } else { 0.0 };
    if n >= 6 && straight < 6.0 * (nf / 12.0).min(1.0) {
        return Err(Refusal::Plateau);
    }

    // Against all that was before: higher than ever, and no slower than until then.
    let adjust = |p: &Point| match &best.load {
        Some(load) => p.y - load.share * (f64::from(p.smooth[load.key]) - load.mean) / load.deviation,
        None => p.y,
    };
    let highest =
        pyramid.before(level + 3, start).filter(|p| p.x > WARM).map(adjust).fold(f64::NEG_INFINITY, f64::max);
    let record = (end - highest) / growth;
    if record < demands.record {
        return Err(Refusal::Seen);
    }
    let mut pace = 0.0;
    if !urgent {
        let until = (start - 0.3 * span).max(WARM);
        let from = (start - 0.9 * span).max(WARM);
        let earlier = (level..level + 5)
            .flat_map(|l| pyramid.before(l, until).filter(|p| p.x >= WARM))
            .filter(|p| p.x >= from)
            .min_by(|a, b| a.x.total_cmp(&b.x))
            .or_else(|| (level..level + 5).flat_map(|l| pyramid.before(l, until).filter(|p| p.x >= WARM)).max_by(|a, b| a.x.total_cmp(&b.x)));
        match earlier {
            None => {
                if start < WARM + 0.3 * span.min(480.0) || growth < 1.5 * least {
                    return Err(Refusal::Young);
                }
            }
            Some(p) => {
                let mut head = [0.0; MOST];
                let k = (n / 8).max(1);
                head[..k].copy_from_slice(&adjusted[..k]);
                let risen = median(&mut head[..k]) - adjust(p);
                let time = if by_load {
                    (points[0].load - p.load) / (points[n - 1].load - points[0].load)
                } else {
                    (start - p.x).max(1.0) / span
                };
                pace = risen / time.max(1e-9) / growth;
                if pace * 0.85 > 1.0 {
                    return Err(Refusal::Slowing);
                }
            }
        }
    }
    // Growth that began within the window has no past to compare with: it must show more.
    let sudden = pace < 0.4 && !urgent;
    let enough = if sudden { demands.sudden_straight } else { demands.straight };
    if straight < enough * (nf / 12.0).min(1.0) {
        return Err(Refusal::Plateau);
    }
    if sudden && ((window.exact < demands.sudden_exact && span < 960.0) || last_step < 0.75 || growth < demands.sudden_ratio * least) {
        return Err(Refusal::Sudden);
    }
    Ok(Finding {
        points: n,
        exact: window.exact,
        span,
        start,
        growth,
        least,
        t: best.t,
        first: plain.beta[0],
        last: end,
        smallest_step,
        last_step,
        straight,
        left,
        urgent,
        proven,
        scale: line.scale,
        pace,
        record,
        load_share: load_range / growth,
    })
}

struct LoadModel {
    key: usize,
    mean: f64,
    deviation: f64,
    z: Column,
    share: f64,
}

struct Model {
    fit: Fit,
    growth: f64,
    t: f64,
    load: Option<LoadModel>,
}

/// Cuts the axis into quarters: the smallest and the last rise between their medians as shares of the mean rise, and the
/// last median.
fn steps(axis: &Column, y: &Column, n: usize) -> Result<(f64, f64, f64), Refusal> {
    let parts = (n / 2).min(4);
    let mut medians = [0.0; 4];
    for (part, out) in medians[..parts].iter_mut().enumerate() {
        let mut values = [0.0; MOST];
        let mut k = 0;
        for i in 0..n {
            if ((parts as f64 * axis[i] * 0.9999) as usize).min(parts - 1) == part {
                values[k] = y[i];
                k += 1;
            }
        }
        if k == 0 {
            return Err(Refusal::Uneven);
        }
        *out = median(&mut values[..k]);
    }
    let mean = (medians[parts - 1] - medians[0]) / (parts - 1) as f64;
    if mean <= 0.0 {
        return Err(Refusal::Uneven);
    }
    let rise = |i: usize| (medians[i] - medians[i - 1]) / mean;
    let smallest = (1..parts).map(rise).fold(f64::INFINITY, f64::min);
    let last = if parts > 2 { rise(parts - 1) } else { 1.0 };
    Ok((smallest, last, medians[parts - 1]))
}

/// By how much the straight line describes the window better than saturating growth or one step do.
fn straightness(axis: &Column, y: &Column, w: &Column, n: usize, span: f64, sd: f64) -> f64 {
    let one: Column = [1.0; MOST];
    let Some(line) = robust(&[&one, axis], y, n, Some(w)) else { return f64::NEG_INFINITY };
    let line = line.bic(sd * sd, 2);
    let mut other = f64::INFINITY;
    for share in [0.125, 0.25, 0.5] {
        if share * span > 960.0 && share > 0.25 {
            break;
        }
        let mut bent = [0.0; MOST];
        for i in 0..n {
            bent[i] = 1.0 - (-axis[i] / share).exp();
        }
        if let Some(fit) = robust(&[&one, &bent], y, n, Some(w))
            && fit.beta[1] > 0.0
        {
            other = other.min(fit.bic(sd * sd, 2));
        }
    }
    for k in 2..n.saturating_sub(1) {
        let mut step = [0.0; MOST];
        step[k..n].fill(1.0);
        if let Some(fit) = least_squares(&[&one, &step], y, n, None) {
            other = other.min(fit.bic(sd * sd, 3));
        }
    }
    other - line
}
