'use strict';

// Memory that grows once and stays: warm-up, caches on the way to their cap, code, tenants.

const { DECELERATING, EXPONENTIAL, LINEAR, Part, approach } = require('./part');

/** Grows to `amount` with the time constant `tau`, of time or (`byLoad`) of work done; into `pool`, `heap` unless told. */
class Saturating extends Part {
  constructor({ amount, tau, byLoad = false, pool = 'heap' }) {
    super();
    Object.assign(this, { amount, tau, byLoad, pool, level: 0, knowable: EXPONENTIAL });
  }

  step(now) {
    this.level = approach(this.level, 1, now.dt * (this.byLoad ? now.load : 1), this.tau);
    this[this.pool] = this.amount * this.level;
  }
}

/** A cache that fills to its cap: `curve` is `linear`, `log` (keys by Zipf's law), `power` or `chunks`; `tau` seconds at mean load. */
class FillingCache extends Part {
  constructor({ amount, tau, curve, chunks = 12, pool = 'heap' }) {
    super();
    Object.assign(this, { amount, tau, curve, chunks, pool, work: 0 });
    this.straight = curve === 'linear' || curve === 'chunks';
    this.knowable = curve === 'log' || curve === 'power' ? DECELERATING : LINEAR;
  }

  step(now) {
    this.work += (now.dt * now.load) / this.tau;
    this[this.pool] = this.amount * Math.min(1, this.filled());
  }

  filled() {
    const done = this.work;
    if (this.curve === 'linear') return done;
    if (this.curve === 'log') return Math.log1p(done * 60) / Math.log1p(60);
    if (this.curve === 'power') return Math.sqrt(done);
    return Math.floor(done * this.chunks) / this.chunks;
  }
}

/** Code compiled lazily, inline caches, shapes: the logarithm of the time, ever slower, done after `end` seconds. */
class LogGrowth extends Part {
  constructor({ amount, start, end }) {
    super();
    Object.assign(this, { amount, start, end, knowable: DECELERATING });
  }

  step(now) {
    this.heap = this.amount * Math.min(1, Math.log1p(now.uptime / this.start) / Math.log1p(this.end / this.start));
  }
}

/** Modules loaded when first needed: `count` steps of random size, each gap longer than the one before. */
class LazyModules extends Part {
  constructor({ amount, count, first, stretch }, random) {
    super();
    const sizes = Array.from({ length: count }, () => random.logNormal(0.9));
    const total = sizes.reduce((a, b) => a + b, 0);
    let at = 0;
    let gap = first;
    this.loads = sizes.map((size) => {
      at += random.exponential(gap);
      gap *= stretch;
      return { at, size: (amount * size) / total };
    });
    this.next = 0;
  }

  step(now) {
    this.alloc = 0;
    while (this.next < this.loads.length && this.loads[this.next].at <= now.uptime) {
      const { size } = this.loads[this.next++];
      this.heap += size;
      this.alloc += size * 3;
    }
  }
}

/** State kept for each of a finite number of tenants from its first request on; tenants differ in how often they come. */
class Tenants extends Part {
  constructor({ amount, count, skew, tau }, random) {
    super();
    const weights = Array.from({ length: count }, (_, i) => (i + 1) ** -skew);
    const mean = weights.reduce((a, b) => a + b, 0) / count;
    this.arrivals = weights
      .map((weight) => ({ at: (random.exponential(tau) * mean) / weight, size: (amount / count) * random.logNormal(0.5) }))
      .sort((a, b) => a.at - b.at);
    this.work = 0;
    this.next = 0;
    this.knowable = DECELERATING;
  }

  step(now) {
    this.work += now.dt * now.load;
    while (this.next < this.arrivals.length && this.arrivals[this.next].at <= this.work) this.heap += this.arrivals[this.next++].size;
  }
}

module.exports = { FillingCache, LazyModules, LogGrowth, Saturating, Tenants };
