'use strict';

// What the recorded figures of a service and its twin say. No figure is judged by itself: the twin does the same work at the same time, and what both do is
// not ours.

const { replaySeries } = require('../../lib/replay');
const { median, slopeWithInterval } = require('./slope');

const HOUR_MS = 3_600_000;
/** Below this the difference of two slopes says nothing. */
const LEAST_CYCLES = 8;

/** Sizes, in bytes: by how much more the service grows than its twin. */
const SIZES = {
  heapUsed: 'V8 heap that collections leave', heapObjects: 'the same without code', external: 'external memory', arrayBuffers: 'array buffers',
  rss: 'resident set', rssAnon: 'anonymous part of it', pss: 'proportional set', brk: "C allocator's first heap",
};
/** A number that goes up and down with what the collector and the allocator do, judged as sizes are. */
const NUMBERS = { mappings: 'memory mappings' };
/** Things that are counted and have to be flat. */
const COUNTS = { fds: 'file descriptors', threads: 'threads', children: 'child processes', zombies: 'zombies', resources: 'active resources', files: 'evidence files' };

const total = (counts) => (typeof counts === 'number' ? counts : Object.values(counts).reduce((sum, count) => sum + count, 0));

/** One row a cycle: the middle of its readings. */
function byCycle(readings, key) {
  return [...grouped(readings).values()].map((rows) => ({ t: rows[0].t, value: median(rows.map((row) => total(row[key]))) }));
}

function grouped(readings) {
  const groups = new Map();
  for (const reading of readings) groups.set(reading.cycle, [...(groups.get(reading.cycle) ?? []), reading]);
  return groups;
}

const slope = (rows) => slopeWithInterval(rows.map(({ t }) => t / HOUR_MS), rows.map(({ value }) => value));

/** A figure with a slope, per hour: of both, and of the difference with its interval. */
function sloped(app, twin, key) {
  const [own, other] = [byCycle(app, key), byCycle(twin, key)];
  const more = slope(own.map(({ t, value }, i) => ({ t, value: value - other[i].value })));
  return {
    figure: key, first: own[0].value, last: own.at(-1).value,
    app: slope(own), twin: slope(other), difference: more, isFlat: !(more.low > 0),
  };
}

/**
 * A heap that grows by what V8 has compiled alone: there is more to compile where Heapwarden is beside the service, some of it runs once in ten cycles, and V8
 * throws compiled code away and compiles it again as it likes. Everything else in the heap is in the row of its own that has to be flat.
 */
function excuseCode(sizes) {
  const of = (key) => sizes.find(({ figure }) => figure === key);
  const heap = of('heapUsed');
  if (!heap.isFlat && of('heapObjects')?.isFlat) Object.assign(heap, { isFlat: true, isCode: true });
}

/**
 * A count: the most of the first third against the least of the last one, less what the twin's rose by. What comes and goes, as recordings of workers do
 * within their budget, is between the two.
 */
function counted(app, twin, key) {
  const rise = (rows) => {
    const third = Math.max(1, Math.floor(rows.length / 3));
    const values = rows.map(({ value }) => value);
    return { from: Math.max(...values.slice(0, third)), to: Math.min(...values.slice(-third)) };
  };
  const [own, other] = [rise(byCycle(app, key)), rise(byCycle(twin, key))];
  return { figure: key, ...own, twin: other, isFlat: own.to - own.from - Math.max(0, other.to - other.from) <= 0 };
}

/** The readings as a trace of what our own detector takes: each of them comes right after a collection. */
function trace(id, readings, heapLimit) {
  const KIB = 1024;
  const deltas = (values) => values.map((value, i) => (i === 0 ? value : value - values[i - 1]));
  const kib = (key) => deltas(readings.map((reading) => Math.round(reading[key] / KIB)));
  const times = readings.map(({ t }) => Math.round(t));
  return `${JSON.stringify({
    id, n: readings.length, limit: Math.round(heapLimit / KIB),
    cols: { t: deltas(times), heapUsed: kib('heapUsed'), heapTotal: kib('heapTotal'), external: kib('external'), arrayBuffers: kib('arrayBuffers'), rss: kib('rss') },
    gc: { t: deltas(times.map((t) => Math.floor(t / 100))), k: 'M'.repeat(readings.length), used: kib('heapUsed'), ext: kib('external') },
  })}\n`;
}

/** What our own detector says of what was seen from outside, of both. */
async function detected(run) {
  const text = ['app', 'twin'].map((name) => trace(name, run.readings[name], run.heapLimit)).join('');
  const { traces } = await replaySeries([Buffer.from(text)][Symbol.iterator]());
  return Object.fromEntries(traces.map(({ id, t, kind, alarms, verdict }) => [id, { isLeak: t !== null, kind, afterSeconds: t, alarms: alarms.length, status: verdict.status }]));
}

/**
 * The verdict on a recorded run: `{ sizes, counts, detector, problems }`. The first `warmup` (a share) of it is left out. `run.readings` has the rows of `app`
 * and `twin`, taken in the same moments.
 */
async function judge(run, { warmup = 0.5 } = {}) {
  const { app: all } = run.readings;
  const from = all[0].t + (all.at(-1).t - all[0].t) * warmup;
  const steady = (rows) => rows.filter(({ t }) => t >= from);
  const [app, twin] = [steady(run.readings.app), steady(run.readings.twin)];
  const cycles = new Set(app.map(({ cycle }) => cycle)).size;
  if (cycles < LEAST_CYCLES) throw new Error(`expected ${LEAST_CYCLES} cycles after the warm-up at least, found ${cycles}: soak for longer, or shorten --cycle`);
  const sizes = [...Object.keys(SIZES), ...Object.keys(NUMBERS)].filter((key) => key in app[0]).map((key) => sloped(app, twin, key));
  excuseCode(sizes);
  const counts = Object.keys(COUNTS).map((key) => counted(app, twin, key));
  const detector = await detected(run);
  const problems = [
    ...[...sizes, ...counts].filter(({ isFlat }) => !isFlat).map(({ figure }) => `${{ ...SIZES, ...NUMBERS, ...COUNTS }[figure]} (${figure}) grows more than the twin's`),
    ...(detector.app.isLeak && !detector.twin.isLeak ? [`our own detector, told from outside: a leak of ${detector.app.kind}`] : []),
    ...(run.inside?.leaks ?? []).map((leak) => `the monitor inside reported: ${leak}`),
  ];
  return { cycles, hours: (app.at(-1).t - app[0].t) / HOUR_MS, sizes, counts, detector, problems };
}

module.exports = { COUNTS, NUMBERS, SIZES, judge };
