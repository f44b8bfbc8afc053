//! Least squares over a short window.

/// Most points of a window.
pub const MOST: usize = 64;
/// Most terms of a model.
const TERMS: usize = 3;

/// One value for each point of a window; those past its length are not used.
pub type Column = [f64; MOST];

/// A fitted linear model.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fit {
    points: usize,
    terms: usize,
    /// The coefficients, in the order of the model's columns.
    pub beta: [f64; TERMS],
    /// The diagonal of the inverse of the normal equations' matrix.
    diagonal: [f64; TERMS],
    /// The weighted sum of the squared residuals.
    rss: f64,
}

/// Weighted least squares of `y` on `columns`, over the first `n` points; nothing where the columns are collinear.
///
/// Solves the normal equations, which loses half the digits: enough, since columns are scaled to about one and models
/// have at most three. 48 points and two columns take about 0.1 us.
pub fn least_squares(columns: &[&Column], y: &Column, weights: &Column, n: usize) -> Option<Fit> {
    let terms = columns.len();
    let mut a = [[0.0f64; 2 * TERMS + 1]; TERMS];
    for (k, column) in columns.iter().enumerate() {
        let weighted: Column = std::array::from_fn(|i| weights[i] * column[i]);
        for (l, other) in columns.iter().enumerate().skip(k) {
            a[k][l] = sum_of(n, |i| weighted[i] * other[i]);
            a[l][k] = a[k][l];
        }
        a[k][TERMS] = sum_of(n, |i| weighted[i] * y[i]);
        a[k][TERMS + 1 + k] = 1.0;
    }
    for c in 0..terms {
        let pivot = a[c][c];
        if pivot.is_nan() || pivot <= 1e-10 {
            return None;
        }
        a[c].iter_mut().for_each(|v| *v /= pivot);
        let row = a[c];
        for (k, other) in a.iter_mut().enumerate().take(terms) {
            let factor = other[c];
            if k != c {
                other.iter_mut().zip(row).for_each(|(v, r)| *v -= factor * r);
            }
        }
    }
    let mut fit = Fit { points: n, terms, beta: [0.0; TERMS], diagonal: [0.0; TERMS], rss: 0.0 };
    for k in 0..terms {
        fit.beta[k] = a[k][TERMS];
        fit.diagonal[k] = a[k][TERMS + 1 + k];
    }
    let residuals = fit.residuals(columns, y);
    fit.rss = sum_of(n, |i| weights[i] * residuals[i] * residuals[i]);
    Some(fit)
}

/// The sum of the first `n` values, in four partial sums that do not wait for each other.
#[inline]
fn sum_of(n: usize, value: impl Fn(usize) -> f64) -> f64 {
    const LANES: usize = 4;
    let n = n.min(MOST);
    let whole = n - n % LANES;
    let mut sums = [0.0; LANES];
    for start in (0..whole).step_by(LANES) {
        for (lane, sum) in sums.iter_mut().enumerate() {
            *sum += value(start + lane);
        }
    }
    let rest: f64 = (whole..n).map(value).sum();
    (sums[0] + sums[2]) + (sums[1] + sums[3]) + rest
}

impl Fit {
    /// How far each point lies above the model; meaningless past the window's length.
    pub fn residuals(&self, columns: &[&Column], y: &Column) -> Column {
        let mut residuals = *y;
        for (column, beta) in columns.iter().zip(self.beta) {
            residuals.iter_mut().zip(*column).for_each(|(r, v)| *r -= beta * v);
        }
        residuals
    }

    /// How many standard errors coefficient `k` is from 0, where `residuals` follow each other as they do.
    ///
    /// The variance of a slope under residuals that one lag of autocorrelation *r* describes is larger than least squares
    /// says by about (1 + r) / (1 - r) (N. F. Zhang, "Calculation of the uncertainty of the mean of autocorrelated
    /// measurements", Metrologia 43, 2006, for the mean; J. Lee and R. Lund, "Revisiting simple linear regression with
    /// autocorrelated errors", Biometrika 91, 2004, for the slope). Assumes points about evenly spaced. *r* is held below
    /// 0.9, and under eight points taken for 0, since neither can be told there. `least` is a standard deviation below
    /// which residuals are rounding.
    pub fn t(&self, k: usize, residuals: &Column, least: f64) -> f64 {
        let n = self.points;
        let energy: f64 = residuals[..n].iter().map(|r| r * r).sum();
        let lagged: f64 = residuals[..n].windows(2).map(|pair| pair[0] * pair[1]).sum();
        let r = if n < 8 || energy <= 0.0 { 0.0 } else { (lagged / energy).clamp(0.0, 0.9) };
        let variance = (self.rss / n.saturating_sub(self.terms).max(1) as f64).max(least * least);
        self.beta[k] / (variance * self.diagonal[k].max(1e-18) * (1.0 + r) / (1.0 - r)).sqrt()
    }

