'use strict';

const DAY = 86400;

/** An Ornstein-Uhlenbeck process of mean 0 and standard deviation 1, reverting within `tau` seconds. */
class Wander {
  constructor(random, tau) {
    this.random = random;
    this.tau = tau;
    this.value = random.normal();
  }

  step(dt) {
    const keep = Math.exp(-dt / this.tau);
    this.value = this.value * keep + Math.sqrt(1 - keep * keep) * this.random.normal();
    return this.value;
  }
}

/**
 * What users ask of a program, relative to its mean: `step(t, dt)` says how much, at least 0.
 *
 * `shape`: `diurnal` (0 to 1), `phase` (seconds), `weekend` (factor), `wander` (`[{sigma, tau}]`), `ramps` (`[{from, to, factor}]`,
 * which stay), `steps` (`[{t, factor}]`, which stay), `bursts` (`{gap, length, factor}`, seconds between and during), `floor`.
 */
class Load {
  constructor(random, shape) {
    this.random = random;
    this.shape = shape;
    this.wanders = (shape.wander || []).map(({ sigma, tau }) => ({ sigma, wander: new Wander(random, tau) }));
    this.burstUntil = -1;
    this.nextBurst = shape.bursts ? random.exponential(shape.bursts.gap) : Infinity;
  }

  step(t, dt) {
    const { shape, random } = this;
    let load = 1;
    if (shape.diurnal) load *= 1 - shape.diurnal * Math.cos((2 * Math.PI * (t + shape.phase)) / DAY) - 0.25 * shape.diurnal * Math.sin((4 * Math.PI * (t + shape.phase)) / DAY);
    if (shape.weekend !== undefined) {
      const day = Math.floor((t + shape.phase) / DAY + shape.firstDay) % 7;
      if (day >= 5) load *= shape.weekend;
    }
    for (const ramp of shape.ramps || []) {
      const done = Math.min(1, Math.max(0, (t - ramp.from) / (ramp.to - ramp.from)));
      load *= 1 + (ramp.factor - 1) * done;
    }
    for (const change of shape.steps || []) if (t >= change.t) load *= change.factor;
    let logLoad = 0;
    for (const { sigma, wander } of this.wanders) logLoad += sigma * wander.step(dt) - (sigma * sigma) / 2;
    load *= Math.exp(logLoad);
    if (shape.bursts) {
      if (t >= this.nextBurst) {
        this.burstUntil = t + random.exponential(shape.bursts.length);
        this.nextBurst = this.burstUntil + random.exponential(shape.bursts.gap);
      }
      if (t < this.burstUntil) load *= shape.bursts.factor;
    }
    return Math.max(shape.floor || 0, load);
  }
}

module.exports = { DAY, Load, Wander };
