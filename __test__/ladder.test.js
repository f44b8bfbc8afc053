'use strict';

// The ladder: what each rung has cost is told, and a second graph decides where the first leaves doubt.

const assert = require('node:assert');
const os = require('node:os');
const { test } = require('node:test');
const { clones } = require('../lib/clone');
const { waitMs } = require('../lib/confirmation');
const { Evidence } = require('../lib/evidence');
const { Ladder } = require('../lib/ladder');
const native = require('../lib/load');
const { MODE, sleep } = require('./support');

const FULL_VERDICT = require('./golden/leak-report.json').verdict;
const never = (error) => { throw error; };
const plenty = () => ({ heap: 8 << 20, memoryBytes: 4e9 });
const evidence = (options, room = plenty, onLook) => new Evidence({ directory: os.tmpdir(), evidence: 'summary', intervalMs: 100, ...options }, room, onLook);
/** A floor that grows by that many bytes, over so long that no rate says anything. */
const verdict = (growthBytes, more) => ({ status: 'leak', kind: 'heap', growthBytesPerSecond: 0, etaMs: null, evidence: { growthBytes }, ...more });

class Page {
  constructor(id) {
    this.id = id;
    this.words = new Array(200).fill(id);
  }
}
class Session {
  constructor(id) {
    this.id = id;
    this.rights = new Array(20).fill(id);
  }
}

/** A program with a cache of pages that has filled once, and sessions of which there are ever more. */
function program() {
  const pages = [];
  const sessions = new Map();
  let timer;
  return {
    fill: () => { for (let i = 0; i < 4000; i++) pages.push(new Page(i)); },
    open: () => {
      for (let i = 0; i < 1000; i++) sessions.set(sessions.size, new Session(i));
      timer = setInterval(() => { for (let i = 0; i < 50; i++) sessions.set(sessions.size, new Session(i)); }, 10);
    },
    close: () => { clearInterval(timer); return pages.length + sessions.size; },
  };
}

