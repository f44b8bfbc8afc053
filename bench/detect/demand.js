'use strict';

// What a program needs, step by step, before any collector has its say.

const { Load } = require('./load');
const { Leak } = require('./leaks');
const { LINEAR } = require('./parts/part');

const BOOT_S = 90;
const BOOT_STEP_S = 1;
// Growth below these is lost in the noise of any process.
const MATERIAL_KIB = 1536;
const MATERIAL_SHARE = 0.01;
// A rise at a constant rate over this many samples, of this size, is a leak to anyone until it ends.
const STRAIGHT_SAMPLES = 120;
const STRAIGHT_KIB = 6144;
const STRAIGHT_SHARE = 0.05;

/** The parts of one process between two restarts. */
class Life {
  constructor(program, random, length, dt) {
    this.program = program;
    this.dt = dt;
    this.length = length;
    this.parts = program.makers.map((make) => make(random));
    this.before = this.parts.map(() => 0);
    this.rises = this.parts.map(() => ({ from: 0, level: 0, last: 0 }));
    this.isStraight = false;
  }

  step(now) {
    for (const part of this.parts) part.step(now);
    this.parts.forEach((part, i) => {
      if (part.straight) this.rise(part, this.rises[i], now.uptime);
      if (part.knowable !== null && now.uptime <= this.length * part.knowable.after) this.before[i] = held(part);
    });
  }

  /** Follows one rise of a part from where it last stood still or fell for as long as a tenth of such a rise takes. */
  rise(part, rise, uptime) {
    const level = held(part);
    const patience = STRAIGHT_SAMPLES * this.dt * 0.1;
    if (level > rise.last) rise.grewAt = uptime;
    if (level < rise.last || uptime - (rise.grewAt ?? 0) > patience) Object.assign(rise, { from: uptime, level });
    rise.last = level;
    const large = Math.max(STRAIGHT_KIB, this.program.base * STRAIGHT_SHARE);
    if (uptime - rise.from >= STRAIGHT_SAMPLES * this.dt && level - rise.level > large) this.isStraight = true;
  }

  /** Whether a part grew so late in this life that nobody could know that it would settle. */
  ambiguous() {
    if (this.isStraight) return true;
    const material = Math.max(MATERIAL_KIB, this.program.base * MATERIAL_SHARE);
    return this.parts.some((part, i) => {
      const late = held(part) - this.before[i];
      if (part.fillS > this.length * LINEAR.after && held(part) > material) return true;
      return part.knowable !== null && late > material && late > held(part) * part.knowable.share;
    });
  }
}

const held = (part) => part.heap + part.external + part.native;

/**
 * Lives a program through its whole life. `{steps, samples, ambiguous, peak, visible}`: `steps` are `{t, dt, born, live, alloc,
 * external, externalAlloc, native, leaked}` in KiB at the end of the step; `samples` are `{t, last, req, cpu, alloc, leaked}`, `last` being the
 * number of steps up to that sample; `peak` the most heap that the healthy part needs.
 */
