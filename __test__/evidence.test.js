'use strict';

const assert = require('node:assert');
const os = require('node:os');
const { test } = require('node:test');
const { clones } = require('../lib/clone');
const { Evidence } = require('../lib/evidence');
const native = require('../lib/load');
const { MODE } = require('./support');

class Ticket {
  constructor(id) {
    this.id = id;
    this.text = `ticket ${id}`;
  }
}

const ticketsById = new Map();
const open = (id) => ticketsById.set(id, new Ticket(id));

const VERDICT = { status: 'leak', kind: 'heap' };
const FULL_VERDICT = require('./golden/leak-report.json').verdict;
const none = (error) => { throw error; };
const plenty = () => ({ heap: 8 << 20, memoryBytes: 4e9 });
const evidence = (options, room = plenty) => new Evidence({ directory: os.tmpdir(), intervalMs: 0, ...options }, room);

test('what grew between the two looks is named', async () => {
  const looks = evidence({ evidence: 'summary' });
  await looks.takeBaseline();
  for (let i = 0; i < 2000; i++) open(i);
  const { culprits: [first], evidence: note, pauseMs, reportedAt } = await looks.report(VERDICT, none);
  assert.deepEqual([first.constructorName, first.pattern, note.mode, note.reason], ['Ticket', 'collection', MODE, null]);
  assert.match(first.fingerprint, /^[0-9a-f]{16}$/);
  assert.deepEqual([first.known, first.firstSeen], [null, reportedAt]);
  // One at most may be held by the stack of this very function.
  assert.ok(first.countDelta >= 1999 && first.countDelta <= 2000, `${first.countDelta}`);
  assert.ok(first.retainerPath.some(({ edge }) => edge === 'ticketsById'), JSON.stringify(first.retainerPath));
  assert.ok(pauseMs > 0);
});

test('a leak called together with the baseline is looked at again when there is something to see', async () => {
  const looks = evidence({ evidence: 'summary', intervalMs: 100 });
  looks.takeBaseline();
  const reported = looks.report(VERDICT, none);
  // Far from the ids of the other tests, however long it goes on.
  let id = 1_000_000;
  const leak = setInterval(() => { for (let i = 0; i < 100; i++) open(id++); }, 5);
  const { culprits, evidence: note, reportedAt } = await reported;
  clearInterval(leak);
  assert.equal(culprits[0].constructorName, 'Ticket');
  assert.ok(Date.parse(reportedAt) - Date.parse(note.baselineAt) >= 200, 'two intervals later');
});

const MB = 2 ** 20;
/** Room for these ways to look at a heap of that size. */
const roomFor = (ways, heapMB = 8) => (way) => ({
  heap: heapMB * MB, memoryBytes: 4e9, shortage: ways.includes(way) ? undefined : `${heapMB} MB of heap: it may need much`,
});

test('auto stops nothing where memory for a look at the heap is short, and says so', async () => {
  const looks = evidence({ evidence: 'auto' }, roomFor([]));
  await looks.takeBaseline();
  const report = await looks.report(VERDICT, none);
  assert.deepEqual([report.culprits, report.pauseMs, report.evidence.mode, report.evidence.rung], [[], 0, 'none', 'none']);
  assert.match(report.evidence.reason, /^too little memory for a snapshot of 8 MB of heap: it may need much.*; set evidence/);
});

test('auto stops nobody for a large heap where there is no room for a clone', async () => {
  const looks = evidence({ evidence: 'auto' }, roomFor(['inline'], 500));
  await looks.takeBaseline();
  const report = await looks.report(VERDICT, none);
  assert.deepEqual([report.pauseMs, report.evidence.mode], [0, 'none']);
  assert.match(report.evidence.reason, /^the heap is 500 MB: an inline snapshot would stop the process for about 25 s.*; set evidence/);
});

test('objects are counted where a snapshot does not fit and a census does', { skip: !clones.walk }, async () => {
  const looks = evidence({ evidence: 'auto' }, roomFor(['census']));
  await looks.takeBaseline();
  for (let i = 0; i < 3000; i++) open(100_000 + i);
  const report = await looks.report(VERDICT, none);
  const { mode, rung, reason, baselineAt } = report.evidence;
  assert.deepEqual([mode, rung, report.culprits, report.constructors], ['clone', 'census', [], []]);
  assert.match(reason, /^too little memory for a snapshot/);
  assert.ok(Date.parse(baselineAt) <= Date.parse(report.reportedAt));
  const { constructorName, countDelta } = report.census[0];
  assert.equal(constructorName, 'Ticket');
  assert.ok(countDelta >= 2999 && countDelta <= 3000, `${countDelta}`);
  assert.match(native.renderLeakReport(JSON.stringify({ ...report, verdict: FULL_VERDICT })), /^ {4}Ticket {2}\+(3,000|2,999)$/m);
});

test('what a snapshot counted can be compared with a census', { skip: !clones.walk }, async () => {
  const ways = ['clone', 'census'];
  const looks = evidence({ evidence: 'auto' }, (way) => roomFor(ways)(way));
  // To a snapshot they are no objects like others, to a walk they are.
  const expressions = Array.from({ length: 200 }, (_, i) => new RegExp(`${i}`));
  await looks.takeBaseline();
  ways.shift();
  for (let i = 0; i < 2000; i++) open(200_000 + i);
  const { census, evidence: note } = await looks.report(VERDICT, none);
  assert.equal(note.rung, 'census');
  assert.deepEqual(census.map(({ constructorName }) => constructorName), ['Ticket']);
  assert.equal(expressions.length, 200);
});

test('a clone that fails is followed by an inline snapshot only where that may be', { skip: !clones.available }, async () => {
  const failing = (heapMB) => evidence({ evidence: 'auto' }, (way) => ({ ...roomFor(['clone', 'inline'], heapMB)(way), memoryBytes: 0 }));
  const small = failing(8);
  await small.takeBaseline();
  const report = await small.report(VERDICT, none);
  assert.deepEqual([report.evidence.mode, report.evidence.rung], ['inline', 'snapshot']);
  assert.match(report.evidence.reason, /^the clone of the process gave no result: it /);
  await assert.rejects(failing(400).takeBaseline(), { code: 'HEAPWARDEN_ERR_NO_ROOM', message: /the heap is 400 MB/ });
});

test('without a baseline there is a report all the same', async () => {
  const report = await evidence({ evidence: 'summary' }).report(VERDICT, none);
  assert.deepEqual([report.culprits, report.evidence.reason], [[], 'no baseline was taken before the verdict']);
});
