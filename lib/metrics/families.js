'use strict';

// The metrics by name: what each is, in base units (bytes, seconds), and how it follows from the figures. No label has values without end:
// threads, kinds, statuses, types of resources (Node's own, and `other` past MOST_TYPES), routes (64 and `other`), channels as configured.

const { version } = require('../../package.json');

const STATUSES = ['warming-up', 'healthy', 'suspect', 'leak'];
const KINDS = ['heap', 'external', 'native', 'fragmentation'];
const MOST_TYPES = 32;

const seconds = (ms) => ms / 1000;

/** One value for each thread, without one where there is none. */
const each = (value) => ({ all }) => all.flatMap((figures) => {
  const found = value(figures);
  return found === null || found === undefined || Number.isNaN(found) ? [] : [{ labels: thread(figures), value: found }];
});

/** Some values for each thread: `[labels, value]`. */
const some = (values) => ({ all }) => all.flatMap((figures) => values(figures)
  .filter(([, value]) => value !== null && value !== undefined && !Number.isNaN(value))
  .map(([labels, value]) => ({ labels: { ...thread(figures), ...labels }, value })));

/** One value for the process, as this thread's monitor knows it. */
const single = (value) => ({ own }) => {
  const found = value(own);
  return found === null || found === undefined ? [] : [{ labels: {}, value: found }];
};

const thread = ({ threadId }) => ({ thread: String(threadId) });
const sampled = (value) => ({ sample }) => (sample === null ? null : value(sample));

/** What is left until a limit, by whose it is. */
function headroom({ sample }) {
  if (sample === null) return [];
  const left = [];
  if (sample.heapLimit > 0) left.push([{ limit: 'heap' }, Math.max(0, sample.heapLimit - sample.heapUsed)]);
  if (sample.containerLimit !== null) left.push([{ limit: 'container' }, Math.max(0, sample.containerLimit - (sample.containerUsed ?? sample.rss))]);
  return left;
}

/** Resources by type, the most first and what is beyond the limit together. */
function resources({ resources: byType }) {
  const types = Object.entries(byType).sort(([, a], [, b]) => b - a);
  const rows = types.slice(0, MOST_TYPES).map(([type, count]) => [{ type }, count]);
  const rest = types.slice(MOST_TYPES).reduce((sum, [, count]) => sum + count, 0);
  return rest > 0 ? [...rows, [{ type: 'other' }, rest]] : rows;
}

function captured({ captures: { counts } }) {
  return Object.entries(counts).flatMap(([mode, outcomes]) => Object.entries(outcomes)
    .filter(([outcome, count]) => count > 0 || (mode === 'none') === (outcome !== 'taken'))
    .map(([outcome, count]) => [{ mode, outcome }, count]));
}

/** The pauses of a summary: its count and its sum, by kind. */
const pauses = ({ all }) => all.flatMap((figures) => Object.entries(figures.gc).flatMap(([kind, { count, pauseMs }]) => [
  { suffix: '_count', labels: { ...thread(figures), kind }, value: count },
  { suffix: '_sum', labels: { ...thread(figures), kind }, value: seconds(pauseMs) },
]));

const gauge = (name, help, values, more) => ({ name: `heapwarden_${name}`, type: 'gauge', help, values, ...more });
const counter = (name, help, values, more) => ({ name: `heapwarden_${name}_total`, type: 'counter', help, values, ...more });

/**
 * All metrics. `unit` is part of the name, as Prometheus has it; `merge`: how the figures of several processes make one (prom-client's
 * cluster), `sum` if nothing is said.
 */
