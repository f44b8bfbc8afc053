'use strict';

// Healthy programs, by what dominates their memory. A family adds its dominant parts; `decorate` adds a few small ones of any kind.

const { Batch, ClearedCache, Episode, Feature } = require('./parts/episodes');
const { FillingCache, LazyModules, LogGrowth, Saturating, Tenants } = require('./parts/growth');
const { BufferChurn, Fragmentation, MappedFiles, WorkerPool } = require('./parts/outside');
const { LoadSet, LongRequests, Pool, SessionStore, WanderingSet } = require('./parts/sets');
const { DAY } = require('./load');
const { HOUR, MIB } = require('./program');

const day = (p, low, high) => Object.assign(p.load, { diurnal: p.random.uniform(low, high), bursts: undefined });

const cache = (p, curve, low, high) => p.add(FillingCache, { amount: p.share(0.15, 1.2), tau: p.settling(low, high, p.random.chance(0.15) ? 1 : 0.5), curve, chunks: p.random.int(4, 60) });

const working = (p, low = 0.05, high = 0.5) => p.add(LoadSet, { amount: p.share(low, high), tau: p.tau(30, 1800) });

/** A new level of load at a random time: once, or a few times. */
function steps(p, count) {
  p.load.steps = Array.from({ length: count }, () => ({
    t: p.life * p.random.uniform(0.1, 0.9),
    factor: p.random.chance(0.65) ? p.random.uniform(1.3, 3) : p.random.uniform(0.3, 0.8),
  }));
}

function restartEvery(p, gap) {
  for (let t = gap * p.random.uniform(0.4, 1.4); t < p.life - 600; t += gap * (0.3 + p.random.exponential(0.7))) p.restarts.push(t);
}

