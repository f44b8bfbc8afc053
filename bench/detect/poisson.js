'use strict';

// How sure a count is.

const STEPS = 200;

/** The chance of at most `count` events where `mean` are expected. */
function atMost(count, mean) {
  let term = -mean;
  let sum = 0;
  for (let k = 0; k <= count; k++) {
    if (k > 0) term += Math.log(mean / k);
    sum += Math.exp(term);
  }
  return sum;
}

/** The mean, between two bounds, at which a falling function crosses `wanted`. */
function crossing(falling, wanted, low, high) {
  for (let i = 0; i < STEPS; i++) {
    const middle = (low + high) / 2;
    if (falling(middle) > wanted) low = middle;
    else high = middle;
  }
  return (low + high) / 2;
}

/**
 * `[low, high]` of the mean behind `count` events, Garwood's exact interval: the means at which as few, and as many, would be seen with
 * half of what `confidence` leaves.
 */
function garwood(count, confidence = 0.95) {
  const tail = (1 - confidence) / 2;
  const most = 2 * count + 20;
  const low = count === 0 ? 0 : crossing((mean) => atMost(count - 1, mean), 1 - tail, 0, most);
  return [low, crossing((mean) => atMost(count, mean), tail, 0, most)];
}

module.exports = { garwood };
