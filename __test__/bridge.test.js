'use strict';

const assert = require('node:assert');
const { test } = require('node:test');
const v8 = require('node:v8');
const native = require('../lib/load');
const { bridge, firstDifference } = require('../lib/bridge');
const { bridgeIsOff, run } = require('./support');

const onLinux = { skip: process.platform !== 'linux' && 'the bridge is promised on Linux' };

test('the bridge is used on Linux unless it is switched off', onLinux, () => {
  if (bridgeIsOff) assert.match(bridge.reason, /HEAPWARDEN_BRIDGE=off/);
  assert.deepEqual([bridge.available, bridge.snapshots], [!bridgeIsOff, !bridgeIsOff], bridge.reason);
});

test('every field of v8.getHeapStatistics() that the bridge knows is the same', onLinux, () => {
  const names = native.bridgeStatisticsNames();
  assert.equal(names.filter((name) => name in v8.getHeapStatistics()).length, names.length, 'names of node:v8');
  let differs;
  for (let i = 0; i < 20; i++) {
    const before = native.bridgeStatistics();
    const truth = v8.getHeapStatistics();
    differs = firstDifference(names, before, truth, native.bridgeStatistics());
    if (differs === undefined) return;
  }
  assert.fail(differs);
});

test('one wrong figure is enough to distrust the bridge', () => {
  const names = ['total_heap_size', 'used_heap_size'];
  const truth = { total_heap_size: 10, used_heap_size: 5 };
  assert.equal(firstDifference(names, [10, 5], truth, [10, 5]), undefined);
  assert.equal(firstDifference(names, [10, 4], truth, [10, 6]), undefined, 'it grew meanwhile');
  assert.match(firstDifference(names, [10, 6], truth, [10, 7]), /^used_heap_size: 5 is not from 6 to 7$/);
  assert.match(firstDifference(names, [5, 10], truth, [5, 10]), /^total_heap_size/, 'fields swapped');
});

test('HEAPWARDEN_BRIDGE=off is obeyed', async () => {
  const { stdout } = await run(['-p', "require('./lib/bridge').bridge.available"], { env: { HEAPWARDEN_BRIDGE: 'off' } });
  assert.equal(stdout, 'false\n');
});
