'use strict';

// The slope of a noisy series, and how certain it is: Theil and Sen's median of slopes, with the error that a slope has where one value says something of the
// next. `calibrate` in soak.test.js holds the intervals against series that have no slope.
//
// P. K. Sen, J. American Statistical Association 63, 1968; J. Lee and R. Lund, Biometrika 91, 2004, for the error; F. H. C. Marriott and J. A. Pope, Biometrika
// 41, 1954, for what the correlation of neighbours is underestimated by.

/** Above this the series is a walk, and no interval from within it means anything; it is taken for the worst. */
const MOST_PERSISTENT = 0.95;

function median(values) {
  const sorted = Float64Array.from(values).sort();
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/** The median of the slopes between all pairs of points. */
function theilSen(times, values) {
  const slopes = [];
  for (let i = 0; i < times.length; i++) {
    for (let j = i + 1; j < times.length; j++) slopes.push((values[j] - values[i]) / (times[j] - times[i]));
  }
  return median(slopes);
}

/** What a residual says of the next: the correlation of neighbours, from 0, corrected for a line having been taken away. */
function persistence(residuals) {
  let [own, next] = [0, 0];
  residuals.forEach((value, i) => {
    own += value ** 2;
    if (i > 0) next += value * residuals[i - 1];
  });
  if (own === 0) return 0;
  const seen = next / own;
  return Math.min(MOST_PERSISTENT, Math.max(0, seen + (2 + 4 * seen) / residuals.length));
}

/** Student's quantile for 95 % between, by its expansion around the normal one; exact to a hundredth from 3 degrees of freedom on. */
function student(degrees) {
  const z = 1.959964;
  const [z3, z5, z7] = [z ** 3, z ** 5, z ** 7];
  return z + (z3 + z) / (4 * degrees) + (5 * z5 + 16 * z3 + 3 * z) / (96 * degrees ** 2) + (3 * z7 + 19 * z5 + 17 * z3 - 15 * z) / (384 * degrees ** 3);
}

/** The slope of `values` over `times` with its 95 % interval: `{ value, low, high }`. */
function slopeWithInterval(times, values) {
  const n = values.length;
  const value = theilSen(times, values);
  const [center, level] = [mean(times), mean(values)];
  const residuals = values.map((y, i) => y - level - value * (times[i] - center));
  const rho = persistence(residuals);
  const spread = times.reduce((sum, t) => sum + (t - center) ** 2, 0);
  const weights = times.map((t) => (t - center) / spread);
  let factor = 0;
  for (let i = 0; i < n; i++) {
    for (let j = 0; j < n; j++) factor += weights[i] * weights[j] * rho ** Math.abs(i - j);
  }
  // As many values as would be independent; a line took two.
  const independent = Math.max(5, (n * (1 - rho)) / (1 + rho));
  const variance = residuals.reduce((sum, residual) => sum + residual ** 2, 0) / n * (independent / (independent - 2));
  const reach = student(independent - 2) * Math.sqrt(variance * factor);
  return { value, low: value - reach, high: value + reach };
}

module.exports = { mean, median, slopeWithInterval, student, theilSen };