    /// The Bayesian information criterion of the model: of two, the smaller describes the window better, and by 6 clearly
    /// so (G. Schwarz, "Estimating the dimension of a model", Annals of Statistics 6, 1978; R. E. Kass and A. E. Raftery,
    /// "Bayes factors", JASA 90, 1995, for the scale). `terms` counts what was chosen beside the coefficients, too;
    /// `least` is a standard deviation below which residuals are rounding.
    pub fn bic(&self, terms: usize, least: f64) -> f64 {
        let n = self.points as f64;
        n * (self.rss / n + least * least).ln() + terms as f64 * n.ln()
    }
}

/// Weights that hold outliers down, and the robust scale of the residuals, from `columns` fitted again and again.
///
/// The noise of floors is one-sided: a collection can leave garbage, never less than what is alive. So a point loses
/// weight from 1.5 robust standard deviations above the line on, and from 3 below (weights of P. J. Huber, "Robust
/// estimation of a location parameter", Annals of Mathematical Statistics 35, 1964). `prior` holds the weights to begin
/// with.
pub fn robust_weights(columns: &[&Column], y: &Column, prior: &Column, n: usize) -> Option<(Column, f64)> {
    const ROUNDS: usize = 3;
    let mut weights = *prior;
    let mut scale = 0.0;
    for _ in 0..ROUNDS {
        let fit = least_squares(columns, y, &weights, n)?;
        let residuals = fit.residuals(columns, y);
        let mut sizes = residuals.map(f64::abs);
        // 1.48 times the median deviation is the standard deviation of a normal distribution.
        scale = 1.48 * median(&mut sizes[..n]) + 1024.0;
        for i in 0..n {
            let r = residuals[i] / scale;
            let held = if r > 1.5 {
                1.5 / r
            } else if r < -3.0 {
                -3.0 / r
            } else {
                1.0
            };
            weights[i] = held * prior[i];
        }
    }
    Some((weights, scale))
}

/// What solves a symmetric system whose diagonal is 1, and the diagonal of the matrix's inverse: by how much each variable's doubt is
/// inflated by the others. Nothing where a column is a combination of those before it, to within rounding.
///
/// By Cholesky's decomposition, for any number of columns.
pub fn solve_spd(matrix: &[Vec<f64>], right: &[f64]) -> Option<(Vec<f64>, Vec<f64>)> {
    const LEAST_PIVOT: f64 = 1e-10;
    let n = right.len();
    let mut lower = vec![vec![0.0; n]; n];
    for (i, row) in matrix.iter().enumerate() {
        for (j, value) in row.iter().enumerate().take(i + 1) {
            let known: f64 = (0..j).map(|k| lower[i][k] * lower[j][k]).sum();
            let rest = value - known;
            if i != j {
                lower[i][j] = rest / lower[j][j];
            } else if rest.is_nan() || rest < LEAST_PIVOT {
                return None;
            } else {
                lower[i][i] = rest.sqrt();
            }
        }
    }
    let solve = |right: &[f64]| {
        let mut x = right.to_vec();
        for (i, row) in lower.iter().enumerate() {
            let known: f64 = (0..i).map(|k| row[k] * x[k]).sum();
            x[i] = (x[i] - known) / row[i];
        }
        for i in (0..n).rev() {
            let known: f64 = (i + 1..n).map(|k| lower[k][i] * x[k]).sum();
            x[i] = (x[i] - known) / lower[i][i];
        }
        x
    };
    let unit = |i: usize| (0..n).map(|k| f64::from(u8::from(k == i))).collect::<Vec<f64>>();
    let diagonal = (0..n).map(|i| solve(&unit(i))[i]).collect();
    Some((solve(right), diagonal))
}