/** `[least life in hours, build]` for each family. */
const FAMILIES = {
  steady: [0, (p) => {
    p.load.wander = [{ sigma: 0.05, tau: 300 }];
    delete p.load.bursts;
  }],
  idle: [2, (p) => {
    p.allocRate = p.random.logUniform(0.5, 25);
    p.requestRate = p.random.chance(0.5) ? 0.001 : p.random.logUniform(0.01, 1);
    p.utilisation *= 0.02;
  }],
  warmup: [0, (p) => p.add(Saturating, { amount: p.share(0.2, 1.5), tau: p.settling(60, 2 * HOUR, 0.25), byLoad: p.random.chance(0.5) })],
  slow_warmup: [6, (p) => p.add(Saturating, { amount: p.share(0.15, 0.8), tau: p.settling(HOUR, 12 * HOUR, 0.4), byLoad: p.random.chance(0.5) })],
  log_warmup: [1, (p) => p.add(LogGrowth, { amount: p.share(0.1, 0.6), start: p.settling(10, 900, 0.02), end: p.settling(HOUR, 60 * HOUR, 3) })],
  lazy_modules: [1, (p) => p.add(LazyModules, { amount: p.share(0.15, 0.8), count: p.random.int(3, 25), first: p.tau(60, 3600, 0.04), stretch: p.random.uniform(1.1, 1.7) })],
  tenants: [2, (p) => p.add(Tenants, { amount: p.share(0.15, 1), count: p.random.int(20, 400), skew: p.random.uniform(0.3, 1.3), tau: p.settling(300, 4 * HOUR, 0.08) })],
  lru_exponential: [1, (p) => p.add(Saturating, { amount: p.share(0.2, 1.5), tau: p.settling(300, 12 * HOUR, 0.35), byLoad: true })],
  lru_linear: [1, (p) => cache(p, 'linear', 600, 24 * HOUR)],
  lru_zipf: [1, (p) => cache(p, 'log', 900, 48 * HOUR)],
  lru_power: [1, (p) => cache(p, 'power', 900, 24 * HOUR)],
  lru_chunks: [1, (p) => cache(p, 'chunks', 900, 12 * HOUR)],
  sessions: [2, (p) => {
    const ttl = p.settling(20 * 60, 24 * HOUR, 0.4);
    p.add(SessionStore, { amount: p.share(0.15, 1), ttl, sweep: p.random.pick([0, 60, 300, ttl / 4]) });
  }],
  daily: [12, (p) => {
    day(p, 0.3, 0.7);
    working(p, 0.1, 0.6);
  }],
  daily_strong: [18, (p) => {
    day(p, 0.7, 0.97);
    working(p, 0.3, 1.5);
  }],
  weekly: [96, (p) => {
    day(p, 0.3, 0.9);
    p.load.weekend = p.random.uniform(0.1, 0.6);
    working(p, 0.2, 1);
  }],
  lagging_set: [6, (p) => {
    if (p.random.chance(0.6)) day(p, 0.3, 0.9);
    else p.load.wander.push({ sigma: 0.4, tau: p.tau(900, 4 * HOUR, 0.15) });
    p.add(LoadSet, { amount: p.share(0.2, 1), tau: p.tau(1200, 5 * HOUR, 0.15) });
  }],
  load_ramp: [3, (p) => {
    const from = p.life * p.random.uniform(0, 0.4);
    const ramp = { from, to: from + p.tau(HOUR, 24 * HOUR, 0.6), factor: p.random.uniform(1.8, 6) };
    p.load.ramps = [ramp];
    if (p.random.chance(0.3)) p.load.ramps.push({ from: ramp.to + p.life * 0.1, to: ramp.to + p.life * 0.3, factor: 1 / ramp.factor });
    working(p, 0.15, 0.6);
  }],
  load_step: [1, (p) => {
    steps(p, 1);
    working(p, 0.15, 0.8);
  }],
  load_steps: [3, (p) => {
    steps(p, p.random.int(2, 6));
    working(p, 0.1, 0.5);
  }],
  bursts: [1, (p) => {
    p.load.bursts = { gap: p.random.logUniform(600, 3 * HOUR), length: p.random.logUniform(60, 2400), factor: p.random.uniform(2, 12) };
    working(p, 0.05, 0.3);
  }],
  long_requests: [1, (p) => {
    const count = p.random.int(1, 2);
    for (let i = 0; i < count; i++) {
      p.add(LongRequests, { amount: p.share(0.1, 0.7), hold: p.tau(30, 1800), drift: p.random.uniform(0.15, 0.6), tau: p.tau(300, 8 * HOUR, 0.12), externalShare: p.random.pick([0, 0, 0.3, 0.9]), follow: p.random.uniform(0, 1) });
    }
  }],
  wandering: [1, (p) => {
    const taus = Array.from({ length: p.random.int(1, 4) }, () => p.tau(60, 12 * HOUR, 0.15));
    p.add(WanderingSet, { amount: p.share(0.3, 1), spread: p.random.uniform(0.08, 0.4), taus });
  }],
  pools: [1, (p) => {
    const members = p.random.int(8, 200);
    p.add(Pool, { members, size: p.share(0.1, 0.6) / members, idle: p.random.logUniform(60, 3600), nativeShare: p.random.pick([0, 0.2, 0.5]) });
    if (p.random.chance(0.5)) steps(p, p.random.int(1, 3));
  }],
  batches: [2, (p) => {
    const period = p.random.pick([300, 600, 900, 1800, 3600, 3600, 3600, 2 * 3600, 6 * 3600]);
    const hold = period * p.random.logUniform(0.05, 0.7);
    p.add(Batch, { amount: p.share(0.15, 1.5), period, phase: p.random.uniform(0, period), hold, rise: hold * p.random.uniform(0.05, 0.9), vary: p.random.uniform(0, 0.35) });
  }],
  nightly: [30, (p) => {
    p.add(Batch, { amount: p.share(0.3, 2), period: DAY, phase: p.random.uniform(0, DAY), hold: p.random.logUniform(600, 3 * HOUR), rise: p.random.logUniform(120, HOUR), vary: 0.15 });
    if (p.random.chance(0.5)) day(p, 0.3, 0.8);
  }],
  cleared_cache: [2, (p) => p.add(ClearedCache, { amount: p.share(0.2, 1), tau: p.tau(300, 3 * HOUR, 0.1), gap: p.tau(1800, 24 * HOUR, 0.4), kept: p.random.pick([0, 0, 0.3, 0.6]) })],
  daily_cache: [30, (p) => {
    p.add(ClearedCache, { amount: p.share(0.2, 1), tau: p.random.logUniform(900, 5 * HOUR), clock: p.random.uniform(0, DAY), kept: p.random.pick([0, 0.2]) });
  }],
  feature_off: [2, (p) => {
    const off = p.life * p.random.uniform(0.15, 0.6);
    p.add(Feature, { amount: p.share(0.15, 0.8), off, on: p.random.chance(0.6) ? off + p.life * p.random.uniform(0.05, 0.3) : Infinity, fade: p.tau(10, 2 * HOUR, 0.05) });
  }],
  reloads: [1, (p) => p.add(Episode, { amount: p.share(0.2, 1), gap: p.tau(900, 8 * HOUR), build: p.random.logUniform(1, 60), hold: p.random.logUniform(10, 1200), drain: p.random.logUniform(1, 120), vary: 0.3 })],
  backlog: [3, (p) => p.add(Episode, { amount: p.share(0.3, 2), gap: p.tau(2 * HOUR, 20 * HOUR, 0.4), build: p.tau(600, 3 * HOUR, 0.2), hold: p.random.logUniform(30, 1800), drain: p.tau(300, 3 * HOUR, 0.2), vary: 0.4 })],
  gc_switch: [2, (p) => {
    const count = p.random.int(1, 3);
    for (let i = 0; i < count; i++) {
      const minFactor = p.random.pick([1.1, 1.5, 2, 3]);
      p.switches.push({ t: p.life * p.random.uniform(0.1, 0.9), set: { minFactor, maxFactor: Math.max(minFactor, p.random.uniform(1.5, 4)), step: p.random.pick([2, 8, 64, 200]) * MIB } });
    }
    p.switches.sort((a, b) => a.t - b.t);
  }],
  deferred_major: [3, (p) => {
    Object.assign(p.heap, { minFactor: p.random.uniform(1.6, 3.5), maxFactor: 4, step: p.random.logUniform(40, 500) * MIB, reducer: p.random.chance(0.5) });
    p.heap.promote = Math.min(0.05, p.random.logUniform(0.3, 4) * (p.base + p.heap.step) / (p.random.logUniform(0.5, 5) * HOUR) / p.allocRate);
  }],
  near_limit: [0, (p) => {
    p.limitRoom = p.random.uniform(1.12, 1.5);
    p.allocRate = Math.max(200, p.allocRate);
  }],
  at_limit: [0, (p) => {
    p.base = Math.min(p.base, 400 * MIB);
    p.start = Math.min(p.start, p.base * 0.8);
    p.limitRoom = p.random.uniform(1.02, 1.1);
    p.allocRate = p.random.logUniform(500, 20000);
    p.load.wander = [{ sigma: 0.05, tau: 300 }];
  }],
  busy_collector: [0, (p) => {
    p.allocRate = p.random.logUniform(4000, 40000);
    Object.assign(p.heap, { promote: p.random.logUniform(0.03, 0.12), minFactor: 1.1, speed: p.random.logUniform(30, 600), step: 2 * MIB });
  }],
  buffer_pool: [1, (p) => {
    p.add(Saturating, { amount: p.random.logUniform(20, 800) * MIB, tau: p.settling(120, 4 * HOUR), byLoad: true, pool: 'external' });
    if (p.random.chance(0.6)) p.add(BufferChurn, { rate: p.random.logUniform(100, 20000) });
  }],
  file_server: [0, (p) => {
    p.add(BufferChurn, { rate: p.random.logUniform(500, 60000) });
    p.add(LoadSet, { amount: p.random.logUniform(5, 200) * MIB, tau: p.random.logUniform(10, 600), pool: 'external' });
    p.heap.externalPromote = p.random.logUniform(0.01, 0.2);
  }],
  external_wandering: [2, (p) => {
    const taus = Array.from({ length: p.random.int(1, 3) }, () => p.tau(120, 8 * HOUR, 0.12));
    p.add(WanderingSet, { amount: p.random.logUniform(10, 500) * MIB, spread: p.random.uniform(0.08, 0.4), taus, pool: 'external' });
  }],
  external_batches: [2, (p) => {
    const period = p.random.pick([900, 3600, 3600, 6 * 3600]);
    p.add(Batch, { amount: p.random.logUniform(10, 600) * MIB, period, phase: p.random.uniform(0, period), hold: period * p.random.uniform(0.05, 0.4), rise: period * 0.05, vary: 0.3, pool: 'external' });
  }],
  fragmentation: [2, (p) => {
    p.add(Fragmentation, { amount: p.random.logUniform(20, 300) * MIB, end: p.tau(HOUR, 30 * HOUR, 1), steps: p.random.pick([0, 0, 5, 12]) });
    p.resident.sticky = p.random.uniform(0.3, 0.8);
  }],
  native_contexts: [1, (p) => {
    p.add(LoadSet, { amount: p.random.logUniform(10, 250) * MIB, tau: p.tau(30, HOUR), pool: 'native' });
    p.load.wander.push({ sigma: p.random.uniform(0.2, 0.5), tau: p.tau(600, 4 * HOUR, 0.12) });
    Object.assign(p.resident, { mallocLagS: p.random.logUniform(300, 4 * HOUR), sticky: p.random.uniform(0.1, 0.6) });
  }],
  native_cache: [2, (p) => p.add(Saturating, { amount: p.random.logUniform(20, 600) * MIB, tau: p.settling(120, 6 * HOUR, 0.25), byLoad: true, pool: 'native' })],
  mapped_files: [1, (p) => p.add(MappedFiles, { amount: p.random.logUniform(15, 800) * MIB, tau: p.tau(300, 6 * HOUR, 0.15), drops: p.random.chance(0.5) ? p.tau(1800, 12 * HOUR, 0.5) : 0 })],
  workers: [1, (p) => {
    const workers = p.random.int(1, 16);
    p.add(WorkerPool, { native: workers * p.random.logUniform(8, 60) * MIB, heap: workers * p.random.logUniform(0.05, 2) * MIB, from: p.random.chance(0.4) ? 5 : p.life * p.random.uniform(0.02, 0.7), rise: p.random.logUniform(1, 600), workers });
  }],
  late_return: [3, (p) => {
    p.load.bursts = { gap: p.tau(HOUR, 8 * HOUR, 0.3), length: p.random.logUniform(300, 3600), factor: p.random.uniform(3, 10) };
    working(p, 0.05, 0.25);
    p.heap.returnS = p.random.logUniform(HOUR, 8 * HOUR);
    Object.assign(p.resident, { heapLagS: p.random.logUniform(1800, 6 * HOUR), sticky: p.random.uniform(0.2, 0.6) });
  }],
  restarts: [3, (p) => {
    restartEvery(p, p.tau(HOUR, 24 * HOUR, 0.4));
    p.add(Saturating, { amount: p.share(0.1, 0.8), tau: p.random.logUniform(60, 1200), byLoad: true });
  }],
  daily_deploys: [40, (p) => {
    for (let t = p.random.uniform(0.1, 1) * DAY; t < p.life - HOUR; t += DAY) if (p.random.chance(0.8)) p.restarts.push(t + p.random.uniform(0, 1800));
    p.add(Saturating, { amount: p.share(0.2, 1), tau: p.random.logUniform(300, 2 * HOUR), byLoad: true });
  }],
};

