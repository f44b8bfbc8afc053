//! Least squares over a short window, with outliers held down.

/// Most points of a window.
pub const MOST: usize = 64;
/// Most terms of a model.
pub const TERMS: usize = 3;

/// A column of a window: one value a point.
pub type Column = [f64; MOST];

/// A fitted linear model.
#[derive(Debug, Clone, Copy)]
pub struct Fit {
    /// Points and terms.
    pub n: usize,
    pub p: usize,
    /// The coefficients.
    pub beta: [f64; TERMS],
    /// The diagonal of the inverse normal matrix.
    pub diagonal: [f64; TERMS],
    /// What is left of each point.
    pub residuals: Column,
    /// The weighted sum of their squares.
    pub rss: f64,
    /// Their robust scale.
    pub scale: f64,
}

/// Ordinary or weighted least squares of `y` on the columns `x`; nothing where these are collinear.
pub fn least_squares(x: &[&Column], y: &Column, n: usize, w: Option<&Column>) -> Option<Fit> {
    let p = x.len();
    let mut a = [[0.0f64; TERMS]; TERMS];
    let mut r = [0.0f64; TERMS];
    for i in 0..n {
        let wi = w.map_or(1.0, |w| w[i]);
        for k in 0..p {
            let v = wi * x[k][i];
            for l in k..p {
                a[k][l] += v * x[l][i];
            }
            r[k] += v * y[i];
        }
    }
    for k in 0..p {
        for l in 0..k {
            a[k][l] = a[l][k];
        }
    }
    let mut inverse = [[0.0f64; TERMS]; TERMS];
    for (k, row) in inverse.iter_mut().enumerate() {
        row[k] = 1.0;
    }
    for c in 0..p {
        let d = a[c][c];
        if d.is_nan() || d.abs() <= 1e-10 {
            return None;
        }
        for k in 0..p {
            a[c][k] /= d;
            inverse[c][k] /= d;
        }
        for row in 0..p {
            if row == c {
                continue;
            }
            let f = a[row][c];
            for k in 0..p {
                a[row][k] -= f * a[c][k];
                inverse[row][k] -= f * inverse[c][k];
            }
        }
    }
    let mut beta = [0.0; TERMS];
    let mut diagonal = [0.0; TERMS];
    for k in 0..p {
        for l in 0..p {
            beta[k] += inverse[k][l] * r[l];
        }
        diagonal[k] = inverse[k][k];
    }
    let mut residuals = [0.0; MOST];
    let mut rss = 0.0;
    for i in 0..n {
        let mut fitted = 0.0;
        for k in 0..p {
            fitted += beta[k] * x[k][i];
        }
        residuals[i] = y[i] - fitted;
        rss += w.map_or(1.0, |w| w[i]) * residuals[i] * residuals[i];
    }
    Some(Fit { n, p, beta, diagonal, residuals, rss, scale: 0.0 })
}

/// The median of `values`, which it reorders.
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

/// Least squares, refitted with the outliers held down.
///
/// The noise of floors is one-sided: a collection can leave garbage, never less than what is alive. So deviations
/// upwards lose weight from 1.5 robust standard deviations on, downwards from 3. (Huber's weights: P. J. Huber,
/// "Robust Estimation of a Location Parameter", Annals of Mathematical Statistics 35, 1964.) `base` holds weights that
/// the points have from the start.
pub fn robust(x: &[&Column], y: &Column, n: usize, base: Option<&Column>) -> Option<Fit> {
    let mut fit = least_squares(x, y, n, base)?;
    let mut weights = [1.0; MOST];
    for _ in 0..3 {
        let mut sizes = [0.0; MOST];
        for i in 0..n {
            sizes[i] = fit.residuals[i].abs();
        }
        let s = 1.48 * median(&mut sizes[..n]) + 1024.0;
        for i in 0..n {
            let r = fit.residuals[i];
            let down = if r > 1.5 * s {
                1.5 * s / r
            } else if r < -3.0 * s {
                -3.0 * s / r
            } else {
                1.0
            };
            weights[i] = down * base.map_or(1.0, |b| b[i]);
        }
        fit = least_squares(x, y, n, Some(&weights))?;
        fit.scale = s;
    }
    Some(fit)
}

impl Fit {
    /// How many standard errors coefficient `k` is from 0, the errors widened for residuals that follow each other.
    ///
    /// The variance of a slope under AR(1) residuals is larger by about (1 + r) / (1 - r) (N. F. Zhang, "Calculation of
    /// the uncertainty of the mean of autocorrelated measurements", Metrologia 43, 2006; the same factor holds for a
    /// slope over evenly spaced points). Assumes evenly spaced points and a process that one lag describes.
    pub fn t(&self, k: usize, least_sd: f64) -> f64 {
        let (n, p) = (self.n, self.p);
        let (mut num, mut den) = (0.0, 0.0);
        for i in 0..n {
            den += self.residuals[i] * self.residuals[i];
            if i > 0 {
                num += self.residuals[i] * self.residuals[i - 1];
            }
        }
        let rho = if n < 8 || den <= 0.0 { 0.0 } else { (num / den).clamp(0.0, 0.9) };
        let variance = (self.rss / n.saturating_sub(p).max(1) as f64).max(least_sd * least_sd);
        let wide = (1.0 + rho) / (1.0 - rho);
        self.beta[k] / (variance * self.diagonal[k].max(1e-18) * wide).sqrt()
    }

    /// Schwarz's criterion of the model, smaller is better. `floor` is a variance that nothing is told apart below.
    pub fn bic(&self, floor: f64, terms: usize) -> f64 {
        let n = self.n as f64;
        n * (self.rss / n + floor).ln() + terms as f64 * n.ln()
    }
}
