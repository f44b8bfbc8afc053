'use strict';

/**
 * One component of a program's need for memory. `step(now)` brings it up to date; the fields say what it holds (KiB) and what it
 * allocates in the step (KiB), on top of what requests do.
 *
 * `now`: `t` (seconds of the trace), `uptime` (seconds of the process), `dt`, `load` (relative to the mean), `random`.
 * `knowable`: how late a part may still grow before nobody could tell it from a leak, `{after, share}`: at most this share of its whole
 * growth after this share of a process's life. Null for components that do not settle by growing.
 * `straight`: whether it rises at a constant rate: after two hours of samples of that, at the scale of 30 seconds, it is a leak to anyone.
 * `fillS`: for how long a part fills at a constant rate, where that is known beforehand.
 */
class Part {
  constructor() {
    this.heap = 0;
    this.external = 0;
    this.native = 0;
    this.alloc = 0;
    this.externalAlloc = 0;
    this.knowable = null;
    this.straight = false;
    this.fillS = 0;
  }
}

/** An exponential approach with a time constant of a third of the whole. */
const EXPONENTIAL = { after: 2 / 3, share: 0.09 };
/** Logarithms and powers slow down without ever stopping, which shows early. */
const DECELERATING = { after: 2 / 3, share: 0.2 };
/** A constant rise looks like a leak until it ends: over half of what was seen must be flat. */
const LINEAR = { after: 0.5, share: 0.02 };

const approach = (value, target, dt, tau) => value + (target - value) * (1 - Math.exp(-dt / tau));

module.exports = { DECELERATING, EXPONENTIAL, LINEAR, Part, approach };
