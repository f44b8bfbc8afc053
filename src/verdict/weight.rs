//! The weight of all signs together.
//!
//! Each test that a window passes has a bar of its own, and a window may pass them all narrowly. Growth of programs that do not
//! leak mostly does. So what the tests measured is added up: a strong sign makes up for a weak one, and many weak ones do not
//! suffice. The sum is a log of odds in kind, from a logistic regression on windows of generated programs that passed every
//! other test at half of what had been asked, those of one program weighing together as one; coefficients are rounded.

use super::fit::{Column, Fit, MOST, least_squares};

/// What a window that passed the tests showed.
#[derive(Debug, Clone, Copy)]
pub struct Signs {
    /// Standard errors that the slope is from 0.
    pub t: f64,
    /// Samples from the first point to the last.
    pub span: f64,
    /// Growth as a share of the level at the window's start.
    pub relative: f64,
    /// Share of the window that lies between its first and its last major collection; nothing below two of them.
    pub majors: Option<f64>,
    /// By how much the last point may be too high, as a share of the growth.
    pub doubt: f64,
    /// What the load explains, as a share of the growth.
    pub load: f64,
    /// The smallest growth that a rival model leaves, as a share of the growth.
    pub rival: f64,
    /// Share of the growth by which it bends upwards, from [`bend`].
    pub bend: f64,
    /// Growth before the window as a multiple of the window's, where there is a past.
    pub pace: Option<f64>,
    /// Samples since the process began.
    pub age: f64,
    /// Whether the memory is resident memory that nothing else explains, which the kernel moves as well.
    pub residual: bool,
}

/// Samples after which a process has seen what its day brings it, but for the day itself: some three hours.
const GROWN_UP: f64 = 400.0;
/// By how much an age of an e-th of that counts against it.
const YOUTH: f64 = 0.5;

impl Signs {
    /// The weight of the signs: the larger, the rarer among programs that do not leak.
    pub fn weight(&self) -> f64 {
        let ln = |v: f64, least: f64, most: f64| v.clamp(least, most).ln();
        // Growth that began within the window, and growth with no past to hold it against.
        let past = self.pace.map_or(1.8, |pace| 2.6 * (0.6 - pace).clamp(0.0, 0.6));
        0.9 * ln(self.t, 3.0, 300.0)
            + 0.7 * ln(self.span, 1.0, 1e4)
            + 0.6 * ln(self.relative, 0.01, 3.0)
            + self.majors.map_or(0.6, |share| 1.2 * share)
            + 1.1 * self.bend.clamp(-2.0, 2.0)
            + 3.0 * self.rival.clamp(0.3, 1.0)
            - 2.1 * self.doubt.clamp(0.0, 1.0)
            - 1.35 * self.load.clamp(0.0, 1.0)
            - past
            // What has just begun is likelier to be filling up than to leak.
            + YOUTH * (ln(self.age, 20.0, GROWN_UP) - GROWN_UP.ln())
            - if self.residual { 0.8 } else { 0.0 }
    }
}

/// The quadratic term of `y` over an `axis` from 0 to 1, as a share of `growth`: above 0 it quickens, below it slows down.
pub fn bend(axis: &Column, y: &Column, w: &Column, n: usize, growth: f64) -> f64 {
    let one: Column = [1.0; MOST];
    let mut square = [0.0; MOST];
    square.iter_mut().zip(&axis[..n]).for_each(|(s, x)| *s = (x - 0.5).powi(2));
    least_squares(&[&one, axis, &square], y, w, n).map_or(0.0, |Fit { beta, .. }| beta[2] / growth)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn growth_that_quickens_bends_upwards() {
        let (mut x, mut y) = ([0.0; MOST], [0.0; MOST]);
        for i in 0..MOST {
            x[i] = i as f64 / (MOST - 1) as f64;
            y[i] = x[i] * x[i];
        }
        assert!((bend(&x, &y, &[1.0; MOST], MOST, 1.0) - 1.0).abs() < 1e-6);
        y.iter_mut().zip(&x).for_each(|(y, x)| *y = x.sqrt());
        assert!(bend(&x, &y, &[1.0; MOST], MOST, 1.0) < -0.2);
    }
}
