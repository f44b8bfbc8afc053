'use strict';

const TWO_32 = 4294967296;

/** SplitMix32: one well-mixed word for each call; used only to fill the state of the generator proper. */
function splitMix(seed) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
}

const rotate = (x, k) => ((x << k) | (x >>> (32 - k))) >>> 0;

/**
 * A seeded source of random numbers (xoshiro128**), with the distributions that programs are made of.
 * Two instances made with the same numbers yield the same sequence.
 */
class Random {
  /** `seeds`: unsigned 32-bit words, e.g. the seed of a run and the index of a trace in it. */
  constructor(...seeds) {
    const state = new Uint32Array([0x8f1bbcdc, 0x5a827999, 0x6ed9eba1, 0xca62c1d6]);
    for (const seed of seeds) {
      const word = splitMix((seed ^ state[0]) >>> 0);
      for (let i = 0; i < 4; i++) state[i] ^= word();
    }
    this.state = state;
    this.spare = null;
  }

  /** A word of 32 bits. */
  word() {
    const s = this.state;
    const result = Math.imul(rotate(Math.imul(s[1], 5) >>> 0, 7), 9) >>> 0;
    const t = s[1] << 9;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = rotate(s[3], 11);
    return result;
  }

  /** In [0, 1). */
  next() {
    return this.word() / TWO_32;
  }

  uniform(low, high) {
    return low + (high - low) * this.next();
  }

  /** Uniform in the logarithm: each octave is as likely as any other. Both bounds above zero. */
  logUniform(low, high) {
    return low * Math.exp(Math.log(high / low) * this.next());
  }

  /** An integer, both bounds included. */
  int(low, high) {
    return low + Math.floor((high - low + 1) * this.next());
  }

  chance(probability) {
    return this.next() < probability;
  }

  normal() {
    if (this.spare !== null) {
      const value = this.spare;
      this.spare = null;
      return value;
    }
    const radius = Math.sqrt(-2 * Math.log(1 - this.next()));
    const angle = 2 * Math.PI * this.next();
    this.spare = radius * Math.sin(angle);
    return radius * Math.cos(angle);
  }

  /** Log-normal with the median 1. */
  logNormal(sigma) {
    return Math.exp(sigma * this.normal());
  }

  exponential(mean) {
    return -mean * Math.log(1 - this.next());
  }

  /** A count; past a mean of 30 the normal approximation, rounded. */
  poisson(mean) {
    if (!(mean > 0)) return 0;
    if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * this.normal()));
    const limit = Math.exp(-mean);
    let count = 0;
    for (let product = this.next(); product > limit; product *= this.next()) count++;
    return count;
  }

  pick(list) {
    return list[Math.floor(this.next() * list.length)];
  }

  /** One of `[weight, value]` pairs. */
  weighted(pairs) {
    let total = 0;
    for (const [weight] of pairs) total += weight;
    let left = this.next() * total;
    for (const [weight, value] of pairs) {
      left -= weight;
      if (left < 0) return value;
    }
    return pairs[pairs.length - 1][1];
  }
}

module.exports = { Random };
