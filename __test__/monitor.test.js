'use strict';

const assert = require('node:assert');
const { test } = require('node:test');
const v8 = require('node:v8');
const { MemoryMonitor, HeapwardenError } = require('..');
const { bridgeIsOff, gc, sleep, until, evaluate, ownThreads } = require('./support');

/** A started monitor that is stopped after the test. */
function started(t, options) {
  const monitor = new MemoryMonitor({ evidence: 'none', logger: { warn() {} }, ...options });
  t.after(() => monitor.stop());
  return monitor.start();
}

test('the hand-made monitor of the articles runs unchanged', async () => {
  const monitor = new MemoryMonitor({ intervalMs: 20, alertThresholdMB: 500 });
  monitor.start();
  await until(() => monitor.report().length >= 3, 'three samples');
  monitor.stop();
  const samples = monitor.report();
  for (const sample of samples) {
    assert.match(sample.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    for (const key of ['heapUsedMB', 'heapTotalMB', 'externalMB', 'rssMB']) assert.ok(Number.isInteger(sample[key]), key);
    assert.equal(sample.heapUsedMB, Math.round(sample.heapUsed / 1048576));
    assert.ok(sample.heapUsed > 1e6 && sample.heapTotal >= sample.heapUsed && sample.rss > sample.heapUsed / 2);
    assert.equal(sample.heapLimit, v8.getHeapStatistics().heap_size_limit);
  }
  assert.deepEqual(samples.map((s) => s.timestamp), samples.map((s) => s.timestamp).sort(), 'oldest first');
});

test('report() keeps the last maxSamples', (t) => {
  const monitor = started(t, { intervalMs: 60_000, maxSamples: 3 });
  const taken = Array.from({ length: 5 }, () => monitor.sample());
  assert.deepEqual(monitor.report(), taken.slice(2));
  const byDefault = new MemoryMonitor({ logger: { warn() {} }, evidence: 'none' });
  for (let i = 0; i < 25; i++) byDefault.sample();
  assert.equal(byDefault.report().length, 20);
});

test('sample() gives fresh figures at once and emits them', (t) => {
  const monitor = started(t, { intervalMs: 60_000 });
  const emitted = [];
  monitor.on('sample', (sample) => emitted.push(sample));
  const before = monitor.sample();
  const kept = [Buffer.alloc(32 << 20), new Array(4 << 20).fill(0)];
  const after = monitor.sample();
  assert.ok(after.arrayBuffers - before.arrayBuffers >= 32 << 20, 'the buffer');
  assert.ok(after.external - before.external >= 32 << 20, 'in external too');
  assert.ok(after.heapUsed - before.heapUsed >= 8 << 20, 'the array');
  assert.deepEqual(emitted, [before, after]);
  assert.equal(kept.length, 2);
});

test('the post-GC floor is what V8 has left right after a collection', async (t) => {
  const ballast = Array.from({ length: 300_000 }, (_, i) => ({ i, text: `entry ${i}` }));
  // The first collection after so much was made also moves it, and what that leaves is swept after the figures were taken.
  gc();
  await sleep(30);
  const monitor = started(t, { intervalMs: 60_000 });
  assert.equal(monitor.sample().postGcFloor, null, 'null until a major collection was seen');
  const ratios = [];
  for (let i = 0; i < 5; i++) {
    gc();
    const { used_heap_size: used } = v8.getHeapStatistics();
    await sleep(30); // Without the bridge a collection is told in a later turn.
    ratios.push(monitor.sample().postGcFloor / used);
  }
  for (const ratio of ratios) assert.ok(Math.abs(ratio - 1) < 0.01, `floor / used: ${ratios}`);
  assert.equal(ballast.length, 300_000);
});

test('collections are counted with their pauses, from sample to sample', async (t) => {
  const monitor = started(t, { intervalMs: 60_000 });
  monitor.sample();
  for (let i = 0; i < 4; i++) gc();
  await sleep(30);
  const { gc: counted } = monitor.sample();
  assert.equal(counted.major, 4);
  assert.ok(counted.pauseMs > 0);
  let garbage;
  for (let i = 0; i < 3e6; i++) garbage = { i };
  await sleep(30);
  const { gc: next } = monitor.sample();
  assert.ok(next.minor > 0 && garbage, 'scavenges');
});

test('a blocked event loop does not stop the record', (t) => {
  // Else what earlier tests left, collected meanwhile, outweighs the growth.
  gc();
  const monitor = started(t, { intervalMs: 20 });
  const kept = [];
  const end = Date.now() + 30_000;
  /** What was recorded meanwhile, by time: the newest twenty are told at a time. */
  const seen = new Map();
  const enough = () => {
    for (const { timestamp, heapUsed } of monitor.report()) seen.set(timestamp, heapUsed);
    return seen.size >= 10 && (bridgeIsOff || new Set(seen.values()).size >= 5);
  };
  // 16 KB a millisecond: nothing can interrupt a collection, and a heap of hundreds of megabytes is collected for as long as the
  // record that is looked at.
  // As long as it takes, in a blocked loop all the same: on a loaded machine the clock's thread is late, and a figure may be an older one's.
  for (let now = Date.now(), last = now; now < end && (now === last || now % 50 > 0 || !enough()); now = Date.now()) {
    if (now !== last) kept.push(new Array(2000).fill(now));
    last = now;
  }
  enough();
  assert.ok(seen.size >= 10, `${seen.size} samples while the loop was blocked`);
  // Not by how much it grew: a sample may fall into a collection, whose garbage outweighs that.
  const figures = new Set(seen.values()).size;
  if (!bridgeIsOff) assert.ok(figures >= 5, `the figures are fresh although no event could be delivered: ${figures} of ${seen.size}`);
});

test('a threshold is told once, and its end', async (t) => {
  gc();
  const heapMB = v8.getHeapStatistics().used_heap_size / 1048576;
  const monitor = started(t, { intervalMs: 60_000, alertThresholdMB: heapMB + 40 });
  const told = [];
  monitor.on('threshold', (crossing) => told.push(crossing));
  monitor.on('recovered', (end) => told.push(end));
  monitor.sample();
  const ballast = { items: Array.from({ length: 1e6 }, (_, i) => ({ i, i2: i, i3: i, i4: i })) };
  monitor.sample();
  monitor.sample();
  assert.equal(told.length, 1);
  assert.equal(told[0].metric, 'heapUsed');
  assert.ok(told[0].valueBytes >= told[0].thresholdBytes && ballast.items.length === 1e6);
  ballast.items = null;
  gc();
  monitor.sample();
  assert.deepEqual(told[1], { from: 'threshold' });
});

test('with no listener the logger is told, by default with a process warning', async (t) => {
  const told = [];
  const logger = { warn: (details, message) => told.push([details, message]) };
  started(t, { intervalMs: 60_000, alertThresholdMB: 1, logger }).sample();
  assert.equal(told.length, 1);
  assert.equal(told[0][0].code, 'HEAPWARDEN_THRESHOLD');
  assert.match(told[0][1], /Memory threshold crossed: heapUsed is [\d.]+ MB, the threshold 1\.0 MB/);

  const { stderr, code } = await evaluate(`
    const { MemoryMonitor } = require('heapwarden');
    const monitor = new MemoryMonitor({ alertThresholdMB: 1 });
    monitor.start();
    monitor.sample();
  `);
  assert.equal(code, 0);
  assert.match(stderr, /\[HEAPWARDEN_THRESHOLD\] HeapwardenWarning: Memory threshold crossed/);
});

test('a logger that throws does not reach the host', async () => {
  const { stdout, stderr, code } = await evaluate(`
    const { MemoryMonitor } = require('heapwarden');
    const monitor = new MemoryMonitor({ alertThresholdMB: 1, logger: { warn() { throw new Error('full'); } } });
    monitor.start();
    monitor.sample();
    console.log('alive');
  `);
  assert.deepEqual([code, stdout], [0, 'alive\n']);
  assert.match(stderr, /the logger given to MemoryMonitor failed: full/);
});

test('a process with only a started monitor exits by itself', async () => {
  const { code, signal, stdout } = await evaluate(`
    const { MemoryMonitor } = require('heapwarden');
    new MemoryMonitor({ intervalMs: 10 }).start();
    new MemoryMonitor().start();
    setTimeout(() => console.log('last'), 100);
  `, { deadlineMs: 30_000 });
  assert.deepEqual([code, signal, stdout], [0, null, 'last\n']);
});

test('stop() leaves no handle, thread, hook or listener behind', async () => {
  const listeners = () => process.eventNames().map((name) => [name, process.listenerCount(name)]);
  const state = () => ({ handles: process.getActiveResourcesInfo().sort(), threads: ownThreads(), listeners: listeners() });
  await sleep(50);
  const before = state();
  const monitor = new MemoryMonitor({ intervalMs: 10, evidence: 'none', logger: { warn() {} } });
  for (let i = 0; i < 20; i++) {
    monitor.start();
    monitor.start();
    if (process.platform === 'linux') {
      // A thread names itself, and leaves the list some time after it was joined.
      await until(() => ownThreads().includes('heapwarden'), 'a thread');
      const most = ownThreads().filter((name) => !name.startsWith('heapwarden-work')).sort();
      // One for the container, where there is one, however many monitors there are.
      assert.ok(['heapwarden', 'heapwarden,heapwarden-cgrp'].includes(most.join()), `once, although it was started twice: ${most}`);
    }
    await sleep(15);
    monitor.stop();
    monitor.stop();
  }
  const seen = monitor.report().length;
  gc();
  await until(() => ownThreads().length === 0, 'no thread');
  await sleep(50);
  assert.deepEqual(state(), before);
  const { gc: since } = monitor.sample();
  assert.equal(since.major, 0, 'a collection after stop() is not counted: the hooks are gone');
  assert.ok(seen > 0);
});

test('using and disposing stops it', async () => {
  const monitor = new MemoryMonitor().start();
  monitor[Symbol.dispose ?? Symbol.for('nodejs.dispose')]();
  await until(() => ownThreads().length === 0, 'no thread');
});

test('bad options are named, with what was expected and found', () => {
  const cases = [
    [{ intervalMs: 0 }, /^intervalMs: expected a number from 10 to 86400000 \(milliseconds\), found 0$/],
    [{ intervalMs: '30s' }, /^intervalMs: expected a number, found "30s"$/],
    [{ intervalMs: NaN }, /^intervalMs: .* found NaN$/],
    [{ alertThresholdMB: -5 }, /^alertThresholdMB: /],
    [{ maxSamples: 1.5 }, /^maxSamples: expected a whole number, found 1\.5$/],
    [{ evidence: 'some' }, /^evidence: expected "auto" or "summary" or "snapshot" or "none", found "some"$/],
    [{ directory: 5 }, /^directory: expected a path, found 5$/],
    [{ logger: {} }, /^logger: expected an object with a function warn/],
    [null, /^options: expected an object, found null$/],
    [[], /^options: expected an object, found an array$/],
  ];
  for (const [options, message] of cases) {
    assert.throws(() => new MemoryMonitor(options), (error) => {
      assert.ok(error instanceof HeapwardenError && error instanceof Error);
      assert.equal(error.code, 'HEAPWARDEN_ERR_INVALID_ARG');
      assert.match(error.message, message);
      return true;
    });
  }
});

test('the verdict of a young process is that it is young', (t) => {
  const monitor = started(t, { intervalMs: 60_000 });
  monitor.sample();
  const { status, kind, growthBytesPerSecond, since, etaMs } = monitor.verdict();
  assert.deepEqual([status, kind, growthBytesPerSecond, since, etaMs], ['warming-up', 'none', 0, null, null]);
});
