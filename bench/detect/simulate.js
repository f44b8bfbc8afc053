'use strict';

// A program's demand through V8 and the operating system: the trace that an observer would have recorded.

const { demand } = require('./demand');
const { FAMILIES, decorate } = require('./families');
const { leakLabel, planLeak } = require('./leaks');
const { HOUR, MIB, Program } = require('./program');
const { Heap } = require('./v8-model');
const { Resident } = require('./resident-model');

const STANDARD_LIMITS_MIB = [256, 512, 1024, 2048, 4144, 8240];
/** V8 gives up a little before its limit. */
const FATAL_SHARE = 0.985;
const MAX_CPU_SHARE = 1.6;
const LEAST_LEAK_SAMPLES = 32;
const MAX_PEAK_KIB = 3200 * MIB;
const MAX_PEAK_TO_LEAK = 10;
const LEAKED_SHARE = [0.4, 2.5];
const ATTEMPTS = 8;

/** Collections as a trace has them: every major, and the last scavenge of a sample at most, as hooks that thin them out would. */
class CollectionLog {
  constructor() {
    this.t = [];
    this.kind = [];
    this.used = [];
    this.external = [];
    this.pending = null;
  }

  major(t, used, external) {
    this.push(t, 'M', used, external);
  }

  minor(t, used, external) {
    this.pending = { t, used, external, at: this.t.length };
  }

  push(t, kind, used, external) {
    this.t.push(t);
    this.kind.push(kind);
    this.used.push(used);
    this.external.push(external);
  }

  /** Ends a sample. */
  flush() {
    const { pending } = this;
    this.pending = null;
    if (pending === null) return;
    if (pending.at === this.t.length) {
      this.push(pending.t, 'm', pending.used, pending.external);
      return;
    }
    this.t.splice(pending.at, 0, pending.t);
    this.kind.splice(pending.at, 0, 'm');
    this.used.splice(pending.at, 0, pending.used);
    this.external.splice(pending.at, 0, pending.external);
  }
}

/** The heap's limit (KiB): one of Node's usual ones with room to spare, or one set for this program. */
function chooseLimit(program, peak, random, extra) {
  const need = peak + extra;
  if (program.limitRoom !== 'standard') return need * program.limitRoom + (program.limitRoom < 1.12 ? 0 : 8 * MIB);
  const fitting = STANDARD_LIMITS_MIB.map((limit) => limit * MIB).filter((limit) => limit > need * 1.3 + 24 * MIB);
  return fitting.length === 0 ? need * 1.5 : fitting[Math.min(fitting.length - 1, Math.floor(random.exponential(1.2)))];
}

/** A program and its demand; drawn anew, smaller, where it needs more than a Node.js process has, or hides its leak. */
function drawProgram(random, family, plan, life, dt) {
  const most = plan === null ? MAX_PEAK_KIB : Math.min(MAX_PEAK_KIB, plan.target * MAX_PEAK_TO_LEAK);
  let base = plan === null ? Infinity : plan.target * random.logUniform(0.3, 4);
  for (let attempt = 1; ; attempt++) {
    const program = new Program(random, life, plan !== null && plan.onset > 0 ? Math.max(1800, plan.onset) : life);
    program.shrinkTo(base);
    FAMILIES[family][1](program);
    decorate(program);
    if (plan !== null) {
      program.restarts = plan.restart ? [plan.onset] : [];
      plan.allocRate = program.allocRate;
    } else if (program.restarts.length === 0 && life > 12 * HOUR && random.chance(0.06)) {
      program.restarts.push(life * random.uniform(0.2, 0.8));
    }
    const wanted = demand(program, plan, random, dt);
    // Load may make far more, or less, of a leak than was planned.
    const leaked = plan === null ? 1 : wanted.samples[wanted.samples.length - 1].leaked / plan.target;
    const asPlanned = leaked > LEAKED_SHARE[0] && leaked < LEAKED_SHARE[1];
    if ((wanted.peak <= most && asPlanned) || attempt === ATTEMPTS) return { program, wanted };
    if (wanted.peak > most) base = (program.base * 0.6 * most) / wanted.peak;
  }
}

/** One trace and its label. `family` names a healthy program; `plan` is null or a leak's. */
function simulate(random, { id, family, plan, life, dt }) {
  const { program, wanted } = drawProgram(random, family, plan, life, dt);
  const heapLeak = plan !== null && (plan.kind === 'heap' || plan.kind === 'mixed');
  // Nobody could see a leak that ends its process within a few samples.
  const least = plan === null ? 0 : Math.max(plan.target * 0.3, plan.rate * dt * LEAST_LEAK_SAMPLES);
  const room = heapLeak ? Math.max(least, random.chance(0.4) ? plan.target : 0) : 0;
  const limit = chooseLimit(program, wanted.peak, random, room);
  // Memory outside the heap has a limit as well: the container's.
  const container = plan === null || heapLeak ? Infinity : Math.max(least, plan.target * random.uniform(0.6, 3));
  const outcome = run(program, wanted, limit, container, random, dt);
  const hours = outcome.end / HOUR;
  const label = {
    id,
    source: 'generated',
    family: plan === null ? family : plan.family,
    leak: plan !== null,
    dt,
    hours,
    ended: outcome.oom ? 'oom' : null,
    ambiguous: plan === null && wanted.ambiguous,
  };
  if (plan !== null) {
    const times = wanted.samples.slice(0, outcome.n).map((sample) => sample.t);
    const totals = wanted.samples.slice(0, outcome.n).map((sample) => sample.leaked);
    Object.assign(label, leakLabel(plan, times, totals, Math.min(wanted.visible, outcome.end)), { pattern: plan.pattern, program: family });
  }
  const { columns, gc, events } = outcome;
  return { trace: { id, source: 'generated', dt, limit, columns, gc, events }, label };
}

