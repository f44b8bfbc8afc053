'use strict';

// What pairs of runs say, and how certain that is.

const { seeded } = require('../snapshots/random');

const RESAMPLES = 10_000;
const SEED = 7;

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;

/**
 * The mean of `values` with its 95 % interval by the bootstrap over them: `{ value, low, high }`. One value, or none, has no interval.
 */
function meanWithInterval(values) {
  const value = mean(values);
  if (values.length < 2) return { value, low: NaN, high: NaN };
  const random = seeded(SEED).next;
  const means = Array.from({ length: RESAMPLES }, () => {
    let sum = 0;
    for (let i = 0; i < values.length; i++) sum += values[Math.floor(random() * values.length)];
    return sum / values.length;
  }).sort((a, b) => a - b);
  return { value, low: means[Math.floor(RESAMPLES * 0.025)], high: means[Math.ceil(RESAMPLES * 0.975) - 1] };
}

/** The geometric mean of ratios with its 95 % interval: twice as fast and half as fast are as far from 1. */
function ratioWithInterval(ratios) {
  const { value, low, high } = meanWithInterval(ratios.map(Math.log));
  return { value: Math.exp(value), low: Math.exp(low), high: Math.exp(high) };
}

function median(values) {
  const sorted = Float64Array.from(values).sort();
  return (sorted[sorted.length >> 1] + sorted[(sorted.length - 1) >> 1]) / 2;
}

/** The median of `values` with its 95 % interval by the bootstrap over them: `{ value, low, high }`. */
function medianWithInterval(values) {
  const random = seeded(SEED).next;
  const medians = Array.from({ length: 2000 }, () => median(values.map(() => values[Math.floor(random() * values.length)]))).sort((a, b) => a - b);
  return { value: median(values), low: medians[Math.floor(medians.length * 0.025)], high: medians[Math.ceil(medians.length * 0.975) - 1] };
}

/** `0.9936 (0.9845 to 1.0010)`. */
function intervalText({ value, low, high }, digits) {
  return `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
}

/** `values` in an order drawn by `random`. */
function shuffled(values, random) {
  const order = [...values];
  for (let i = order.length - 1; i > 0; i--) {
    const j = Math.floor(random() * (i + 1));
    [order[i], order[j]] = [order[j], order[i]];
  }
  return order;
}

module.exports = { intervalText, meanWithInterval, medianWithInterval, ratioWithInterval, shuffled };
