'use strict';

const assert = require('node:assert');
const diagnostics = require('node:diagnostics_channel');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { MemoryMonitor } = require('..');
const { replaySeries } = require('../lib/replay');
const { requests } = require('../lib/requests');
const { evaluate, folder, gc, sleep } = require('./support');

const QUIET = { intervalMs: 60_000, evidence: 'none', logger: { warn() {} } };

/** A started monitor whose samples are taken by hand; stopped after the test. */
function started(t, options) {
  const monitor = new MemoryMonitor({ ...QUIET, ...options });
  t.after(() => monitor.stop());
  return monitor.start();
}

const lines = (text) => text.trimEnd().split('\n').map((line) => JSON.parse(line));

/** The answer for a series given as text. */
async function replayed(text, settings) {
  const { traces } = await replaySeries((async function* pieces() {
    for (let at = 0; at < text.length; at += 1000) yield text.slice(at, at + 1000);
  })(), settings);
  return traces;
}

/** Takes samples of a heap that grows; gives the changes of the verdict's status. */
async function grow(monitor, samples, kept = []) {
  const changes = [];
  let { status } = monitor.verdict();
  for (let i = 0; i < samples; i++) {
    kept.push(Array.from({ length: 30_000 }, (_, n) => ({ n })));
    if (i % 3) gc();
    else kept.push(Buffer.alloc(200_000));
    // Without the bridge a collection is told in a later turn.
    await sleep(4);
    monitor.sample();
    const verdict = monitor.verdict();
    if (verdict.status !== status) changes.push(verdict);
    status = verdict.status;
  }
  return changes;
}

test('a replay of what a process exported comes to the verdicts that it had', async (t) => {
  const monitor = started(t);
  const changes = await grow(monitor, 60);
  const [trace, ...others] = await replayed(monitor.exportSeries(), { explain: true });
  assert.deepEqual(others, []);
  assert.equal(trace.samples, 60);
  assert.equal(trace.id, `${process.pid}-0`);
  assert.deepEqual(trace.verdict, monitor.verdict());
  assert.deepEqual(trace.changes.map((change) => change.verdict), changes);
  assert.ok(trace.collections >= 20, `${trace.collections} collections`);
});

test('a monitor that was stopped and started judges anew, and so does the replay', async (t) => {
  const monitor = started(t);
  const before = await grow(monitor, 25);
  monitor.stop();
  monitor.start();
  const after = await grow(monitor, 25);
  const text = monitor.exportSeries();
  assert.equal(lines(text).filter((line) => line.event === 'restart').length, 1);
  const [trace] = await replayed(text, { explain: true });
  assert.equal(trace.samples, 50);
  assert.deepEqual(trace.changes.map((change) => change.verdict), [...before, ...after]);
  assert.deepEqual(trace.verdict, monitor.verdict());
});

test('a worker has a series of its own', async () => {
  const worker = new Worker(`
    const { MemoryMonitor } = require('heapwarden');
    const { parentPort, threadId } = require('node:worker_threads');
    const monitor = new MemoryMonitor({ intervalMs: 60_000, evidence: 'none' }).start();
    const kept = [];
    for (let i = 0; i < 30; i++) {
      kept.push(Array.from({ length: 50_000 }, (_, n) => ({ n })));
      monitor.sample();
    }
    parentPort.postMessage({ text: monitor.exportSeries(), verdict: monitor.verdict(), threadId });
    monitor.stop();
  `, { eval: true });
  const { text, verdict, threadId } = await new Promise((resolve, reject) => {
    worker.once('message', resolve);
    worker.once('error', reject);
  });
  const [header] = lines(text);
  assert.deepEqual([header.format, header.version, header.threadId, header.node],
    ['heapwarden-series', 1, threadId, process.version]);
  const [trace] = await replayed(text);
  assert.deepEqual([trace.verdict, trace.samples, trace.id], [verdict, 30, `${process.pid}-${threadId}`]);
  await worker.terminate();
});

