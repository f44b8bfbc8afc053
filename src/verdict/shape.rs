//! What shape growth has: even, dying out, one step.

use super::fit::{Column, MOST, least_squares, median};

/// Parts that a window is cut into.
const PARTS: usize = 4;
/// Longest time constant of saturating growth, as a share of the window, and how many are tried, each half the one
/// before. Longer ones look straight within the window; what came before it tells them.
const LONGEST: f64 = 0.5;
const SATURATING: usize = 3;
/// Saturating growth slower than this many samples (eight hours at 30 seconds) is growth.
const SLOWEST: f64 = 960.0;

/// How growth is spread over a window cut into quarters.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Steps {
    /// The smallest rise between the medians of two quarters, as a share of the mean rise.
    pub smallest: f64,
    /// The last rise, likewise: below one the growth slows down.
    pub last: f64,
    /// The median of the last quarter.
    pub end: f64,
}

impl Steps {
    /// Cuts `axis`, from 0 to 1, into quarters; nothing where one of them has no point or nothing rises on the whole.
    pub fn of(axis: &Column, y: &Column, n: usize) -> Option<Self> {
        let parts = (n / 2).clamp(2, PARTS);
        let mut medians = [0.0; PARTS];
        for (part, out) in medians[..parts].iter_mut().enumerate() {
            let mut values = [0.0; MOST];
            let mut k = 0;
            for i in 0..n {
                if ((parts as f64 * axis[i]) as usize).min(parts - 1) == part {
                    values[k] = y[i];
                    k += 1;
                }
            }
            if k == 0 {
                return None;
            }
            *out = median(&mut values[..k]);
        }
        let mean = (medians[parts - 1] - medians[0]) / (parts - 1) as f64;
        if mean <= 0.0 {
            return None;
        }
        let rises = medians[..parts].windows(2).map(|pair| (pair[1] - pair[0]) / mean);
        let last = if parts > 2 { rises.clone().next_back().unwrap_or(1.0) } else { 1.0 };
        Some(Self { smallest: rises.fold(f64::INFINITY, f64::min), last, end: medians[parts - 1] })
    }
}

/// By how much a straight line describes the window better than growth that saturates, or one step, does: a difference of
/// Schwarz's criterion. `least` is a standard deviation below which residuals are rounding.
pub fn straightness(axis: &Column, y: &Column, w: &Column, n: usize, span: f64, least: f64) -> f64 {
    let one: Column = [1.0; MOST];
    let Some(line) = least_squares(&[&one, axis], y, w, n) else { return f64::NEG_INFINITY };
    let mut other = one_step(y, w, n, least);
    // exp(-x / tau) for the longest time constant; each next one is half of it, hence its square.
    let mut decayed = [0.0; MOST];
    for i in 0..n {
        decayed[i] = (-axis[i] / LONGEST).exp();
    }
    let mut share = LONGEST;
    for _ in 0..SATURATING {
        if share * span <= SLOWEST || share <= 0.25 {
            let mut bent = [0.0; MOST];
            for i in 0..n {
                bent[i] = 1.0 - decayed[i];
            }
            if let Some(fit) = least_squares(&[&one, &bent], y, w, n)
                && fit.beta[1] > 0.0
            {
                other = other.min(fit.bic(2, least));
            }
        }
        share /= 2.0;
        decayed.iter_mut().for_each(|d| *d *= *d);
    }
    other - line.bic(2, least)
}

/// Schwarz's criterion of the best two-level description; its place counts as a third term.
fn one_step(y: &Column, w: &Column, n: usize, least: f64) -> f64 {
    // About the first value, so that squares of large sizes do not drown the differences.
    let origin = y[0];
    let add = |(s, sy, syy): (f64, f64, f64), i: usize| {
        let v = y[i] - origin;
        (s + w[i], sy + w[i] * v, syy + w[i] * v * v)
    };
    let all = (0..n).fold((0.0, 0.0, 0.0), add);
    let mut before = add((0.0, 0.0, 0.0), 0);
    let mut rss = f64::INFINITY;
    for i in 1..n.saturating_sub(2) {
        before = add(before, i);
        let after = (all.0 - before.0, all.1 - before.1, all.2 - before.2);
        let left = before.2 - before.1 * before.1 / before.0;
        let right = after.2 - after.1 * after.1 / after.0;
        rss = rss.min(left + right);
    }
    let n = n as f64;
    n * (rss.max(0.0) / n + least * least).ln() + 3.0 * n.ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    const N: usize = 48;
    const ROUNDING: f64 = 8192.0;

    /// 20 MB over the window by `shape`, from 0 to 1, with 1 % of noise.
    fn window(shape: impl Fn(f64) -> f64) -> (Column, Column) {
        let (mut x, mut y) = ([0.0; MOST], [0.0; MOST]);
        for i in 0..N {
            x[i] = i as f64 / (N - 1) as f64;
            let noise =
                ((i as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40) as f64 / (1u64 << 24) as f64 - 0.5;
            y[i] = 1e8 + 2e7 * shape(x[i]) + 4e5 * noise;
        }
        (x, y)
    }

    fn straight(shape: impl Fn(f64) -> f64) -> f64 {
        let (x, y) = window(shape);
        straightness(&x, &y, &[1.0; MOST], N, 500.0, ROUNDING)
    }

    #[test]
    fn a_line_is_told_from_what_ends() {
        assert!(straight(|x| x) > 40.0, "{}", straight(|x| x));
        for tau in [0.1, 0.2, 0.4] {
            let saturating = straight(|x| 1.0 - (-x / tau).exp());
            assert!(saturating < 0.0, "{tau}: {saturating}");
        }
        assert!(straight(|x| if x > 0.4 { 1.0 } else { 0.0 }) < 0.0, "a step");
    }

    #[test]
    fn the_quarters_of_a_line_rise_alike_and_those_of_a_step_do_not() {
        let (x, y) = window(|x| x);
        let even = Steps::of(&x, &y, N).expect("it rises");
        assert!(even.smallest > 0.9 && (even.last - 1.0).abs() < 0.1, "{even:?}");
        let (x, y) = window(|x| if x > 0.4 { 1.0 } else { 0.0 });
        let step = Steps::of(&x, &y, N).expect("it rises");
        assert!(step.smallest < 0.1 && step.last < 0.1, "{step:?}");
        let (x, y) = window(|x| -x);
        assert_eq!(Steps::of(&x, &y, N), None, "it falls");
    }

    #[test]
    fn growth_slower_than_eight_hours_is_growth() {
        let (x, y) = window(|x| 1.0 - (-x / 0.45).exp());
        let w = [1.0; MOST];
        let short = straightness(&x, &y, &w, N, 500.0, ROUNDING);
        let long = straightness(&x, &y, &w, N, 50_000.0, ROUNDING);
        assert!(short < 0.0 && long > short, "{short} {long}");
    }
}
