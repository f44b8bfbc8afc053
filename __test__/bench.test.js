'use strict';

// The parts of the snapshot benchmark that decide: a comparison that sees no difference would make every figure good.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { compare } = require('../bench/devtools/compare');
const { disagreements } = require('../bench/rivals/agree');
const { answer } = require('../bench/rivals/heap-snapshot-tool');
const { plan } = require('../bench/snapshots/generate');
const { seeded } = require('../bench/snapshots/random');

const oracle = () => ({
  nodeCount: 9,
  aggregates: [{ key: ',A', name: 'A', count: 2, distance: 3, shallowSize: 40, retainedSize: 80 }],
  top: [
    { id: 1, constructorName: '(synthetic)', shallowSize: 0, retainedSize: 900, distance: 0 },
    { id: 5, constructorName: 'A', shallowSize: 20, retainedSize: 60, distance: 3 },
    { id: 7, constructorName: 'A', shallowSize: 20, retainedSize: 20, distance: 3 },
  ],
  comparison: [{ key: ',A', name: 'A', addedCount: 1, removedCount: 0, countDelta: 1, addedSize: 20, removedSize: 0, sizeDelta: 20 }],
});

test('the comparison with DevTools tells of every field, and of rows on one side only', () => {
  assert.deepEqual(compare(oracle(), oracle()), []);
  const changes = [
    (ours) => { ours.nodeCount = 8; },
    ...['name', 'count', 'distance', 'shallowSize', 'retainedSize'].map((field) => (ours) => { ours.aggregates[0][field] = -1; }),
    ...['constructorName', 'shallowSize', 'retainedSize', 'distance'].map((field) => (ours) => { ours.top[1][field] = field === 'retainedSize' ? 61 : -1; }),
    ...['addedCount', 'removedSize', 'sizeDelta'].map((field) => (ours) => { ours.comparison[0][field] = -1; }),
    (ours) => { ours.aggregates = []; },
    (ours) => { ours.comparison.push({ ...ours.comparison[0], key: ',B' }); },
    (ours) => { ours.top[1].id = 6; },
  ];
  for (const change of changes) {
    const ours = oracle();
    change(ours);
    assert.notEqual(compare(oracle(), ours).length, 0, String(change));
  }
});

test('of objects that retain equally little, which come last does not matter', () => {
  const ours = oracle();
  ours.top[2].id = 8;
  assert.deepEqual(compare(oracle(), ours), []);
});

test('tools disagree when a count, a size or a path differs', () => {
  const row = { count: 2, empty: 0, objects: true, shallowSize: 40, retainedSize: 80 };
  const crate = { nodeCount: 2, edgeCount: 1, classes: { A: row } };
  const objects = new Set(['A']);
  const against = (ours) => disagreements('summary', { 'v8-heap-parser': crate, heapwarden: ours }, objects);
  assert.deepEqual(against({ nodeCount: 2, edgeCount: 1, classes: { A: row } }), []);
  assert.equal(against({ nodeCount: 3, edgeCount: 1, classes: { A: row } }).length, 1);
  assert.equal(against({ nodeCount: 2, edgeCount: 1, classes: { A: { ...row, count: 3 } } }).length, 1);
  assert.equal(against({ nodeCount: 2, edgeCount: 1, classes: { A: { ...row, shallowSize: 3 } } }).length, 1);
  assert.equal(against({ nodeCount: 2, edgeCount: 1, classes: {} }).length, 2);
  const paths = (found) => disagreements('paths', { 'v8-heap-parser': { paths: { 5: [5, 3, 1] } }, heapwarden: { paths: found } }, objects);
  assert.deepEqual(paths({ 5: [5, 4, 3, 1] }), []);
  assert.equal(paths({}).length, 1);
  assert.equal(paths({ 5: [5, 1] }).length, 1);
  assert.equal(paths({ 5: [5, 3, 3, 1] }).length, 1);
});

test('the tables of a native tool are read, thousands, locations, signs and all', () => {
  const summary = '▶ Session [script_id=12:L17:14]  ×100,000      5      5.3 MB   5%       16.8 MB   5%\nTotal';
  assert.deepEqual(answer('summary', summary).rows, [{ name: 'Session', located: true, count: 100_000 }]);
  const diff = '▶ (array)        5,000           3          −2        72 B         984 B        −912 B';
  assert.deepEqual(answer('diff', diff).rows, [{ name: '(array)', located: false, addedCount: 5000, removedCount: 3 }]);
  assert.throws(() => answer('diff', '▶ a row of another kind'), /not understood/);
});

test('what is generated is seeded, and as large as asked', () => {
  const [one, same, other] = [seeded(1), seeded(1), seeded(2)].map((random) => random.text(64));
  assert.equal(one, same);
  assert.notEqual(one, other);
  for (const size of [10, 100, 500, 2000]) {
    const { baseMB, unitMB, units } = plan(size);
    assert.ok(Math.abs(baseMB + unitMB * units - size) <= size * 0.1, `${size} MB`);
  }
});
