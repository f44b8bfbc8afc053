'use strict';

const { DAY } = require('./load');

const MIB = 1024;
const HOUR = 3600;

/**
 * A program on paper: all that was drawn for it, and makers of its parts, so that a restarted process is the same program anew.
 * Sizes in KiB, times in seconds.
 */
class Program {
  /** `life`: seconds in all; `horizon`: the time in which what settles should have settled, shorter where a leak follows. */
  constructor(random, life, horizon) {
    this.random = random;
    this.life = life;
    this.horizon = horizon;
    this.unsettled = horizon === life && random.chance(0.08);
    this.makers = [];
    this.restarts = [];
    this.switches = [];
    this.base = random.chance(0.85) ? random.logUniform(15 * MIB, 300 * MIB) : random.logUniform(300 * MIB, 2200 * MIB);
    this.start = Math.min(this.base * 0.8, random.logUniform(4 * MIB, 45 * MIB));
    // The more is loaded at the start, the longer it takes.
    this.bootS = random.logUniform(1.5, 8) * Math.max(1, this.base / (250 * MIB)) * random.logUniform(0.7, 3);
    this.allocRate = random.logUniform(8, 12000);
    this.requestRate = random.logUniform(0.1, 150);
    this.countsRequests = random.chance(0.6);
    this.backgroundAlloc = random.uniform(0.02, 0.4);
    this.requestSpread = random.uniform(0.3, 1.8);
    this.utilisation = random.logUniform(0.002, 0.35) * Math.min(1, Math.max(0.1, this.allocRate / 2000));
    this.backgroundCpu = random.logUniform(0.3, 4);
    this.allocQuantum = random.pick([1, 1, 64, 256]);
    this.cpuQuantum = random.pick([1, 10, 10]);
    this.load = this.drawLoad();
    this.externalBase = random.logUniform(1.5 * MIB, 28 * MIB);
    this.heap = this.drawHeap();
    this.resident = this.drawResident();
    this.limitRoom = random.weighted([[75, 'standard'], [25, random.uniform(1.25, 2.2)]]);
    this.clock = random.chance(0.1) ? this.drawClock() : null;
  }

  drawLoad() {
    const { random, life } = this;
    const shape = { phase: random.uniform(0, DAY), firstDay: random.int(0, 6), wander: [], floor: 0.01 };
    const kind = random.weighted([[30, 'flat'], [40, 'wander'], [20, 'day'], [10, 'bursty']]);
    shape.wander.push({ sigma: random.uniform(0.02, 0.15), tau: random.logUniform(60, 900) });
    if (kind !== 'flat') shape.wander.push({ sigma: random.uniform(0.1, 0.5), tau: random.logUniform(600, Math.max(1200, Math.min(3 * HOUR, life / 4))) });
    if (kind === 'day') {
      shape.diurnal = random.uniform(0.2, 0.9);
      if (random.chance(0.6)) shape.weekend = random.uniform(0.2, 0.9);
    }
    if (kind === 'bursty') shape.bursts = { gap: random.logUniform(900, 3 * HOUR), length: random.logUniform(60, 1800), factor: random.uniform(1.5, 6) };
    return shape;
  }

  drawHeap() {
    const { random } = this;
    return {
      semiMax: random.weighted([[60, 16], [10, 8], [8, 32], [4, 64], [8, 4], [6, 2], [4, 1]]) * MIB,
      promote: Math.min(random.logUniform(0.002, 0.06), 600 / this.allocRate),
      speed: random.logUniform(2, 600),
      minFactor: random.chance(0.5) ? 1.1 : random.uniform(1.25, 2.2),
      maxFactor: random.uniform(1.8, 4),
      step: random.weighted([[65, 8], [15, 2], [10, 16], [10, 32]]) * MIB,
      inflight: random.logUniform(0.005, 0.6),
      inflightSigma: random.uniform(0.2, 1.1),
      tail: random.chance(0.3) ? random.logUniform(0.002, 0.1) : 0,
      float: random.uniform(0, 0.06),
      externalStep: random.weighted([[70, 64], [30, 32]]) * MIB,
      externalYoung: random.uniform(0, 500),
      externalPromote: random.logUniform(0.002, 0.15),
      reducer: random.chance(0.9),
      bootFactor: random.uniform(1.25, 1.6),
      fragmentation: random.uniform(0.01, 0.12),
      overhead: random.uniform(1, 5) * MIB,
      returnS: random.chance(0.3) ? random.logUniform(600, 7200) : random.logUniform(20, 400),
    };
  }

  drawResident() {
    const { random } = this;
    return {
      base: random.uniform(28, 62) * MIB,
      touched: random.uniform(0.5, 1),
      heapLagS: random.logUniform(5, 1200),
      mallocLagS: random.logUniform(5, 3600),
      sticky: random.uniform(0, 0.35),
      noise: random.logUniform(20, 800),
    };
  }

  /** Samples that are late, and a machine that slept: `late` and `sleep` are chances for each sample. */
  drawClock() {
    const { random } = this;
    return { jitterMs: random.logUniform(1, 800), late: random.chance(0.5) ? random.logUniform(0.0002, 0.01) : 0, sleep: random.chance(0.4) ? 2 / this.life : 0 };
  }

  /** Makes the program smaller, so that it needs at most `base` KiB after its start. */
  shrinkTo(base) {
    this.base = Math.min(this.base, Math.max(12 * MIB, base));
    this.start = Math.min(this.start, this.base * 0.8);
  }

  /** A share of the base, in KiB. */
  share(low, high) {
    return this.base * this.random.logUniform(low, high);
  }

  /** A time constant, at most a part of the horizon. */
  tau(low, high, part = 0.2) {
    return this.random.logUniform(low, Math.max(low * 1.5, Math.min(high, this.horizon * part)));
  }

  /** The time constant of what settles by growing; in a few programs observed for too short a time, longer than the horizon. */
  settling(low, high, part = 0.2) {
    return this.unsettled ? this.random.logUniform(low, high) : this.tau(low, high, part);
  }

  add(Kind, options) {
    this.makers.push((random) => new Kind(options, random));
  }
}

module.exports = { HOUR, MIB, Program };
