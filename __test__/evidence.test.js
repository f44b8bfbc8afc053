'use strict';

const assert = require('node:assert');
const os = require('node:os');
const { test } = require('node:test');
const { Evidence } = require('../lib/evidence');

class Ticket {
  constructor(id) {
    this.id = id;
    this.text = `ticket ${id}`;
  }
}

const ticketsById = new Map();
const open = (id) => ticketsById.set(id, new Ticket(id));

const VERDICT = { status: 'leak', kind: 'heap' };
const none = (error) => { throw error; };
const evidence = (options, room = () => Infinity) => new Evidence({ directory: os.tmpdir(), intervalMs: 0, ...options }, room);

test('what grew between the two looks is named', async () => {
  const looks = evidence({ evidence: 'summary' });
  await looks.takeBaseline();
  for (let i = 0; i < 2000; i++) open(i);
  const { culprits: [first], evidence: note, pauseMs } = await looks.report(VERDICT, none);
  assert.deepEqual([first.constructorName, first.pattern, note.mode, note.reason], ['Ticket', 'collection', 'inline', null]);
  // One at most may be held by the stack of this very function.
  assert.ok(first.countDelta >= 1999 && first.countDelta <= 2000, `${first.countDelta}`);
  assert.ok(first.retainerPath.some(({ edge }) => edge === 'ticketsById'), JSON.stringify(first.retainerPath));
  assert.ok(pauseMs > 0);
});

test('a leak called together with the baseline is looked at again when there is something to see', async () => {
  const looks = evidence({ evidence: 'summary', intervalMs: 100 });
  looks.takeBaseline();
  const reported = looks.report(VERDICT, none);
  let id = 10_000;
  const leak = setInterval(() => { for (let i = 0; i < 100; i++) open(id++); }, 5);
  const { culprits, evidence: note, reportedAt } = await reported;
  clearInterval(leak);
  assert.equal(culprits[0].constructorName, 'Ticket');
  assert.ok(Date.parse(reportedAt) - Date.parse(note.baselineAt) >= 200, 'two intervals later');
});

test('auto stops nothing where memory for a snapshot is short, and says so', async () => {
  const looks = evidence({ evidence: 'auto' }, () => 20 << 20);
  await looks.takeBaseline();
  const report = await looks.report(VERDICT, none);
  assert.deepEqual([report.culprits, report.pauseMs, report.evidence.mode], [[], 0, 'none']);
  assert.match(report.evidence.reason, /^an inline snapshot of \d+ MB of heap may need 8 times as much memory, and 20 MB are left; set evidence/);
});

test('without a baseline there is a report all the same', async () => {
  const report = await evidence({ evidence: 'summary' }).report(VERDICT, none);
  assert.deepEqual([report.culprits, report.evidence.reason], [[], 'no baseline was taken before the verdict']);
});
