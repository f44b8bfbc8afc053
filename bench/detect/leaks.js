'use strict';

// What leaks add to a healthy program. A leak knows how much it has kept so far (KiB); its label is made from that.

const { HOUR, MIB } = require('./program');

const MAX_LIFE_S = 10 * 24 * HOUR;
/** Shorter, and nobody could see it with a sample every half minute. */
const MIN_LEAK_S = 900;

/** How much is kept in a step of `dt`, for each pattern; `leak.rate` is KiB a second on average. */
const PATTERNS = {
  time: (leak, now) => leak.rate * now.dt,
  per_request: (leak, now) => leak.rate * now.dt * now.load,
  per_alloc: (leak, now) => (leak.rate * now.alloc) / leak.allocRate,
  steps: (leak, now) => {
    if (now.t < leak.next) return 0;
    leak.next += leak.every;
    return leak.rate * leak.every * now.random.exponential(1);
  },
  bursts: (leak, now) => {
    if (now.t >= leak.until) {
      leak.on = !leak.on;
      leak.until = now.t + now.random.exponential(leak.on ? leak.every * leak.duty : leak.every * (1 - leak.duty));
    }
    return leak.on ? (leak.rate / leak.duty) * now.dt : 0;
  },
  // A cache without a cap: ever fewer keys are new, but some always are.
  unbounded_cache: (leak, now) => {
    const before = leak.work;
    leak.work += (now.dt * now.load) / leak.length;
    return leak.rate * leak.length * (leak.work ** leak.power - before ** leak.power);
  },
};

/** A leak in a running program. */
class Leak {
  constructor(plan) {
    Object.assign(this, plan, { total: 0, next: plan.onset + (plan.every || 0), until: plan.onset, on: false, work: 0 });
    this.grow = PATTERNS[plan.pattern];
  }

  /** Brings the leak up to `now.t`. */
  step(now) {
    if (now.t > this.onset) this.total += this.grow(this, now);
  }

  get heap() {
    return this.kind === 'heap' ? this.total : this.kind === 'mixed' ? this.total * 0.4 : this.kind === 'external' ? this.total * 0.004 : 0;
  }

  get external() {
    return this.kind === 'external' ? this.total : this.kind === 'mixed' ? this.total * 0.6 : 0;
  }

  get native() {
    return this.kind === 'native' ? this.total : 0;
  }

  /** What a cache that shrinks at the same time still holds at `t`. */
  maskAt(t) {
    if (this.mask === null) return 0;
    return this.mask.amount * Math.min(1, Math.max(0, 1 - (t - this.mask.from) / this.mask.length));
  }
}

/** A plan: `{family, pattern, kind, rate, onset, life, mask, restart, ...}`, to be given a program of that life. */
function planLeak(random) {
  const kind = random.weighted([[64, 'heap'], [16, 'external'], [16, 'native'], [4, 'mixed']]);
  const pattern = random.weighted([[6, 'time'], [6, 'per_request'], [4, 'per_alloc'], [4, 'steps'], [3, 'bursts'], [2, 'unbounded_cache']]);
  const start = random.weighted([[5, 'birth'], [4, 'late'], [1.5, 'restart'], [kind === 'heap' ? 1.5 : 0, 'masked']]);
  let rate = random.logUniform(0.2, 2048);
  const target = random.logUniform(30, 1000) * MIB;
  let length = Math.min(MAX_LIFE_S * 0.8, Math.max(MIN_LEAK_S, target / rate));
  if (start === 'masked' && length < 4 * HOUR) {
    length = random.uniform(4, 8) * HOUR;
    rate = target / length;
  }
  let onset = 0;
  if (start === 'late' || start === 'restart') onset = Math.min(MAX_LIFE_S * 0.2, random.logUniform(0.1, 1.5) * Math.max(length, HOUR));
  if (start === 'masked') onset = random.uniform(600, 3000);
  if (onset > 0) onset = Math.max(600, onset);
  const life = onset + length;
  const plan = { kind, pattern, rate, onset, life, length, target: rate * length, mask: null, restart: start === 'restart' };
  if (pattern === 'steps') plan.every = Math.min(length / 6, random.logUniform(120, 4 * HOUR));
  if (pattern === 'bursts') Object.assign(plan, { every: Math.min(length / 4, random.logUniform(300, 6 * HOUR)), duty: random.uniform(0.1, 0.6) });
  if (pattern === 'unbounded_cache') plan.power = random.uniform(0.6, 0.85);
  if (start === 'masked') {
    const span = length * random.uniform(0.15, 0.5);
    plan.mask = { amount: rate * span * random.uniform(0.7, 1.2), from: onset, length: span };
  }
  const where = { heap: '', external: 'buffers_', native: 'native_', mixed: 'mixed_' }[kind];
  plan.family = where + (start === 'birth' ? pattern : start === 'late' ? `late_${pattern}` : start === 'restart' ? 'after_restart' : 'masked');
  return plan;
}

const MAX_KNOTS = 180;
const KNOT_SAMPLES = 16;

/** What is known of a leak: `times` (seconds, the end of each sample) and `totals` (KiB leaked by then); `visible` in seconds. */
function leakLabel(plan, times, totals, visible) {
  const end = times.length - 1;
  const every = KNOT_SAMPLES * Math.max(1, Math.ceil(times.length / (MAX_KNOTS * KNOT_SAMPLES)));
  const knots = [];
  for (let i = every - 1; i < end; i += every) knots.push([tenth(times[i]), Math.round(totals[i])]);
  knots.push([tenth(times[end]), Math.round(totals[end])]);
  const leakedKB = Math.round(totals[end]);
  return {
    kind: plan.kind,
    onset: tenth(plan.onset),
    visible: tenth(visible),
    leakedKB,
    rate: Math.round((leakedKB * 1024) / (times[end] - plan.onset)),
    knots,
  };
}

const tenth = (t) => Math.round(t * 10) / 10;

module.exports = { Leak, leakLabel, planLeak };