/// The median of `values`, which it reorders; 0 of none.
pub fn median(values: &mut [f64]) -> f64 {
    let n = values.len();
    if n == 0 {
        return 0.0;
    }
    let (below, &mut upper, _) = values.select_nth_unstable_by(n / 2, f64::total_cmp);
    if n % 2 == 1 {
        return upper;
    }
    let lower = below.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    (lower + upper) / 2.0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ONE: Column = [1.0; MOST];

    fn column(values: impl IntoIterator<Item = f64>) -> Column {
        let mut column = [0.0; MOST];
        column.iter_mut().zip(values).for_each(|(to, value)| *to = value);
        column
    }

    #[test]
    fn collinear_columns_are_refused() {
        let x = column((0..10).map(f64::from));
        let twice = column((0..10).map(|i| 2.0 * f64::from(i)));
        assert_eq!(least_squares(&[&ONE, &x, &twice], &x, &ONE, 10), None);
        assert_eq!(least_squares(&[&ONE, &ONE], &x, &ONE, 10), None);
    }

    #[test]
    fn garbage_above_the_line_moves_it_less_than_least_squares_does() {
        let x = column((0..40).map(|i| f64::from(i) / 40.0));
        let y = column((0..40).map(|i| 1e6 * f64::from(i) / 40.0 + if i % 9 == 8 { 5e6 } else { 0.0 }));
        let (weights, _) = robust_weights(&[&ONE, &x], &y, &ONE, 40).expect("a line");
        let robust = least_squares(&[&ONE, &x], &y, &weights, 40).expect("a line");
        let plain = least_squares(&[&ONE, &x], &y, &ONE, 40).expect("a line");
        let error = |fit: &Fit| (fit.beta[0].abs(), (fit.beta[1] - 1e6).abs());
        assert!(error(&robust).0 < 0.2 * error(&plain).0, "{robust:?} {plain:?}");
    }

    #[test]
    fn residuals_that_follow_each_other_are_surer_of_less() {
        let x = column((0..48).map(|i| f64::from(i) / 48.0));
        let noise = |i: u32, run: u32| if (i / run).is_multiple_of(2) { 1e5 } else { -1e5 };
        let t = |run: u32| {
            let y = column((0..48).map(|i| 1e6 * f64::from(i) / 48.0 + noise(i, run)));
            let fit = least_squares(&[&ONE, &x], &y, &ONE, 48).expect("a line");
            let residuals = fit.residuals(&[&ONE, &x], &y);
            fit.t(1, &residuals, 1.0)
        };
        assert!(t(8) < 0.5 * t(1), "{} {}", t(8), t(1));
    }

    proptest! {
        /// Against the closed form of a weighted line.
        #[test]
        fn a_line_is_the_textbook_one(
            points in prop::collection::vec((-1.0f64..1.0, -1e6f64..1e6, 0.1f64..1.0), 3..MOST),
        ) {
            let n = points.len();
            let (x, y) = (column(points.iter().map(|p| p.0)), column(points.iter().map(|p| p.1)));
            let w = column(points.iter().map(|p| p.2));
            let sum = |f: &dyn Fn(&(f64, f64, f64)) -> f64| points.iter().map(f).sum::<f64>();
            let (s, sx, sy) = (sum(&|p| p.2), sum(&|p| p.2 * p.0), sum(&|p| p.2 * p.1));
            let (sxx, sxy) = (sum(&|p| p.2 * p.0 * p.0), sum(&|p| p.2 * p.0 * p.1));
            let determinant = s * sxx - sx * sx;
            prop_assume!(determinant > 1e-3);
            let slope = (s * sxy - sx * sy) / determinant;
            let fit = least_squares(&[&ONE, &x], &y, &w, n).expect("a line");
            prop_assert!((fit.beta[1] - slope).abs() <= 1e-6 * (1.0 + slope.abs()), "{} {}", fit.beta[1], slope);
        }

        #[test]
        fn the_median_splits(mut values in prop::collection::vec(-1e9f64..1e9, 1..200)) {
            let m = median(&mut values);
            let below = values.iter().filter(|&&v| v < m).count();
            let above = values.iter().filter(|&&v| v > m).count();
            prop_assert!(below <= values.len() / 2 && above <= values.len() / 2);
        }
    }
}
