'use strict';

/** A seeded generator of numbers in [0, 1) (mulberry32), with the helpers that content is made with. */
function seeded(seed) {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  const below = (limit) => Math.floor(next() * limit);
  const pick = (list) => list[below(list.length)];
  /** A string that V8 keeps flat, and that no other part shares. */
  const text = (length) => {
    const bytes = Buffer.alloc(length);
    for (let i = 0; i < length; i++) bytes[i] = 97 + below(26);
    return bytes.toString('latin1');
  };
  return { next, below, pick, text };
}

module.exports = { seeded };
