'use strict';

// Memory outside V8's heap: buffers, the allocator, threads, mapped files.

const { DECELERATING, Part, approach } = require('./part');
const { Wander } = require('../load');

/** Buffers that requests allocate and drop: `rate` KiB a second at mean load; most die young, the rest wait for a major. */
class BufferChurn extends Part {
  constructor({ rate }) {
    super();
    this.rate = rate;
  }

  step(now) {
    this.externalAlloc = this.rate * now.load * now.dt;
  }
}

/** Fragmentation of the native heap: grows to `amount` with the logarithm of the time, or in `steps`. */
class Fragmentation extends Part {
  constructor({ amount, end, steps }, random) {
    super();
    Object.assign(this, { amount, end, knowable: DECELERATING });
    this.times = steps > 0 ? Array.from({ length: steps }, () => random.exponential(end / 3)).sort((a, b) => a - b) : null;
    this.start = end / random.logUniform(20, 300);
  }

  step(now) {
    if (this.times === null) {
      this.native = this.amount * Math.min(1, Math.log1p(now.uptime / this.start) / Math.log1p(this.end / this.start));
      return;
    }
    let reached = 0;
    while (reached < this.times.length && this.times[reached] <= now.uptime) reached++;
    this.native = (this.amount * reached) / this.times.length;
  }
}

/** Threads started some time into the life of a process: stacks and isolates, `native` and `heap` at once within `rise` seconds. */
class WorkerPool extends Part {
  constructor({ native, heap, from, rise, workers }) {
    super();
    Object.assign(this, { nativeAmount: native, heapAmount: heap, from, rise, workers });
  }

  step(now) {
    const share = Math.min(1, Math.max(0, (now.uptime - this.from) / this.rise));
    const started = Math.floor(share * this.workers) / this.workers;
    this.native = this.nativeAmount * started;
    this.heap = this.heapAmount * started;
  }
}

/** Pages of mapped files: fill to `amount`, wander, and are dropped in part when the system wants them. */
class MappedFiles extends Part {
  constructor({ amount, tau, drops }, random) {
    super();
    Object.assign(this, { amount, tau, drops, level: 0 });
    this.wander = new Wander(random, tau * 2);
  }

  step(now) {
    if (this.drops > 0 && now.random.chance(now.dt / this.drops)) this.level *= now.random.uniform(0.2, 0.8);
    this.level = approach(this.level, Math.max(0.1, 1 + 0.2 * this.wander.step(now.dt)), now.dt, this.tau);
    this.native = this.amount * this.level;
  }
}

module.exports = { BufferChurn, Fragmentation, MappedFiles, WorkerPool };
