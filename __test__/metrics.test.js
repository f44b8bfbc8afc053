'use strict';

// The metrics in prom-client's registry, as text, and through OpenTelemetry's API.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const client = require('prom-client');
const { MemoryMonitor } = require('..');
const { FAMILIES } = require('../lib/metrics/families');
const { formatFor, renderText } = require('../lib/metrics/text');
const { CONTENT_TYPES, registerMetrics, renderMetrics } = require('heapwarden/prometheus');
const { ROOT, gc, until, evaluate } = require('./support');

const MUTE = { warn() {} };

function started(t, options) {
  const monitor = new MemoryMonitor({ intervalMs: 60_000, evidence: 'none', logger: MUTE, ...options }).start();
  t.after(() => monitor.stop());
  monitor.sample();
  gc();
  return monitor;
}

/** `{ name: [{ labels, value }] }` of a text, strictly read. */
function parsed(text) {
  const series = {};
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('#')) continue;
    const [, name, , labels = '', value] = /^([a-z_][a-z0-9_]*)(\{(.*)\})? (\S+)$/.exec(line) ?? assert.fail(line);
    const pairs = [...labels.matchAll(/([a-z_]+)="((?:[^"\\]|\\.)*)"/g)].map(([, key, text]) => [key, text]);
    (series[name] ??= []).push({ labels: Object.fromEntries(pairs), value: value === '+Inf' ? Infinity : Number(value) });
  }
  return series;
}

const only = (rows, labels = {}) => {
  const found = (rows ?? []).filter((row) => Object.entries(labels).every(([key, value]) => row.labels[key] === value));
  assert.equal(found.length, 1, JSON.stringify([labels, rows]));
  return found[0].value;
};

test('names, types, helps and units are as Prometheus has them', () => {
  const names = new Set();
  for (const { name, type, help, unit } of FAMILIES) {
    assert.match(name, /^heapwarden_[a-z_]+$/);
    assert.ok(!names.has(name), name);
    names.add(name);
    assert.equal(name.endsWith('_total'), type === 'counter', name);
    assert.match(help, /^[A-Z].*\.$/, name);
    assert.doesNotMatch(name, /(milli|kilo|mega|_mb|_ms|percent)/);
    if (unit) assert.ok(name.replace(/_total$/, '').endsWith(`_${unit}`), name);
  }
});

test('the text has every figure of the monitor, in base units', async (t) => {
  const monitor = started(t);
  // Without the bridge a collection is told in a later turn.
  const sample = await until(() => { const taken = monitor.sample(); return taken.postGcFloor !== null && taken; }, 'the floor');
  const { contentType, text } = renderMetrics({ monitor });
  assert.equal(contentType, CONTENT_TYPES.prometheus);
  const series = parsed(text);
  const here = { thread: '0' };
  assert.equal(only(series.heapwarden_heap_used_bytes, here), sample.heapUsed);
  assert.equal(only(series.heapwarden_heap_limit_bytes, here), sample.heapLimit);
  assert.equal(only(series.heapwarden_external_bytes, here), sample.external);
  assert.equal(only(series.heapwarden_array_buffers_bytes, here), sample.arrayBuffers);
  assert.equal(only(series.heapwarden_resident_memory_bytes), sample.rss);
  assert.equal(only(series.heapwarden_post_gc_floor_bytes, here), sample.postGcFloor);
  assert.equal(only(series.heapwarden_headroom_bytes, { limit: 'heap' }), sample.heapLimit - sample.heapUsed);
  assert.equal(only(series.heapwarden_samples_total, here), monitor.metrics().alerts.sample);
  assert.equal(only(series.heapwarden_time_to_limit_seconds, here), Infinity);
  assert.deepEqual(series.heapwarden_verdict.map(({ labels, value }) => [labels.status, value]),
    [['warming-up', 1], ['healthy', 0], ['suspect', 0], ['leak', 0]], 'a state set');
  const pause = (suffix) => only(series[`heapwarden_gc_pause_seconds_${suffix}`], { kind: 'major' });
  assert.ok(pause('count') >= 1 && pause('sum') > 0 && pause('sum') < 10 * pause('count'));
  assert.ok(only(series.heapwarden_allocated_bytes_total, here) > 0);
  assert.ok(only(series.heapwarden_own_memory_bytes, here) > 256 * 1024, 'the record alone is that large');
  assert.ok(only(series.heapwarden_own_cpu_seconds_total, { part: 'javascript' }) > 0);
  assert.ok(only(series.heapwarden_watched_targets, { kind: 'emitter' }) >= 1);
  assert.equal(only(series.heapwarden_alerts_total, { event: 'leak' }), 0);
});