function demand(program, plan, random, dt) {
  const load = new Load(random, program.load);
  const leak = plan === null ? null : new Leak(plan);
  const steps = [];
  const samples = [];
  const ends = [...program.restarts, program.life];
  const result = { steps, samples, ambiguous: false, peak: 0, visible: plan === null ? 0 : plan.onset };
  let restart = 0;
  let life = new Life(program, random, ends[0], dt);
  let t = 0;
  let uptime = 0;
  let isBorn = true;

  while (t + dt <= program.life + 1e-6) {
    const gap = drawGap(program.clock, random, dt);
    const sample = { req: 0, cpu: 0, alloc: 0 };
    // The process sees no time while its machine sleeps.
    t += gap.sleep;
    const end = t + gap.length;
    while (t < end - 1e-6) {
      if (restart < program.restarts.length && t >= program.restarts[restart] - 1e-6) {
        result.ambiguous = life.ambiguous() || result.ambiguous;
        restart++;
        life = new Life(program, random, ends[restart] - t, dt);
        uptime = 0;
        isBorn = true;
      }
      let length = end - t;
      if (uptime < BOOT_S) length = Math.min(length, BOOT_STEP_S);
      if (restart < program.restarts.length && t + length > program.restarts[restart]) length = Math.max(1e-3, program.restarts[restart] - t);
      uptime += length;
      t += length;
      const now = { t, uptime, dt: length, load: load.step(t, length), random, alloc: 0 };
      const need = measure(program, life, leak, now, sample);
      need.born = isBorn;
      isBorn = false;
      result.peak = Math.max(result.peak, need.healthy);
      if (leak !== null && plan.mask !== null && leak.total <= plan.mask.amount - leak.maskAt(t)) result.visible = Math.max(result.visible, t);
      steps.push(need);
    }
    sample.t = t;
    sample.last = steps.length;
    sample.leaked = leak === null ? 0 : leak.total;
    samples.push(sample);
  }
  result.ambiguous = life.ambiguous() || result.ambiguous;
  return result;
}

/** How long the next sample takes, and how long the machine slept before it. */
function drawGap(clock, random, dt) {
  if (clock === null) return { length: dt, sleep: 0 };
  const late = random.chance(clock.late) ? dt * random.int(1, 8) : 0;
  const sleep = random.chance(clock.sleep * dt) ? random.logUniform(120, 6 * 3600) : 0;
  return { length: Math.max(dt * 0.5, dt + late + (clock.jitterMs / 1000) * random.exponential(0.3)), sleep };
}

/** One step: requests come, parts follow, and what they need is added up. */
function measure(program, life, leak, now, sample) {
  const { random } = now;
  const requests = random.poisson(program.requestRate * now.load * now.dt);
  const expected = Math.max(1e-9, program.requestRate * now.dt);
  // The more requests there are, the less their differences show.
  const size = random.logNormal(program.requestSpread / Math.sqrt(Math.max(1, requests)));
  const perRequest = (program.allocRate * now.dt * (1 - program.backgroundAlloc)) / expected;
  const background = program.allocRate * now.dt * program.backgroundAlloc * random.logNormal(0.1);
  const served = program.requestRate > 0.05 ? requests * perRequest * size : program.allocRate * now.dt * (1 - program.backgroundAlloc) * now.load;
  now.alloc = background + served;
  life.step(now);

  const boot = 1 - Math.exp(-now.uptime / program.bootS);
  let live = program.start + (program.base - program.start) * boot;
  let { alloc } = now;
  let external = program.externalBase * Math.min(1, 0.4 + boot);
  let externalAlloc = 0;
  let native = 0;
  if (now.uptime < program.bootS * 4) alloc += (program.base / program.bootS) * now.dt * (1 - boot) * 2;
  for (const part of life.parts) {
    live += part.heap;
    external += part.external;
    native += part.native;
    alloc += part.alloc;
    externalAlloc += part.externalAlloc;
  }
  const healthy = live + (leak === null ? 0 : leak.mask === null ? 0 : leak.mask.amount);
  if (leak !== null) {
    const before = leak.heap;
    leak.step(now);
    live += leak.heap + leak.maskAt(now.t) * boot;
    external += leak.external;
    native += leak.native;
    // What is kept was allocated, too.
    alloc += leak.heap - before;
  }
  sample.req += requests;
  sample.alloc += alloc;
  sample.cpu += now.dt * program.backgroundCpu * random.uniform(0.7, 1.3) + (program.utilisation * 1000 * now.dt * alloc) / (program.allocRate * now.dt + 1) * random.uniform(0.9, 1.1);
  return { t: now.t, dt: now.dt, born: false, live, alloc, external, externalAlloc, native, healthy, leaked: leak === null ? 0 : leak.total };
}

module.exports = { demand };