test('a leak comes before a larger cache that has filled once', async () => {
  const looks = evidence();
  await looks.takeBaseline();
  const app = program();
  app.fill();
  app.open();
  // What a program does at once has no pace.
  await sleep(500);
  // The cache is five times what the floor has grown by at the measured rate.
  const report = await looks.report(verdict(1e6, { growthBytesPerSecond: 1e5 }), never);
  const kept = app.close();
  const { confirmation, ladder } = report.evidence;
  const [session] = report.culprits;
  const page = report.culprits.find(({ constructorName }) => constructorName === 'Page');
  assert.equal(session.constructorName, 'Session');
  assert.ok(page.retainedSizeDelta > session.retainedSizeDelta, 'the cache is larger all the same');
  const outcomeOf = (culprit) => confirmation.decisions.find(({ fingerprint }) => fingerprint === culprit.fingerprint).outcome;
  assert.deepEqual([outcomeOf(session), outcomeOf(page), confirmation.reason], ['grew', 'stood', null]);
  assert.match(confirmation.why, /^Page keeps \d+\.\d times what the floor's rate gives since the baseline$/);
  assert.ok(confirmation.afterMs >= 200, `${confirmation.afterMs}`);
  assert.deepEqual(ladder.map(({ rung }) => rung), ['graph', 'graph', 'confirmation']);
  assert.equal(ladder[2].why, confirmation.why);
  const text = native.renderLeakReport(JSON.stringify({ ...report, verdict: FULL_VERDICT }));
  assert.match(text, /^1\. [\d,]+ Session objects pile up in Map `sessions`/m);
  assert.match(text, /^ {3}again {7}stood still, /m);
  assert.ok(kept > 5000);
});

test('where the first culprit explains the growth, there is no second look', async () => {
  const looks = evidence();
  await looks.takeBaseline();
  const app = program();
  app.open();
  const { culprits: [first], evidence: note } = await looks.report(verdict(2e5), never);
  app.close();
  assert.deepEqual([first.constructorName, note.confirmation], ['Session', null]);
  assert.deepEqual(note.ladder.map(({ rung }) => rung), ['graph', 'graph']);
});

test('nobody waits for a second look where the limit is near, and the report says so', async () => {
  const apps = [];
  for (const hurry of [{ etaMs: 500 }, { evidence: { growthBytes: 1e9, urgent: true } }]) {
    const looks = evidence();
    await looks.takeBaseline();
    const app = program();
    apps.push(app);
    app.open();
    const { culprits, evidence: { confirmation, ladder } } = await looks.report(verdict(1e9, hurry), never);
    app.close();
    assert.equal(culprits[0].constructorName, 'Session');
    assert.match(confirmation.why, /^Session explains \d+ % of the floor's growth$/);
    assert.deepEqual(confirmation, {
      why: confirmation.why, reason: 'the limit is too near to wait for a second look', at: null, afterMs: null, decisions: [],
    });
    assert.equal(ladder.length, 2);
  }
  assert.equal(apps.length, 2, 'the first one\'s sessions stay until the end');
});

test('a second look that there is no memory for any more is not taken', async () => {
  const memory = plenty();
  const looks = evidence({ evidence: 'auto' }, () => memory, (when) => {
    if (when === 'leak') memory.shortage = '8 MB of heap: it may need much';
  });
  await looks.takeBaseline();
  const app = program();
  app.open();
  const { culprits, evidence: { confirmation, rung } } = await looks.report(verdict(1e9), never);
  app.close();
  assert.deepEqual([culprits[0]?.constructorName ?? null, rung], ['Session', 'snapshot']);
  assert.match(confirmation.reason, /^too little memory for a snapshot of 8 MB of heap: it may need much/);
});

test('a second look is given up when the monitor stops', async () => {
  // At once after the first look, since on a crowded machine that may have taken as long as the second has to wait.
  const looks = evidence({ intervalMs: 500 }, plenty, (when) => {
    if (when === 'leak') queueMicrotask(() => looks.release());
  });
  await looks.takeBaseline();
  const app = program();
  app.open();
  const { culprits, evidence: { confirmation } } = await looks.report(verdict(1e9), never);
  app.close();
  assert.deepEqual([culprits[0].constructorName, confirmation.reason], ['Session', 'the monitor was stopped meanwhile']);
});

test('each rung tells what it has cost', async () => {
  const looks = evidence({ intervalMs: 0 });
  await looks.takeBaseline();
  const counters = { at: Date.parse('2026-01-02T03:04:05.006Z'), pauseMs: 1.5, durationMs: 60_000 };
  const { pauseMs, evidence: { ladder: [first, ...graphs] } } = await looks.report(verdict(0), never, undefined, () => counters);
  assert.deepEqual(first, {
    rung: 'counters', mode: 'inline', at: '2026-01-02T03:04:05.006Z', pauseMs: 1.5, durationMs: 60_000, cpuMs: null, peakBytes: null,
    why: 'always: a sample an interval, and each collection',
  });
  assert.ok(graphs.length >= 2);
  for (const graph of graphs) {
    assert.equal(graph.mode, MODE);
    assert.ok(graph.pauseMs > 0 && graph.durationMs >= graph.pauseMs, JSON.stringify(graph));
    if (MODE !== 'clone') {
      assert.deepEqual([graph.cpuMs, graph.peakBytes], [null, null]);
      continue;
    }
    // A graph of ten megabytes takes more than that, and no clone works without a processor.
    assert.ok(graph.cpuMs > 10 && graph.cpuMs < 60_000 && graph.peakBytes > 5e6, JSON.stringify(graph));
  }
  const sum = graphs.reduce((all, graph) => all + graph.pauseMs, 0);
  assert.ok(Math.abs(sum - pauseMs) < 1e-6, 'nothing stopped the program that is not told');
});

test('a census is a rung with its cost, and says why it went no further', { skip: !clones.walk }, async () => {
  const room = (way) => ({ ...plenty(), shortage: way === 'census' ? undefined : '8 MB of heap: it may need much' });
  const looks = evidence({ evidence: 'auto' }, room);
  await looks.takeBaseline();
  const { evidence: { ladder, confirmation } } = await looks.report(verdict(1e9), never);
  assert.deepEqual(ladder.map(({ rung, mode }) => [rung, mode]), [['census', 'clone'], ['census', 'clone']]);
  for (const { why, cpuMs, peakBytes } of ladder) {
    assert.match(why, /^too little memory for a snapshot/);
    assert.ok(cpuMs > 0 && peakBytes > 0);
  }
  assert.equal(confirmation, null);
});

test('a second look is a fair time after the first', () => {
  assert.equal(waitMs(30_000, 60_000), 60_000, 'two intervals at least');
  assert.equal(waitMs(30_000, 3_600_000), 180_000, 'a twentieth of the time since the baseline');
  assert.equal(waitMs(30_000, 1e9), 240_000, 'eight intervals at most');
  assert.equal(waitMs(86_400_000, 1e9), 300_000, 'five minutes at most');
});

test('a ladder is bounded', () => {
  const ladder = new Ladder();
  const cost = { mode: 'clone', pauseMs: 1, durationMs: 2 };
  ladder.begin('graph', 0, 'baseline', cost);
  for (let i = 0; i < 100; i++) ladder.add('graph', i, `look ${i}`, cost);
  const told = ladder.take(undefined, true).map(({ why }) => why);
  assert.deepEqual([told.length, told[0], told.at(-1)], [9, 'baseline', 'look 99']);
  assert.equal(ladder.take(undefined, false).length, 9, 'another report may rest on the same');
  assert.deepEqual(ladder.take(undefined, false).map(({ why }) => why), ['baseline']);
});
