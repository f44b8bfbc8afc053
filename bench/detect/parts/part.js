'use strict';

/**
 * One component of a program's need for memory. `step(now)` brings it up to date; the fields say what it holds (KiB) and what it
 * allocates in the step (KiB), on top of what requests do.
 *
 * `now`: `t` (seconds of the trace), `uptime` (seconds of the process), `dt`, `load` (relative to the mean), `random`.
 * `knowable`: the share of its whole growth that may fall into the last third of a process's life before nobody could tell it
 * from a leak; null for components that do not settle by growing.
 */
class Part {
  constructor() {
    this.heap = 0;
    this.external = 0;
    this.native = 0;
    this.alloc = 0;
    this.externalAlloc = 0;
    this.knowable = null;
  }
}

/** What an exponential approach leaves for the last third when its time constant is a third of the whole. */
const EXPONENTIAL = 0.09;
/** Logarithms and powers slow down without ever stopping, which shows early. */
const DECELERATING = 0.2;

const approach = (value, target, dt, tau) => value + (target - value) * (1 - Math.exp(-dt / tau));

module.exports = { DECELERATING, EXPONENTIAL, Part, approach };
