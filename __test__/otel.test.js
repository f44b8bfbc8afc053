'use strict';

// The metrics through OpenTelemetry's own SDK, and the heap on a span.

const assert = require('node:assert');
const { test } = require('node:test');
const api = require('@opentelemetry/api');
const { AggregationTemporality, InMemoryMetricExporter, MeterProvider, PeriodicExportingMetricReader } = require('@opentelemetry/sdk-metrics');
const { BasicTracerProvider, InMemorySpanExporter, SimpleSpanProcessor } = require('@opentelemetry/sdk-trace-base');
const conventions = require('@opentelemetry/semantic-conventions/incubating');
const { MemoryMonitor } = require('..');
const { heapOnSpan, observeMetrics } = require('heapwarden/otel');
const { gc, sleep, until } = require('./support');

function pipeline(t) {
  const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
  const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 3_600_000 });
  const provider = new MeterProvider({ readers: [reader] });
  t.after(() => provider.shutdown());
  return {
    provider,
    /** Data points by the metric's name. */
    async collect() {
      exporter.reset();
      await reader.forceFlush();
      const [last] = exporter.getMetrics().slice(-1);
      return new Map((last?.scopeMetrics ?? []).flatMap(({ metrics }) => metrics.map((metric) => [metric.descriptor.name, metric])));
    },
  };
}

function started(t) {
  const monitor = new MemoryMonitor({ intervalMs: 60_000, evidence: 'none', logger: { warn() {} } }).start();
  t.after(() => monitor.stop());
  return monitor;
}

test('every metric is observed, the conventions\' under their names', async (t) => {
  const monitor = started(t);
  const { provider, collect } = pipeline(t);
  const observer = observeMetrics({ monitor, meter: provider.getMeter('test') });
  const sample = monitor.sample();
  gc();
  // Node tells of a collection in a later turn.
  const isMajor = ({ attributes }) => attributes['v8js.gc.type'] === 'major';
  const metrics = await until(async () => {
    const collected = await collect();
    return collected.get('v8js.gc.duration')?.dataPoints.some(isMajor) && collected;
  }, 'the collection to be recorded');
  const valueOf = (name, has = () => true) => metrics.get(name)?.dataPoints.find(({ attributes }) => has(attributes))?.value;
  assert.equal(valueOf('heapwarden.heap_limit'), sample.heapLimit);
  assert.equal(metrics.get('heapwarden.heap_limit').descriptor.unit, 'By');
  assert.deepEqual(metrics.get('heapwarden.heap_limit').dataPoints[0].attributes, { 'thread.id': 0 });
  assert.equal(metrics.get('heapwarden.growth').descriptor.unit, 'By/s');
  assert.equal(metrics.get('heapwarden.own_cpu').descriptor.unit, 's');
  assert.equal(valueOf('heapwarden.verdict', ({ status }) => status === 'warming-up'), 1);
  assert.equal(valueOf('heapwarden.time_to_limit'), undefined, 'infinity is no number');
  assert.ok(valueOf('heapwarden.gc_pause.count', ({ kind }) => kind === 'major') >= 1);
  // What the conventions have a name for.
  const {
    METRIC_PROCESS_MEMORY_USAGE, METRIC_V8JS_GC_DURATION, METRIC_V8JS_MEMORY_HEAP_SPACE_SIZE, METRIC_V8JS_MEMORY_HEAP_USED, METRIC_V8JS_RESOURCE_ACTIVE,
    ATTR_V8JS_GC_TYPE, ATTR_V8JS_HEAP_SPACE_NAME, ATTR_V8JS_RESOURCE_TYPE,
  } = conventions;
  assert.equal(valueOf(METRIC_PROCESS_MEMORY_USAGE), sample.rss);
  assert.ok(valueOf(METRIC_V8JS_MEMORY_HEAP_USED, (a) => a[ATTR_V8JS_HEAP_SPACE_NAME] === 'old_space') > 1e6);
  assert.ok(valueOf(METRIC_V8JS_MEMORY_HEAP_SPACE_SIZE, (a) => a[ATTR_V8JS_HEAP_SPACE_NAME] === 'old_space') > 1e6);
  assert.ok(metrics.get(METRIC_V8JS_RESOURCE_ACTIVE).dataPoints.every(({ attributes }) => typeof attributes[ATTR_V8JS_RESOURCE_TYPE] === 'string'));
  const durations = metrics.get(METRIC_V8JS_GC_DURATION).dataPoints.find(({ attributes }) => attributes[ATTR_V8JS_GC_TYPE] === 'major').value;
  assert.ok(durations.count >= 1 && durations.sum > 0);
  assert.deepEqual(durations.buckets.boundaries, [0.01, 0.1, 1, 10]);
  for (const name of metrics.keys()) {
    assert.ok(name.startsWith('heapwarden.') || Object.values(conventions).includes(name), `${name} is no convention's`);
  }
  observer.shutdown();
  monitor.sample();
  gc();
  await sleep(20);
  // The SDK repeats what was observed last.
  const after = await collect();
  const samples = (of) => of.get('heapwarden.samples').dataPoints[0].value;
  assert.equal(samples(after), samples(metrics), 'nothing is observed any more');
  const count = after.get(METRIC_V8JS_GC_DURATION)?.dataPoints.find(({ attributes }) => attributes[ATTR_V8JS_GC_TYPE] === 'major')?.value.count ?? durations.count;
  assert.equal(count, durations.count);
});

test('a monitor that stops is no error of the reader\'s', async (t) => {
  const monitor = started(t);
  const { provider, collect } = pipeline(t);
  const observer = observeMetrics({ meter: provider.getMeter('test'), gcDurations: false });
  monitor.sample();
  const samples = async () => (await collect()).get('heapwarden.samples').dataPoints[0].value;
  assert.equal(await samples(), 1);
  monitor.sample();
  monitor.stop();
  assert.equal(await samples(), 1, 'what was observed last');
  observer.shutdown();
  assert.throws(() => observeMetrics({ meter: provider.getMeter('test') }), { code: 'HEAPWARDEN_ERR_NO_MONITOR' });
  assert.throws(() => observeMetrics({ monitor, meter: {} }), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
});

test('the global provider is the default', (t) => {
  const monitor = started(t);
  const { provider } = pipeline(t);
  api.metrics.setGlobalMeterProvider(provider);
  t.after(() => api.metrics.disable());
  observeMetrics({ monitor }).shutdown();
});

test('a span gets the heap that its request leaves', () => {
  const exporter = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({ spanProcessors: [new SimpleSpanProcessor(exporter)] });
  const span = provider.getTracer('test').startSpan('GET /users/:id');
  heapOnSpan(span);
  span.end();
  const [{ attributes }] = exporter.getFinishedSpans();
  assert.ok(Math.abs(attributes['heapwarden.heap.used'] / process.memoryUsage().heapUsed - 1) < 0.5);
  heapOnSpan(span);
  heapOnSpan(undefined);
  heapOnSpan(api.trace.wrapSpanContext(api.INVALID_SPAN_CONTEXT));
});
