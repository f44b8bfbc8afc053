'use strict';

// `heapwarden/otel`: our metrics through OpenTelemetry's API, under the names of its semantic conventions where there are any.

const { PerformanceObserver, constants } = require('node:perf_hooks');
const v8 = require('node:v8');
const { version } = require('../../package.json');
const { invalidArg } = require('../errors');
const { resourceCounts } = require('../listener-counts');
const { monitorOr } = require('../running');
const { FAMILIES, MOST_TYPES, measured } = require('./families');
const { readFigures } = require('./figures');

/** OpenTelemetry's names for units. */
const UNITS = { bytes: 'By', seconds: 's' };
/** What a convention has a name for and means the same, of the whole process. */
const CONVENTIONAL = new Set(['heapwarden_resident_memory_bytes']);

const GC_TYPES = {
  [constants.NODE_PERFORMANCE_GC_MAJOR]: 'major',
  [constants.NODE_PERFORMANCE_GC_MINOR]: 'minor',
  [constants.NODE_PERFORMANCE_GC_INCREMENTAL]: 'incremental',
  [constants.NODE_PERFORMANCE_GC_WEAKCB]: 'weakcb',
};

/** `heapwarden_own_cpu_seconds_total` is `heapwarden.own_cpu`, in seconds. */
function nameOf({ name, unit }) {
  const plain = name.replace(/^heapwarden_/, '').replace(/_total$/, '').replace(/_bytes_per_second$/, '');
  return `heapwarden.${unit ? plain.replace(new RegExp(`_${unit}$`), '') : plain}`;
}

function unitOf({ name, unit }) {
  if (name.endsWith('_bytes_per_second')) return 'By/s';
  return UNITS[unit] ?? '1';
}

/** Labels as attributes: `thread.id` is the conventions'. */
function attributesOf({ thread, ...labels }) {
  return thread === undefined ? labels : { 'thread.id': Number(thread), ...labels };
}

/**
 * Observes all metrics through `meter`, by default one of the global provider's. Gives `{ shutdown() }`, after which nothing is observed.
 *
 * `gcDurations`: whether each collection is recorded in `v8js.gc.duration`, for which Node calls us after it; default: true.
 */
function observeMetrics({ meter = defaultMeter(), monitor, gcDurations = true } = {}) {
  if (typeof meter?.createObservableGauge !== 'function') throw invalidArg('meter', "a meter of OpenTelemetry's", meter);
  if (typeof gcDurations !== 'boolean') throw invalidArg('gcDurations', 'true or false', gcDurations);
  monitorOr(monitor);
  const own = ownInstruments(meter);
  const conventional = conventionalInstruments(meter);
  const instruments = [...own.values(), ...Object.values(conventional)];
  const observe = (result) => {
    let figures;
    try {
      figures = readFigures(monitor);
    } catch {
      // The monitor was stopped, or none runs: there is nothing to observe.
      return;
    }
    observeOwn(result, own, figures);
    observeConventional(result, conventional, figures);
  };
  meter.addBatchObservableCallback(observe, instruments);
  const stopGc = gcDurations ? recordGc(meter) : undefined;
  return {
    shutdown() {
      meter.removeBatchObservableCallback(observe, instruments);
      stopGc?.();
    },
  };
}

function defaultMeter() {
  // An optional peer: asked for by whoever gives no meter.
  return api().metrics.getMeter('heapwarden', version);
}

function api() {
  return require('@opentelemetry/api');
}

function ownInstruments(meter) {
  const instruments = new Map();
  for (const family of FAMILIES) {
    if (CONVENTIONAL.has(family.name)) continue;
    const name = nameOf(family);
    const options = { description: family.help, unit: unitOf(family) };
    if (family.type === 'summary') {
      instruments.set(`${family.name}_count`, meter.createObservableCounter(`${name}.count`, { ...options, unit: '1' }));
      instruments.set(`${family.name}_sum`, meter.createObservableCounter(`${name}.time`, options));
    } else {
      const make = family.type === 'counter' ? 'createObservableCounter' : 'createObservableGauge';
      instruments.set(family.name, meter[make](name, options));
    }
  }
  return instruments;
}

function observeOwn(result, instruments, figures) {
  for (const { name, samples } of measured(figures)) {
    for (const { suffix = '', labels, value } of samples) {
      const instrument = instruments.get(name + suffix);
      // Infinity is no number of OTLP's JSON.
      if (instrument && Number.isFinite(value)) result.observe(instrument, value, attributesOf(labels));
    }
  }
}

function conventionalInstruments(meter) {
  const bytes = (name, description) => meter.createObservableUpDownCounter(name, { description, unit: 'By' });
  return {
    used: bytes('v8js.memory.heap.used', 'Heap memory in use, by space.'),
    size: bytes('v8js.memory.heap.space.size', 'Memory reserved for a space of the heap.'),
    available: bytes('v8js.memory.heap.space.available_size', 'What is left of a space of the heap.'),
    physical: bytes('v8js.memory.heap.space.physical_size', 'Committed memory of a space of the heap.'),
    resources: meter.createObservableGauge('v8js.resource.active', { description: 'What keeps the event loop alive, by type.', unit: '{resource}' }),
    rss: bytes('process.memory.usage', 'Physical memory that the process uses.'),
  };
}

function observeConventional(result, { used, size, available, physical, resources, rss }, { own: { sample } }) {
  for (const space of v8.getHeapSpaceStatistics()) {
    const attributes = { 'v8js.heap.space.name': space.space_name };
    result.observe(used, space.space_used_size, attributes);
    result.observe(size, space.space_size, attributes);
    result.observe(available, space.space_available_size, attributes);
    result.observe(physical, space.physical_space_size, attributes);
  }
  for (const [type, count] of [...resourceCounts()].slice(0, MOST_TYPES)) result.observe(resources, count, { 'v8js.resource.type': type });
  if (sample !== null) result.observe(rss, sample.rss, {});
}

/** Records how long each collection takes; gives what ends that. */
function recordGc(meter) {
  const durations = meter.createHistogram('v8js.gc.duration', {
    description: 'Garbage collection duration.', unit: 's', advice: { explicitBucketBoundaries: [0.01, 0.1, 1, 10] },
  });
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      const type = GC_TYPES[entry.detail?.kind];
      if (type) durations.record(entry.duration / 1000, { 'v8js.gc.type': type });
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}

/**
 * Sets `heapwarden.heap.used` on a span: the used heap, in bytes, as the span's request leaves it. To be called as the request ends:
 * `new HttpInstrumentation({ applyCustomAttributesOnSpan: heapOnSpan })`. Less than a microsecond.
 */
function heapOnSpan(span) {
  try {
    if (span?.isRecording?.()) span.setAttribute('heapwarden.heap.used', v8.getHeapStatistics().used_heap_size);
  } catch {
    // A request is not to fail by what is told of it.
  }
}

module.exports = { observeMetrics, heapOnSpan };
