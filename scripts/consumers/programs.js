'use strict';

// The programs that each installation has to run.

/** Prints `works` once a monitor has sampled and a snapshot was looked into. */
const WORKS = `
const monitor = new MemoryMonitor({ intervalMs: 60_000, evidence: 'none' }).start();
if (!(monitor.sample().heapUsed > 0)) throw new Error('no sample');
monitor.stop();
captureSummary().then(({ summary }) => console.log(summary.nodeCount > 1000 ? 'works' : 'no summary'));
`;

const CJS = `'use strict';
const { MemoryMonitor, captureSummary } = require('heapwarden');
require('heapwarden/prometheus');
${WORKS}`;

const ESM = `import { MemoryMonitor, captureSummary } from 'heapwarden';
import 'heapwarden/prometheus';
${WORKS}`;

/** What Jest's module registry does to a module with a native half: many copies of the JavaScript, one binary. */
const JEST_RESET = `
const fs = require('node:fs');

/** Threads of ours, by the names that they have. */
const threads = () => fs.readdirSync('/proc/self/task').filter((id) => /^heapwarden/.test(fs.readFileSync('/proc/self/task/' + id + '/comm', 'utf8'))).length;
const listeners = () => process.eventNames().reduce((sum, name) => sum + process.listenerCount(name), 0);

function fresh() {
  jest.resetModules();
  return require('heapwarden');
}

test('a copy after another samples, and nothing of one that was stopped is left', () => {
  const seen = new Set();
  const once = () => {
    const { MemoryMonitor } = fresh();
    seen.add(MemoryMonitor);
    const monitor = new MemoryMonitor({ intervalMs: 1000, evidence: 'none', containerWatch: false }).start();
    expect(monitor.sample().heapUsed).toBeGreaterThan(0);
    monitor.stop();
  };
  once();
  const [threadsBefore, listenersBefore] = [threads(), listeners()];
  for (let i = 0; i < 30; i += 1) once();
  expect(seen.size).toBe(31);
  expect(threads()).toBe(threadsBefore);
  expect(listeners()).toBe(listenersBefore);
});

test('monitors of two copies run beside each other', () => {
  const [first, second] = [fresh(), fresh()].map(({ MemoryMonitor }) => new MemoryMonitor({ intervalMs: 1000, evidence: 'none', containerWatch: false }).start());
  expect(first.constructor).not.toBe(second.constructor);
  expect(first.sample().heapUsed).toBeGreaterThan(0);
  expect(second.sample().heapUsed).toBeGreaterThan(0);
  first.stop();
  expect(second.sample().heapUsed).toBeGreaterThan(0);
  second.stop();
});

test('a look at the heap of a copy that was made after a reset', async () => {
  const { captureSummary } = fresh();
  const { summary } = await captureSummary();
  expect(summary.nodeCount).toBeGreaterThan(1000);
}, 60000);

test('a monitor that nobody stops', () => {
  const { MemoryMonitor } = fresh();
  globalThis.forgotten = new MemoryMonitor({ intervalMs: 20, evidence: 'none' }).start();
  fresh();
  expect(globalThis.forgotten.sample().heapUsed).toBeGreaterThan(0);
});
`;

module.exports = { CJS, ESM, JEST_RESET };