const FAMILIES = [
  gauge('info', 'The version of Heapwarden and of Node.', single(() => 1), { merge: 'first', labels: () => ({ version, node: process.version }) }),
  counter('samples', 'Samples that were taken.', each(({ alerts }) => alerts.sample)),

  gauge('heap_used_bytes', 'Used V8 heap, garbage that was not collected yet included.', each(sampled((s) => s.heapUsed)), { unit: 'bytes' }),
  gauge('heap_total_bytes', 'Memory reserved for the V8 heap.', each(sampled((s) => s.heapTotal)), { unit: 'bytes' }),
  gauge('heap_limit_bytes', 'Heap at which V8 gives up.', each(sampled((s) => s.heapLimit)), { unit: 'bytes' }),
  gauge('external_bytes', 'Memory outside the heap that JavaScript objects hold, array buffers included.', each(sampled((s) => s.external)), { unit: 'bytes' }),
  gauge('array_buffers_bytes', 'The part of it that backs array buffers and Buffers.', each(sampled((s) => s.arrayBuffers)), { unit: 'bytes' }),
  gauge('post_gc_floor_bytes', 'Used heap right after the last major collection: what is alive.', each(sampled((s) => s.postGcFloor)), { unit: 'bytes' }),
  gauge('resident_memory_bytes', 'Resident set size of the process.', single(sampled((s) => s.rss)), { unit: 'bytes' }),
  gauge('container_limit_bytes', "The control group's memory limit.", single(sampled((s) => s.containerLimit)), { unit: 'bytes' }),
  gauge('container_used_bytes', 'What the control group uses, page cache included.', single(sampled((s) => s.containerUsed)), { unit: 'bytes' }),
  gauge('headroom_bytes', "What is left until V8's limit (heap) or the control group's (container).", some(headroom), { unit: 'bytes', merge: 'min' }),

  gauge('verdict', 'The verdict: 1 for the status that it has, 0 for the others.', some(({ verdict }) => STATUSES.map((status) => [{ status }, Number(verdict.status === status)])), { merge: 'max' }),
  gauge('growth_bytes_per_second', 'How fast memory of a kind grows; 0 unless suspect or leak.', some(({ verdict }) => KINDS.map((kind) => [{ kind }, verdict.kind === kind ? verdict.growthBytesPerSecond : 0])), { merge: 'max' }),
  gauge('time_to_limit_seconds', 'Until the nearest limit at this rate; +Inf where nothing grows.', each(({ verdict }) => (verdict.etaMs === null ? Infinity : seconds(verdict.etaMs))), { unit: 'seconds', merge: 'min' }),
  counter('alerts', 'What was told, by event.', some(({ alerts: { sample: _, ...alerts } }) => Object.entries(alerts).map(([event, count]) => [{ event }, count]))),

  { name: 'heapwarden_gc_pause_seconds', type: 'summary', unit: 'seconds', help: 'Garbage collections and how long they stopped the thread: minor, major, step (incremental marking, weak callbacks).', values: pauses },
  counter('allocated_bytes', 'Allocated on the V8 heap.', each(({ allocatedBytes }) => allocatedBytes), { unit: 'bytes' }),
  counter('requests', "Requests to this thread's HTTP servers.", each(({ requests }) => requests)),
  counter('route_requests', 'Completed requests by route: the first 64 routes, and other.', some(({ routes }) => routes.map(({ route, requests }) => [{ route }, requests]))),

  gauge('watched_targets', 'Emitters and event targets whose listeners are counted.', some(({ listeners }) => Object.entries(listeners).map(([kind, { targets }]) => [{ kind }, targets]))),
  gauge('listeners', 'Listeners on them.', some(({ listeners }) => Object.entries(listeners).map(([kind, { listeners: count }]) => [{ kind }, count]))),
  gauge('active_resources', 'What keeps the event loop alive, by type.', some(resources)),

  counter('captures', 'Looks at the heap: by where (clone, inline; none where there was none) and what became of them.', some(captured)),
  counter('capture_pause_seconds', 'How long looks at the heap stopped the thread.', each(({ captures: { pauseMs } }) => seconds(pauseMs)), { unit: 'seconds' }),
  counter('channel_alerts', 'Alerts by channel and by what became of them.', some(({ channels }) => channels.flatMap(({ channel, waiting: _, ...outcomes }) => Object.entries(outcomes).map(([outcome, count]) => [{ channel, outcome }, count])))),
  gauge('channel_waiting', 'Alerts that wait to be sent.', some(({ channels }) => channels.map(({ channel, waiting }) => [{ channel }, waiting]))),

  counter('own_cpu_seconds', 'Processor time that Heapwarden takes: of its own thread (sampling), of yours (javascript), and of clones.', some(({ own }) => [
    [{ part: 'sampling' }, seconds(own.samplingCpuMs)], [{ part: 'javascript' }, seconds(own.javascriptMs)], [{ part: 'clones' }, seconds(own.cloneCpuMs)],
  ]), { unit: 'seconds' }),
  gauge('own_memory_bytes', 'Memory of the monitor: its record and its buffers.', each(({ own }) => own.bytes), { unit: 'bytes' }),
];

/** The metrics with their values: `[{ name, type, help, unit, merge, samples: [{ suffix, labels, value }] }]`; those without any are left out. */
function measured(figures) {
  return FAMILIES.flatMap(({ values, labels, ...family }) => {
    const samples = values(figures).map((sample) => (labels ? { ...sample, labels: { ...sample.labels, ...labels() } } : sample));
    return samples.length > 0 ? [{ ...family, samples }] : [];
  });
}

module.exports = { FAMILIES, measured, MOST_TYPES };