/** Small parts that any program may have, with their weights. */
const EXTRAS = [
  [3, (p) => working(p, 0.01, 0.12)],
  [3, (p) => p.add(LogGrowth, { amount: p.share(0.005, 0.05), start: p.tau(5, 300, 0.01), end: p.tau(HOUR, 24 * HOUR, 1) })],
  [3, (p) => p.add(Saturating, { amount: p.share(0.01, 0.15), tau: p.tau(30, HOUR, 0.12), byLoad: p.random.chance(0.5) })],
  [2, (p) => p.add(WanderingSet, { amount: p.share(0.03, 0.15), spread: p.random.uniform(0.05, 0.4), taus: [p.tau(60, 2 * HOUR, 0.08), p.tau(300, 6 * HOUR, 0.1)] })],
  [2, (p) => p.add(LazyModules, { amount: p.share(0.01, 0.08), count: p.random.int(1, 8), first: p.tau(60, 1800, 0.04), stretch: 1.5 })],
  [2, (p) => p.add(SessionStore, { amount: p.share(0.01, 0.08), ttl: p.tau(600, 2 * HOUR, 0.15), sweep: 60 })],
  [2, (p) => p.add(Batch, { amount: p.share(0.02, 0.2), period: p.random.pick([300, 900, 3600]), phase: p.random.uniform(0, 3600), hold: p.random.logUniform(10, 250), rise: 5, vary: 0.3 })],
  [2, (p) => p.add(Pool, { members: p.random.int(4, 40), size: p.random.logUniform(20, 300), idle: p.random.logUniform(60, 1800), nativeShare: 0.3 })],
  [1, (p) => p.add(Episode, { amount: p.share(0.05, 0.3), gap: p.tau(HOUR, 12 * HOUR, 0.5), build: 5, hold: p.random.logUniform(10, 600), drain: 10, vary: 0.4 })],
  [2, (p) => p.add(BufferChurn, { rate: p.random.logUniform(10, 3000) })],
  [1, (p) => p.add(Saturating, { amount: p.random.logUniform(1, 20) * MIB, tau: p.tau(60, 2 * HOUR, 0.15), byLoad: true, pool: 'external' })],
  [2, (p) => p.add(Fragmentation, { amount: p.random.logUniform(2, 25) * MIB, end: p.tau(HOUR, 24 * HOUR, 1), steps: p.random.pick([0, 4]) })],
  [1, (p) => p.add(MappedFiles, { amount: p.random.logUniform(2, 30) * MIB, tau: p.tau(120, 2 * HOUR, 0.1), drops: 0 })],
];

function decorate(p) {
  const count = p.random.weighted([[2, 0], [4, 1], [4, 2], [3, 3], [1, 5]]);
  for (let i = 0; i < count; i++) p.random.weighted(EXTRAS)(p);
}

module.exports = { FAMILIES, decorate };
