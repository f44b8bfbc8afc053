'use strict';

// The parts of the snapshot benchmark that decide: a comparison that sees no difference would make every figure good.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { compare } = require('../bench/devtools/compare');
const { disagreements } = require('../bench/rivals/agree');
const { answer } = require('../bench/rivals/heap-snapshot-tool');
const { plan } = require('../bench/snapshots/generate');
const { seeded } = require('../bench/snapshots/random');
const { picture } = require('../bench/detect/picture');
const { garwood } = require('../bench/detect/poisson');
const { leakedBy, quantile, score } = require('../bench/detect/score');
const { REQUESTS } = require('../bench/overhead/catalogue');
const { meanWithInterval, ratioWithInterval, shuffled } = require('../bench/overhead/statistics');

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

test('the scorer counts episodes, finds the first alarm after the onset, and weighs rates by what was leaked', () => {
  const healthy = { id: 'h', family: 'f', leak: false, dt: 30, hours: 24 };
  const leak = { id: 'l', family: 'f', leak: true, dt: 30, hours: 24, kind: 'heap', onset: 3600, visible: 3600, knots: [[3600, 0], [7200, 36_000]] };
  const lost = { ...leak, id: 'm' };
  const unclear = { ...healthy, id: 'u', ambiguous: true };
  const alarm = (t) => [t, 'heap', 10_240];
  const { all } = score([healthy, leak, lost, unclear], [
    // Twice ten samples apart at most, then once more.
    { id: 'h', t: 100, alarms: [100, 400, 700, 1001].map(alarm) },
    { id: 'l', t: 60, alarms: [alarm(60), alarm(5400)] },
    { id: 'u', t: 9, kind: 'heap', rate: 1 },
  ]);
  assert.deepEqual([all.falseAlarms, all.healthyHours], [3, 26]);
  assert.deepEqual([all.healthyTraces, all.healthyAlarmed, all.alarmedBeforeOnset, all.ambiguousAlarmed], [1, 1, 1, 1]);
  assert.deepEqual([all.leaks, all.found, all.missed], [2, 1, ['m']]);
  // Found half an hour after the onset, at 18 000 KiB, which came at 10 240 bytes a second.
  assert.deepEqual([all.samplesMedian, all.leakedMBMedian, all.rateDoublingsMedian, all.kindRight], [60, 18_000 / 1024, 0, 1]);
  // The one that was missed took for ever, and so does the mean of the two in the middle.
  assert.equal(all.samplesMedianOfAll, null);
  assert.deepEqual(all.falseAlarmsOf.map(({ id, alarms }) => [id, alarms.length]), [['h', 4], ['l', 1]]);
  const { all: some } = score([healthy, leak, lost, { ...leak, id: 'n' }], [
    { id: 'h', t: null, suspects: [alarm(50)] },
    { id: 'l', t: 5400, suspects: [alarm(60), alarm(4500)], alarms: [alarm(5400)] },
    { id: 'n', t: 3900, alarms: [alarm(3900)] },
  ]);
  assert.deepEqual([some.samplesMedian, some.samplesMedianOfAll], [35, 60]);
  // Two in 27 hours; then one suspicion 30 samples after the onset, and one alarm after ten that nothing announced.
  assert.deepEqual([some.suspectsADay, some.hinted, some.hintSamplesMedian], [2 / (27 / 24), 2, 20]);
  assert.equal(leakedBy(leak, 9000), 36_000);
  assert.deepEqual([quantile([], 0.5), quantile([4, 1], 0.5), quantile([1, 2, 3], 0.9)], [null, 2.5, 2.8]);
});

test("Garwood's interval is the printed one, and holds the count", () => {
  // Poisson confidence limits at 95 %, as tables print them.
  for (const [count, low, high] of [[0, 0, 3.689], [1, 0.0253, 5.572], [5, 1.623, 11.668], [20, 12.217, 30.888], [100, 81.364, 121.627]]) {
    const [a, b] = garwood(count);
    assert.ok(Math.abs(a - low) < 1e-3 && Math.abs(b - high) < 1e-3, `${count}: ${a} ${b}`);
  }
});

test('the picture has a mark for each point, and a place for none', () => {
  const point = (strictness, falseAlarms, samplesMedianOfAll) => ({ strictness, falseAlarms, healthyHours: 1000, samplesMedianOfAll });
  const svg = picture([
    { name: 'a<b', points: [point(0.5, 9, 300), point(1, 0, 700), point(4, 0, null)] },
    { name: 'other', points: [point(1, 1, 900)] },
  ]);
  assert.equal(svg.match(/<circle class="mark/g).length, 3);
  assert.match(svg, /a&lt;b/);
  assert.doesNotMatch(svg, /NaN|undefined|Infinity|a<b/);
  const x = (name) => Number(new RegExp(`cx="([\\d.]+)"[^>]*><title>${name}:`).exec(svg)[1]);
  assert.ok(x('a&lt;b, strictness 1') < x('other, strictness 1') && x('other, strictness 1') < x('a&lt;b, strictness 0.5'));
});

test('the interval of a ratio holds what the pairs say, and is as wide as they differ', () => {
  const same = ratioWithInterval([0.5, 0.5, 0.5, 0.5]);
  assert.deepEqual(Object.values(same).map((value) => value.toFixed(6)), ['0.500000', '0.500000', '0.500000']);
  // Twice as fast and half as fast come to nothing.
  assert.ok(Math.abs(ratioWithInterval([2, 0.5]).value - 1) < 1e-9);
  const { value, low, high } = meanWithInterval([1, 2, 3, 4, 5, 6, 7, 8, 9]);
  assert.equal(value, 5);
  // The standard error of the mean is 0.86 here.
  assert.ok(low > 2.9 && low < 3.9 && high > 6.1 && high < 7.1, `${low} to ${high}`);
  assert.ok(Number.isNaN(meanWithInterval([1]).low));
});

test('rounds of the overhead bench run everything once, in orders that differ', () => {
  const random = seeded(1).next;
  const orders = Array.from({ length: 60 }, () => shuffled(['off', 'a', 'b'], random).join());
  assert.deepEqual([...new Set(orders.map((order) => order.split(',').sort().join()))], ['a,b,off']);
  assert.equal(new Set(orders).size, 6);
});

test('the answers of the overhead bench are of the size that its documentation says, and differ', () => {
  const answers = REQUESTS.api.map(({ answer }) => answer);
  for (const answer of answers) assert.ok(answer.length > 8000 && answer.length < 12_500, String(answer.length));
  assert.equal(new Set(answers).size, answers.length);
});