test('a series holds what the samples said', async (t) => {
  const monitor = started(t);
  const taken = [monitor.sample()];
  gc();
  await sleep(30);
  taken.push(monitor.sample());
  const [header, ...records] = lines(monitor.exportSeries());
  assert.deepEqual([header.intervalMs, header.pid, header.threadId, header.dropped], [60_000, process.pid, 0, 0]);
  const samples = records.filter((record) => record.sample);
  assert.equal(samples.length, 2);
  samples.forEach(({ t: ms, sample }, i) => {
    const { timestamp, heapUsed, heapTotal, external, arrayBuffers, heapLimit, rss, gc: counted, cpuMs } = taken[i];
    assert.equal(new Date(ms).toISOString(), timestamp);
    assert.deepEqual([sample.heapUsed, sample.heapTotal, sample.external, sample.arrayBuffers, sample.heapLimit, sample.rss],
      [heapUsed, heapTotal, external, arrayBuffers, heapLimit, rss]);
    assert.deepEqual([sample.since.minor, sample.since.major, sample.since.pauseMs, sample.since.cpuMs],
      [counted.minor, counted.major, counted.pauseMs, cpuMs]);
  });
  const majors = records.filter((record) => record.gc === 'major');
  assert.equal(majors.at(-1).used, taken[1].postGcFloor);
  assert.equal(majors.length, taken[1].gc.major + taken[0].gc.major);
});

test('of the minor collections the last is told, if no major one came after it', async (t) => {
  const monitor = started(t);
  monitor.sample();
  let garbage;
  for (let round = 0; round < 4; round++) {
    for (let i = 0; i < 3e6; i++) garbage = { i };
    await sleep(30);
    monitor.sample();
  }
  gc();
  await sleep(30);
  monitor.sample();
  assert.ok(garbage);
  const between = [[]];
  for (const record of lines(monitor.exportSeries()).slice(1)) {
    if (record.sample) between.push([]);
    else between.at(-1).push(record.gc);
  }
  for (const kinds of between) {
    const minors = kinds.filter((kind) => kind === 'minor');
    assert.ok(minors.length <= 1 && (minors.length === 0 || kinds.at(-1) === 'minor'), String(kinds));
  }
  assert.ok(between.filter((kinds) => kinds.includes('minor')).length >= 3, JSON.stringify(between));
  assert.ok(between.at(-2).includes('major'), 'the forced one');
});

test('historyBytes bounds the record, and 0 keeps none', async () => {
  const small = new MemoryMonitor({ ...QUIET, historyBytes: 16_384 });
  const none = new MemoryMonitor({ ...QUIET, historyBytes: 0 });
  for (let i = 0; i < 3000; i++) {
    small.sample();
    none.sample();
  }
  const [header, ...records] = lines(small.exportSeries());
  assert.ok(header.dropped > 0 && records.length + header.dropped >= 3000, `${header.dropped} and ${records.length}`);
  assert.ok(records.length >= 60, `${records.length} of them in 16 KiB`);
  assert.ok(records.length < 16_384 / 4, `${records.length}`);
  const [trace] = await replayed(small.exportSeries());
  assert.equal(trace.samples, records.filter((record) => record.sample).length);
  assert.equal(lines(none.exportSeries()).length, 1, 'the header alone');
});

