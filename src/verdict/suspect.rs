//! What makes a window suspicious: early, cheap, and no proof.

use super::demands::Demands;
use super::fit::{least_squares, robust_weights};
use super::judge::{Context, Finding, LEAST_ROUNDING, ONE, WARM_UP, earlier, t_of};
use super::shape::{Steps, straightness};
use super::window::Window;
use crate::series::Pyramid;

/// Fewest points.
const FEWEST: usize = 5;
/// Standard errors that the slope must be from 0. Straightness asks for more; this sorts out most windows before it.
const T: f64 = 4.0;
/// The smallest and the last rise between quarters, as shares of the mean one.
const SMALLEST: f64 = 0.4;
const LAST: f64 = 0.9;
/// How far the end must lie above all that was before, as a share of the growth.
const RECORD: f64 = 0.5;
/// Mean load within the window, by that of the hour before it: above this the load may be all there is.
const LIFT: f64 = 1.2;
/// By how much a line must beat a plateau and a step, a point of the window.
const STRAIGHT: f64 = 0.65;
/// Growth that was faster than this before the window, as a multiple of the window's, is dying out.
const MOST_PACE: f64 = 1.2;

/// Whether the window looks like growth at all; in the order of cost.
pub fn suspect(
    window: &Window,
    pyramid: &Pyramid,
    level: usize,
    context: &Context<'_>,
    demands: &Demands,
) -> Option<Finding> {
    let Window { n, exact, span, start, doubt, ref points, ref x, ref y, .. } = *window;
    if start < WARM_UP || n < FEWEST {
        return None;
    }
    let mean_load = points[..n].iter().map(|p| f64::from(p.smooth[0])).sum::<f64>() / n as f64;
    if mean_load > LIFT * f64::from(points[0].smooth[2]) {
        return None;
    }
    let (w, scale) = robust_weights(&[&ONE, x], y, &window.w, n)?;
    let line = least_squares(&[&ONE, x], y, &w, n)?;
    let growth = line.beta[1];
    let least = demands.least_suspect(span, context.footprint);
    if growth - doubt < least {
        return None;
    }
    let t = t_of(&line, &[&ONE, x], window);
    if t < T {
        return None;
    }
    let steps = Steps::of(x, y, n).filter(|s| s.smallest >= SMALLEST && s.last >= LAST)?;
    let past = pyramid.before(level + 3, start).filter(|p| p.x > WARM_UP);
    let record = (steps.end - past.map(|p| p.y).fold(f64::NEG_INFINITY, f64::max)) / growth;
    if record < RECORD {
        return None;
    }
    let straight = straightness(x, y, &window.w, n, span, (0.1 * scale).max(LEAST_ROUNDING));
    if straight < STRAIGHT * n as f64 {
        return None;
    }
    let pace = earlier(pyramid, level, start, span)
        .map_or(0.0, |p| (line.beta[0] - p.y) / ((start - p.x).max(1.0) / span) / growth);
    (pace <= MOST_PACE).then_some(Finding {
        points: n,
        exact,
        span,
        start,
        growth,
        error: growth / t,
        least,
        first: line.beta[0],
        last: steps.end,
        smallest_step: steps.smallest,
        last_step: steps.last,
        straight,
        record,
        pace,
        ..Finding::default()
    })
}