/** Young space goes by halves until it fits the heap. */
function youngSpace(wanted, limit) {
  let size = wanted;
  while (size > limit / 8 && size > MIB) size /= 2;
  return size;
}

function run(program, wanted, limit, container, random, dt) {
  const columns = { t: [], heapUsed: [], heapTotal: [], external: [], arrayBuffers: [], rss: [], alloc: [], cpu: [], req: [] };
  const gc = new CollectionLog();
  const events = program.restarts.map((t) => [tenth(t), 'restart']);
  const options = { ...program.heap, limit, start: program.start, switches: program.switches, semiMax: youngSpace(program.heap.semiMax, limit) };
  const wrappers = program.externalBase * random.uniform(0.1, 0.6);
  let heap = null;
  let resident = null;
  let step = 0;
  let oom = false;
  for (const sample of wanted.samples) {
    for (; step < sample.last; step++) {
      const need = wanted.steps[step];
      const from = need.t - need.dt;
      if (need.born) {
        heap = new Heap(random, options, from);
        resident = new Resident(random, program.resident);
      }
      if (need.leaked > 0 && (need.live > limit * FATAL_SHARE || need.leaked > container)) {
        oom = true;
        sample.leaked = wanted.steps[step - 1].leaked;
        break;
      }
      heap.advance(from, need.dt, need.live, need.alloc, need.external, need.externalAlloc, gc);
      columns.rssNow = resident.advance(need.dt, heap.heapTotal(), heap.read().heapUsed, need.external + heap.externalGarbage, need.native);
    }
    gc.flush();
    const reading = heap.read();
    columns.t.push(sample.t * 1000);
    columns.heapUsed.push(reading.heapUsed);
    columns.heapTotal.push(reading.heapTotal);
    columns.external.push(reading.external);
    columns.arrayBuffers.push(Math.max(0, reading.external - wrappers));
    columns.rss.push(columns.rssNow);
    columns.alloc.push(Math.ceil(sample.alloc / program.allocQuantum) * program.allocQuantum);
    columns.cpu.push(Math.round(Math.min(sample.cpu, dt * 1000 * MAX_CPU_SHARE) / program.cpuQuantum) * program.cpuQuantum);
    columns.req.push(program.countsRequests ? sample.req : 0);
    if (oom) {
      events.push([tenth(sample.t - dt / 2), 'oom']);
      break;
    }
  }
  delete columns.rssNow;
  const n = columns.t.length;
  const end = wanted.samples[n - 1].t;
  if (program.clock === null) delete columns.t;
  return { columns, gc, events: events.filter(([t]) => t <= end), oom, n, end };
}

const tenth = (t) => Math.round(t * 10) / 10;

const LONG_HOURS = 24;

/** How long a program lives (seconds), and how often it is sampled. */
function drawLife(random, leastHours) {
  const band = random.weighted([[38, [0.5, 2]], [38, [2, 8]], [17, [8, 24]], [5.5, [24, 72]], [1.5, [72, 240]]]);
  const hours = Math.max(random.logUniform(...band), leastHours * random.uniform(1, 1.6));
  return { life: hours * HOUR, dt: drawInterval(random, hours) };
}

function drawInterval(random, hours) {
  const dt = random.weighted([[64, 30], [8, 5], [9, 10], [9, 15], [10, 60]]);
  if (hours > 24) return Math.max(dt, 30);
  return hours > 8 ? Math.max(dt, 15) : dt;
}

function healthyTrace(random, id, families) {
  // What takes days to show would otherwise take most of the hours.
  let family = random.pick(families);
  if (FAMILIES[family][0] > LONG_HOURS) family = random.pick(families);
  return simulate(random, { id, family, plan: null, ...drawLife(random, FAMILIES[family][0]) });
}

/** A leak in one of the families that fit its life. */
function leakyTrace(random, id, families) {
  const plan = planLeak(random);
  const hours = plan.life / HOUR;
  // A short leak deserves samples enough to show itself.
  const dt = Math.min(drawInterval(random, hours), plan.length < 2 * HOUR ? 30 : 60);
  const fitting = families.filter((family) => FAMILIES[family][0] <= hours && !UNFIT.has(family));
  return simulate(random, { id, family: fitting.length > 0 ? random.pick(fitting) : 'steady', plan, life: plan.life, dt });
}

// Restarts end a leak, and a program at its limit would not live to see one.
const UNFIT = new Set(['restarts', 'daily_deploys', 'at_limit', 'near_limit']);

module.exports = { healthyTrace, leakyTrace };