test('a file appears whole, and what cannot be written is told', async (t) => {
  const dir = folder(t);
  const monitor = new MemoryMonitor(QUIET);
  monitor.sample();
  const file = path.join(dir, 'a', 'series.jsonl');
  const told = await monitor.exportSeries({ path: file });
  const text = fs.readFileSync(file, 'utf8');
  assert.equal(text, monitor.exportSeries());
  assert.deepEqual(told, { path: file, bytes: Buffer.byteLength(text) });
  assert.deepEqual(fs.readdirSync(path.dirname(file)), ['series.jsonl']);
  if (process.platform !== 'win32') assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  await assert.rejects(monitor.exportSeries({ path: path.join(file, 'below') }), { code: 'HEAPWARDEN_ERR_IO' });
  assert.throws(() => monitor.exportSeries({ path: 5 }), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  assert.throws(() => monitor.exportSeries('file'), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  assert.throws(() => new MemoryMonitor({ historyBytes: 1000 }), /^HeapwardenError: historyBytes: expected a number from 16384/);
});

test('what is allocated on the heap is counted, garbage and all', async () => {
  // A process of its own: what other tests leave is allocated, too.
  const { stdout, stderr } = await evaluate(`
    const { MemoryMonitor } = require('heapwarden');
    const monitor = new MemoryMonitor({ intervalMs: 60_000, evidence: 'none' }).start();
    const kept = new Array(1000);
    const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
    (async () => {
      let sum = 0;
      const take = () => { const sample = monitor.sample(); sum += sample.allocatedBytes; return sample; };
      take();
      sum = 0;
      let cpuMs = 0;
      for (let round = 0; round < 10; round++) {
        for (let i = 0; i < 400_000; i++) kept[i % 1000] = { i, a: 1, b: 2 };
        await sleep(30);
        cpuMs += take().cpuMs;
      }
      monitor.stop();
      console.log(JSON.stringify({ perObject: sum / 4e6, cpuMs, used: process.cpuUsage() }));
    })();
  `);
  assert.equal(stderr, '');
  const { perObject, cpuMs, used } = JSON.parse(stdout);
  // An object of three properties takes 48 bytes, or half as much where pointers are compressed.
  assert.ok(perObject > 23 && perObject < 75, `${perObject} bytes an object`);
  assert.ok(cpuMs > 0 && cpuMs <= (used.user + used.system) / 1000, `${cpuMs} ms of ${JSON.stringify(used)}`);
});

test('requests are counted while a monitor runs', async (t) => {
  const server = http.createServer((request, response) => response.end('ok')).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => { server.once('listening', resolve); });
  const ask = () => new Promise((resolve, reject) => {
    http.get({ port: server.address().port, host: '127.0.0.1', agent: false }, (response) => {
      response.resume().once('end', resolve);
    }).once('error', reject);
  });
  const monitor = started(t);
  const second = started(t);
  monitor.sample();
  for (let i = 0; i < 5; i++) await ask();
  assert.equal(monitor.sample().requests, 5);
  monitor.stop();
  await ask();
  second.stop();
  await ask();
  const before = requests.count;
  monitor.start();
  assert.equal(monitor.sample().requests, 0, 'while it was stopped nobody counted');
  await ask();
  assert.equal(requests.count - before, 1);
  assert.equal(monitor.sample().requests, 1);
});

test('a thousand starts and stops leave no subscriber', () => {
  const names = ['http.server.request.start', 'http2.server.stream.start'];
  const subscribed = () => names.map((name) => diagnostics.channel(name).hasSubscribers);
  const before = subscribed();
  const monitors = [new MemoryMonitor(QUIET), new MemoryMonitor(QUIET)];
  for (let i = 0; i < 500; i++) {
    monitors.forEach((monitor) => monitor.start());
    assert.deepEqual(subscribed(), [true, true]);
    monitors.forEach((monitor) => monitor.stop());
  }
  assert.deepEqual(subscribed(), before);
  assert.deepEqual(before, [false, false]);
});

test('the C allocator is asked where it is glibc', { skip: process.platform !== 'linux' }, async (t) => {
  const glibc = process.report.getReport().header.glibcVersionRuntime;
  const [major, minor] = (glibc ?? '0.0').split('.').map(Number);
  const monitor = started(t, { intervalMs: 10 });
  const last = () => lines(monitor.exportSeries()).filter((line) => line.sample).at(-1)?.sample;
  for (let i = 0; i < 2000 && !(last()?.nativeInUse > 0) && i * 5 < 10_000; i++) {
    await sleep(5);
    if (!(major > 2 || (major === 2 && minor >= 33)) && i > 20) break;
  }
  if (major > 2 || (major === 2 && minor >= 33)) assert.ok(last().nativeInUse > 100_000, JSON.stringify(last()));
  else assert.equal(last().nativeInUse, undefined);
});
