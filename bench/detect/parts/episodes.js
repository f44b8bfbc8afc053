'use strict';

// Memory that comes and goes: jobs, reloads, backlogs, caches that are dropped and fill again.

const { DAY } = require('../load');
const { Part, approach } = require('./part');

/** A job each `period` seconds from `phase` on, `hold` long, that takes `rise` seconds to reach its `amount`. */
class Batch extends Part {
  constructor({ amount, period, phase, hold, rise, vary, pool = 'heap' }) {
    super();
    Object.assign(this, { amount, period, phase, hold, rise, vary, pool, began: -Infinity, run: -1, size: 0, straight: true });
  }

  step(now) {
    const run = Math.floor((now.t - this.phase) / this.period);
    if (run !== this.run) {
      if (run >= 0 && run > this.run && this.run !== -1) {
        this.began = this.phase + run * this.period;
        this.size = this.amount * now.random.logNormal(this.vary);
        this.length = this.hold * now.random.logNormal(this.vary);
      }
      this.run = run;
    }
    const before = this[this.pool];
    const since = now.t - this.began;
    this[this.pool] = since < this.length ? this.size * Math.min(1, since / this.rise) : 0;
    this.alloc = Math.max(0, this[this.pool] - before) * 2 + (since < this.length ? (this.size / this.length) * now.dt * 4 : 0);
  }
}

/** Something rare, on average each `gap` seconds: memory rises for `build` seconds, stays for `hold`, and goes within `drain`. */
class Episode extends Part {
  constructor({ amount, gap, build, hold, drain, vary }, random) {
    super();
    Object.assign(this, { amount, gap, build, hold, drain, vary, straight: true });
    this.plan(0, random);
  }

  plan(from, random) {
    this.from = from + this.gap * (0.3 + random.exponential(0.7));
    this.size = this.amount * random.logNormal(this.vary);
    this.stretch = random.logNormal(this.vary);
  }

  step(now) {
    const since = (now.uptime - this.from) / this.stretch;
    const { build, hold, drain, size } = this;
    if (since < 0) this.heap = 0;
    else if (since < build) this.heap = (size * since) / build;
    else if (since < build + hold) this.heap = size;
    else if (since < build + hold + drain) this.heap = size * (1 - (since - build - hold) / drain);
    else {
      this.heap = 0;
      this.plan(now.uptime, now.random);
    }
  }
}

/** A cache that is cleared, wholly or in part, now and then (each `gap` seconds) or daily at `clock`, and fills again within `tau`. */
class ClearedCache extends Part {
  constructor({ amount, tau, gap, clock, kept }, random) {
    super();
    Object.assign(this, { amount, tau, gap, clock, kept, level: 0, day: null });
    this.next = clock === undefined ? random.exponential(gap) : Infinity;
  }

  step(now) {
    if (this.clock !== undefined) {
      const day = Math.floor((now.t - this.clock) / DAY);
      if (this.day !== null && day !== this.day) this.level *= this.kept;
      this.day = day;
    } else if (now.uptime >= this.next) {
      this.level *= this.kept;
      this.next = now.uptime + this.gap * (0.3 + now.random.exponential(0.7));
    }
    this.level = approach(this.level, 1, now.dt * (0.3 + 0.7 * now.load), this.tau);
    this.heap = this.amount * this.level;
  }
}

/** A feature with memory of its own: on from the start, off at `off` (seconds of the trace), on again at `on`; `fade` seconds each way. */
class Feature extends Part {
  constructor({ amount, off, on, fade }) {
    super();
    Object.assign(this, { amount, off, on, fade, level: 0, first: true });
  }

  step(now) {
    const wanted = now.t >= this.off && now.t < this.on ? 0 : 1;
    this.level = approach(this.level, wanted, now.dt, this.first && now.uptime < 60 ? 5 : this.fade);
    this.heap = this.amount * this.level;
  }
}

module.exports = { Batch, ClearedCache, Episode, Feature };