test('limits, listeners and captures count', async (t) => {
  const monitor = started(t, { evidence: 'summary' });
  const { captureSummary } = require('..');
  const count = (labels) => parsed(renderMetrics({ monitor }).text).heapwarden_captures_total
    .filter((row) => Object.entries(labels).every(([key, value]) => row.labels[key] === value)).reduce((sum, row) => sum + row.value, 0);
  const before = { taken: count({ outcome: 'taken' }), aborted: count({ outcome: 'aborted' }), refused: count({ outcome: 'refused' }) };
  await captureSummary();
  await assert.rejects(captureSummary({ signal: AbortSignal.abort() }));
  assert.equal(count({ outcome: 'taken' }) - before.taken, 1);
  assert.equal(count({ outcome: 'aborted' }) - before.aborted, 1);
  assert.equal(count({ outcome: 'refused' }), before.refused);
  const listeners = () => only(parsed(renderMetrics({ monitor }).text).heapwarden_listeners, { kind: 'emitter' });
  const had = listeners();
  const listener = () => {};
  process.on('SIGUSR2', listener);
  t.after(() => process.off('SIGUSR2', listener));
  assert.equal(listeners() - had, 1);
});

test('OpenMetrics: families without _total, units, and an end', (t) => {
  const monitor = started(t);
  const { contentType, text } = renderMetrics({ monitor, accept: 'application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,text/plain;version=0.0.4;q=0.5,*/*;q=0.1' });
  assert.equal(contentType, CONTENT_TYPES.openmetrics);
  assert.match(text, /\n# EOF\n$/);
  assert.match(text, /^# TYPE heapwarden_samples counter$/m);
  assert.match(text, /^# UNIT heapwarden_heap_used_bytes bytes$/m);
  assert.match(text, /^# UNIT heapwarden_own_cpu_seconds seconds$/m);
  assert.match(text, /^heapwarden_samples_total\{thread="0"\} 1$/m);
  for (const [, name, type] of text.matchAll(/^# TYPE (\S+) (\S+)$/gm)) if (type === 'counter') assert.ok(!name.endsWith('_total'), name);
});

test('what a scraper asks for', () => {
  for (const [accept, format] of [
    [undefined, 'prometheus'], ['', 'prometheus'], ['*/*', 'prometheus'], ['text/plain', 'prometheus'],
    ['text/plain;q=0.3, application/openmetrics-text; version=1.0.0; q=0.9', 'openmetrics'],
    ['text/plain, application/openmetrics-text;q=0.5', 'prometheus'], ['application/openmetrics-text;version=9.9.9', 'prometheus'],
  ]) assert.equal(formatFor(accept), format, accept);
});

test('labels are escaped', () => {
  const family = { name: 'heapwarden_x', type: 'gauge', help: 'A \\ and\na line.', samples: [{ labels: { a: 'q"b\\n\nx' }, value: 1 }] };
  assert.equal(renderText([family], 'prometheus'), '# HELP heapwarden_x A \\\\ and\\na line.\n# TYPE heapwarden_x gauge\nheapwarden_x{a="q\\"b\\\\n\\nx"} 1\n');
});

for (const [format, type] of [['prometheus', client.Registry.PROMETHEUS_CONTENT_TYPE], ['openmetrics', client.Registry.OPENMETRICS_CONTENT_TYPE]]) {
  test(`prom-client's registry tells the same, beside its own metrics: ${format}`, async (t) => {
    const monitor = started(t);
    const registry = new client.Registry();
    registry.setContentType(type);
    registry.setDefaultLabels({ app: 'shop' });
    new client.Counter({ name: 'shop_orders_total', help: 'Orders.', registers: [registry] }).inc(3);
    const { unregister } = registerMetrics({ registry, monitor });
    const text = await registry.metrics();
    const theirs = parsed(text);
    assert.equal(theirs.shop_orders_total[0].value, 3);
    const ours = parsed(renderMetrics({ monitor, format }).text);
    for (const [name, rows] of Object.entries(ours)) {
      assert.equal(theirs[name]?.length, rows.length, name);
      assert.ok(theirs[name].every(({ labels }) => labels.app === 'shop'), name);
    }
    assert.equal(only(theirs.heapwarden_heap_used_bytes), only(ours.heapwarden_heap_used_bytes));
    if (format === 'openmetrics') assert.match(text, /^# TYPE heapwarden_samples counter$/m);
    const json = await registry.getMetricsAsJSON();
    assert.ok(json.some(({ name, aggregator }) => name === 'heapwarden_headroom_bytes' && aggregator === 'min'), 'for a cluster');
    registry.resetMetrics();
    assert.throws(() => registerMetrics({ registry, monitor }), /already been registered/);
    assert.equal(registry.getSingleMetric('heapwarden_verdict') !== undefined, true, 'a second one took nothing of the first');
    unregister();
    assert.deepEqual(Object.keys(parsed(await registry.metrics())), ['shop_orders_total']);
    registerMetrics({ registry, monitor }).unregister();
  });
}

test('without a monitor: the one that runs, or an error with a code', (t) => {
  assert.throws(() => renderMetrics(), { code: 'HEAPWARDEN_ERR_NO_MONITOR' });
  const monitor = started(t);
  assert.match(renderMetrics().text, /heapwarden_heap_used_bytes/);
  monitor.stop();
  assert.throws(() => renderMetrics(), { code: 'HEAPWARDEN_ERR_NO_MONITOR' });
  assert.throws(() => renderMetrics({ monitor, format: 'xml' }), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  assert.throws(() => registerMetrics({ monitor, registry: {} }), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  const before = new MemoryMonitor({ evidence: 'none', logger: MUTE });
  assert.match(renderMetrics({ monitor: before }).text, /^heapwarden_samples_total\{thread="0"\} 0$/m, 'one that never ran has no sample to tell');
});

test('a worker\'s figures come with its number, and go with it', async (t) => {
  const monitor = started(t);
  const threads = () => new Set(parsed(renderMetrics({ monitor }).text).heapwarden_heap_limit_bytes.map(({ labels }) => labels.thread));
  assert.deepEqual([...threads()], ['0']);
  const worker = new Worker(`
    const { MemoryMonitor } = require('heapwarden');
    new MemoryMonitor({ intervalMs: 20, evidence: 'none', logger: { warn() {} } }).start();
    setInterval(() => {}, 1000);
  `, { eval: true });
  t.after(() => worker.terminate());
  const number = String(worker.threadId);
  await until(() => threads().has(number), 'the worker to show its figures');
  const series = parsed(renderMetrics({ monitor }).text);
  assert.equal(series.heapwarden_resident_memory_bytes.length, 1, 'the process has one');
  await worker.terminate();
  assert.deepEqual([...threads()], ['0'], 'a worker that is gone has no figures');
});

test('no program is kept alive by metrics, and register needs no more than a line', async () => {
  const { code, stdout, stderr } = await evaluate(`
    require('heapwarden/register');
    const { renderMetrics } = require('heapwarden/prometheus');
    console.log(/heapwarden_verdict/.test(renderMetrics().text));
  `);
  assert.deepEqual([code, stdout, stderr], [0, 'true\n', '']);
});

test('rules, alerts and dashboard name metrics that there are', () => {
  const folder = path.join(ROOT, 'examples', 'prometheus');
  const rules = fs.readFileSync(path.join(folder, 'heapwarden.rules.yml'), 'utf8');
  const dashboard = fs.readFileSync(path.join(folder, 'dashboard.json'), 'utf8');
  const recorded = new Set([...rules.matchAll(/record: (\S+)/g)].map(([, name]) => name));
  const known = new Set(FAMILIES.flatMap(({ name, type }) => (type === 'summary' ? [`${name}_count`, `${name}_sum`] : [name])));
  const named = (text) => new Set([...text.matchAll(/(?:[a-z]+:)?heapwarden_[a-z_]+(?::[a-z0-9_]+)?/g)].map(([name]) => name));
  for (const [where, text] of [['rules', rules], ['dashboard', dashboard]]) {
    for (const name of named(text)) assert.ok(known.has(name) || recorded.has(name), `${where}: ${name}`);
  }
  const told = fs.readFileSync(path.join(ROOT, 'docs', 'metrics.md'), 'utf8');
  for (const { name, type, help } of FAMILIES) assert.ok(told.includes(`| \`${name}\` | ${type} |`) && told.includes(`| ${help} |`), `docs/metrics.md: ${name}`);
  const shown = named(dashboard);
  for (const name of known) assert.ok(shown.has(name), `${name} is on no panel`);
  const { panels } = JSON.parse(dashboard);
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
  for (const { gridPos: a, id } of panels) {
    const over = panels.find(({ id: other, gridPos: b }) => other !== id && a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h);
    assert.equal(over, undefined, `panel ${id} lies on panel ${over?.id}`);
  }
});
