'use strict';

const assert = require('node:assert');
const path = require('node:path');
const { test } = require('node:test');
const v8 = require('node:v8');
const { Worker } = require('node:worker_threads');
const { MemoryMonitor } = require('..');
const { faults, many } = require('./modes/workers');
const { gc, until, ownThreads } = require('./support');

const FIXTURE = path.join(__dirname, 'fixtures', 'worker.js');

const next = (worker, event) => new Promise((resolve, reject) => {
  worker.once(event, resolve);
  if (event !== 'error') worker.once('error', reject);
});

test('a worker is monitored like the main thread: its own heap, its own limit', async () => {
  const worker = new Worker(FIXTURE, { workerData: { ballast: 100_000 }, resourceLimits: { maxOldGenerationSizeMb: 64 } });
  const { sample, floor, used, limit } = await next(worker, 'message');
  await worker.terminate();
  assert.equal(sample.heapLimit, limit);
  assert.ok(limit < v8.getHeapStatistics().heap_size_limit, `its own limit, not the main thread's: ${limit}`);
  assert.ok(Math.abs(floor / used - 1) < 0.01, `its own floor: ${floor} of ${used}`);
});

test('a worker may be terminated a hundred times while it samples', async () => {
  const monitor = new MemoryMonitor({ intervalMs: 10, evidence: 'none', logger: { warn() {} } }).start();
  for (let i = 0; i < 100; i++) {
    const worker = new Worker(FIXTURE, { workerData: { ballast: 0 } });
    await next(worker, 'message');
    // At some point of the sampling: right away, or a few ticks later.
    if (i % 4) await new Promise((resolve) => { setTimeout(resolve, i % 4); });
    await worker.terminate();
  }
  monitor.stop();
  gc();
  await until(() => ownThreads().length === 0, 'no thread of a worker that is gone');
  assert.ok(monitor.report().length > 0, 'and the main thread was watched all the while');
});

test('a worker with a started monitor ends by itself', async () => {
  const worker = new Worker(`
    const { MemoryMonitor } = require('heapwarden');
    new MemoryMonitor({ intervalMs: 10, evidence: 'none' }).start();
  `, { eval: true });
  assert.equal(await next(worker, 'exit'), 0);
});

// Again and again: node __test__/modes/workers.js --runs 20
for (const [beside, workers] of [['register', 8], ['monitors', 24]]) {
  test(`workers come and go, are terminated at random and die of their heaps, with ${beside}: the process goes on, with nothing of them left`, {
    skip: process.platform !== 'linux' && 'threads and files are counted in /proc',
  }, async () => {
    assert.deepEqual(faults(await many(process.execPath, { workers, beside })), []);
  });
}
