'use strict';

// What is done about a suspicion: who looks when, and what comes of it.

const assert = require('node:assert');
const os = require('node:os');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { translated } = require('../lib/errors');
const { Evidence } = require('../lib/evidence');
const native = require('../lib/load');
const { Suspicion } = require('../lib/suspicion');
const { MODE, ownThreads, run, until } = require('./support');

/** A native half that wants a look whenever it is asked, and takes down what it is told. */
function eager() {
  const told = [];
  return {
    told,
    lookWanted: () => 7,
    lookBegins: (number) => told.push(['begins', number]),
    lookRefused: (number) => told.push(['refused', number]),
    confirm: (number, capture) => told.push(['confirm', number, capture instanceof native.NativeCapture]),
  };
}

const plenty = () => ({ heap: 8 << 20, memoryBytes: 4e9 });
const evidence = (mode, room = plenty) => new Evidence({ evidence: mode, directory: os.tmpdir(), intervalMs: 0 }, room);
const never = (error) => { throw error; };

test('looks are taken one at a time; the first is the baseline where there was none, and the report uses the last', async () => {
  const half = eager();
  const looks = evidence('summary');
  const suspicion = new Suspicion(half, looks, never);
  class Waybill {}
  const waybills = [];
  const look = async (n) => {
    suspicion.poll();
    suspicion.poll();
    assert.deepEqual(half.told.splice(0), [['begins', 7]], `look ${n}: the second has to wait`);
    assert.equal(looks.isBusy, true);
    await until(() => half.told.length > 0, `look ${n}`);
    assert.deepEqual(half.told.splice(0), [['confirm', 7, true]]);
    await until(() => !looks.isBusy, 'the look to be over');
  };
  await look(1);
  for (let i = 0; i < 2000; i++) waybills.push(new Waybill());
  await look(2);
  const verdict = { status: 'leak', kind: 'heap', evidence: { confirmedBy: { constructorName: 'Waybill' } } };
  const { culprits: [first], pauseMs, evidence: note } = await looks.report(verdict, never);
  assert.deepEqual([first.constructorName, note.mode, note.reason], ['Waybill', MODE, null]);
  const again = await looks.report(verdict, never);
  assert.equal(again.pauseMs, pauseMs, 'the program is not stopped for what is known');
  const proven = await looks.report({ status: 'leak', kind: 'heap', evidence: {} }, never);
  assert.ok(proven.pauseMs > pauseMs, 'an old look does not stand for another leak');
  assert.equal(waybills.length, 2000);
});

test('what is switched off is not even asked for, and what may not be is refused', () => {
  const half = eager();
  new Suspicion({ ...half, lookWanted: () => assert.fail('asked') }, evidence('none'), never).poll();
  new Suspicion(half, evidence('auto', () => 1 << 20), never).poll();
  assert.deepEqual(half.told, [['refused', 7]], 'no memory for it');
});

test('a look that fails is an error, and the next may be taken', async () => {
  const half = eager();
  const errors = [];
  const looks = evidence('summary');
  looks.look = () => Promise.reject(new Error('no memory'));
  const suspicion = new Suspicion(half, looks, (error) => errors.push(error.message));
  suspicion.poll();
  await until(() => errors.length > 0, 'the error');
  assert.deepEqual([errors, half.told.splice(0)], [['no memory'], [['begins', 7], ['refused', 7]]]);
  await until(() => { suspicion.poll(); return half.told.length > 0; }, 'the next look');
});

test('release() gives up a look that is under way, without an error', async () => {
  const half = eager();
  const looks = evidence('summary');
  new Suspicion(half, looks, never).poll();
  looks.release();
  await until(() => half.told.length > 1, 'the look to be over');
  assert.deepEqual(half.told, [['begins', 7], ['refused', 7]]);
  await until(() => !looks.isBusy, 'nothing under way');
});

test('a capture gives what a suspicion compares once, and only to the suspicion that asked', async () => {
  const monitor = new native.NativeMonitor(false, undefined, undefined, undefined, undefined);
  const capture = await evidence('summary').look();
  assert.equal(monitor.confirm(1, capture), 'not-yet', 'nothing is suspected');
  assert.throws(() => translated(() => monitor.confirm(1, capture)), { code: 'HEAPWARDEN_ERR_INTERNAL' });
});

test('a worker may be terminated while it looks', async () => {
  const worker = new Worker(`
    const { parentPort } = require('node:worker_threads');
    const { Evidence } = require(${JSON.stringify(path.join(__dirname, '..', 'lib', 'evidence'))});
    new Evidence({ evidence: 'summary', directory: '.', intervalMs: 0 }).look();
    parentPort.postMessage('looking');
    setInterval(() => {}, 1000);
  `, { eval: true });
  await new Promise((resolve, reject) => { worker.once('message', resolve).once('error', reject); });
  assert.equal(await worker.terminate(), 1);
  await until(() => ownThreads().length === 0, 'no thread of a worker that is gone');
});

/** What the fixture tells, by event. */
async function told(what, mode) {
  const { code, stdout, stderr } = await run([path.join(__dirname, 'fixtures', 'suspected.js'), what, mode], {
    // A machine at its limit gives a clone no time, and the program would grow meanwhile until the counters have proven it.
    env: { HEAPWARDEN_CLONE: 'off' },
  });
  assert.equal(code, 0, stderr);
  const all = stdout.trim().split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const of = (name) => all.filter(({ event }) => event === name).map(({ payload }) => payload);
  assert.deepEqual(of('error'), []);
  return { suspect: of('suspect'), look: of('look'), leak: of('leak') };
}

describe('in a program', { concurrency: 2 }, () => {
  test('what grows in one place is a leak before the counters prove it, and is named', async () => {
    const { suspect: [suspicion], look, leak: [report] } = await told('leak', 'summary');
    assert.deepEqual([suspicion.status, suspicion.kind, suspicion.evidence.confirmedBy], ['suspect', 'heap', undefined]);
    assert.ok(look.length >= 3 && look.length <= 4 && look.at(-1) === 'confirmed', JSON.stringify(look));
    const { status, kind, evidence: { confirmedBy } } = report.verdict;
    assert.deepEqual([status, kind], ['leak', 'heap']);
    const { constructorName, holder, captures, growthBytesPerSecond } = confirmedBy;
    assert.deepEqual([constructorName, holder, captures], ['Session', '[[Entries]] of Map, sessionsById', 3]);
    assert.ok(growthBytesPerSecond > 0);
    assert.equal(report.culprits[0].constructorName, 'Session');
    assert.equal(report.evidence.mode, 'inline');
  });

  test('what is full soon after the first look has begun is no leak', async () => {
    const { suspect, look, leak } = await told('full', 'summary');
    assert.deepEqual([suspect.length, leak], [1, []]);
    assert.ok(look.length >= 1 && look.every((answer) => answer === 'not-yet'), JSON.stringify(look));
  });

  test('growth in many places is refuted', async () => {
    const { suspect, look, leak } = await told('spread', 'summary');
    assert.deepEqual([suspect.length, leak], [1, []]);
    assert.ok(look.length >= 3 && look.at(-1) === 'refuted', JSON.stringify(look));
  });

  test('evidence "none" takes no look', async () => {
    const { suspect, look } = await told('leak', 'none');
    assert.deepEqual([suspect.length, look], [1, []]);
  });
});
