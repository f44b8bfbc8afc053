'use strict';

// The analyses of snapshots as a user calls them, on snapshots of a live process.

const assert = require('node:assert');
const fs = require('node:fs');
const { test, before, after } = require('node:test');
const { diffSnapshots, histogramSnapshot, retainingPaths, summarizeSnapshot, writeSnapshot } = require('..');
const { folder, run, ROOT } = require('./support');

class Visit {
  constructor(n) {
    this.n = n;
    this.page = `page ${n}`;
  }
}

const visitsByUser = new Map();
const visit = (count) => { for (let i = 0; i < count; i++) visitsByUser.set(visitsByUser.size, new Visit(i)); };

const files = [];
const cleanup = [];

before(async () => {
  const directory = folder({ after: (fn) => cleanup.push(fn) });
  for (const count of [50, 150, 450]) {
    visit(count);
    files.push((await writeSnapshot({ directory, summary: false, mode: 'inline' })).path);
  }
});
after(() => cleanup.forEach((fn) => fn()));

const row = (result, name) => result.constructors.find((c) => c.constructorName === name);

test('a histogram counts what a summary as in the file counts', async () => {
  const [histogram, streamed, summary] = await Promise.all([
    histogramSnapshot(files[0]),
    histogramSnapshot(fs.createReadStream(files[0]), { chunkBytes: 1000 }),
    summarizeSnapshot(files[0], { shallowSizes: 'file' }),
  ]);
  assert.deepEqual(histogram, streamed);
  assert.equal(row(histogram, 'Visit').count, 50);
  const counted = (list) => new Map(list.map((c) => [c.constructorName, [c.count, c.shallowSize]]));
  assert.deepEqual(counted(histogram.constructors), counted(summary.constructors));
  assert.equal(histogram.totalShallowSize, summary.totalShallowSize);
});

test('the retaining path of an object names the variable that keeps it', async () => {
  const [first] = await retainingPaths(files[0], { constructorName: 'Visit', limit: 1 });
  assert.deepEqual(first.retainerPath.slice(0, 2).map((s) => s.edge), ['[[Entries]]', 'visitsByUser']);
  assert.equal(first.location.file, __filename);
  assert.equal(first.truncated, false);
  const ids = [first.id, 2 ** 32 - 1, first.id];
  const found = await retainingPaths(files[0], { ids });
  assert.deepEqual(found.map((path) => path.id), ids);
  assert.deepEqual(found[0], first);
  assert.deepEqual(found[2], first);
  assert.deepEqual([found[1].constructorName, found[1].retainerPath], ['', []], 'no process comes so far');
});

test('a comparison says what grew: from nodes alone, as DevTools does, or with the culprits', async () => {
  const pair = files.slice(0, 2);
  const [nodes, devtools, full] = await Promise.all([
    diffSnapshots(pair, { culprits: false }),
    diffSnapshots(pair, { culprits: false, shallowSizes: 'devtools' }),
    diffSnapshots(pair),
  ]);
  for (const diff of [nodes, devtools, full]) {
    const { addedCount, removedCount, countDelta } = row(diff, 'Visit');
    assert.deepEqual([diff.matchedBy, addedCount, removedCount, countDelta], ['id', 150, 0, 150]);
  }
  assert.deepEqual(nodes.constructors, full.constructors);
  assert.deepEqual([nodes.culprits, devtools.culprits], [[], []]);
  // What Node itself compiled meanwhile may be larger.
  assert.ok(full.culprits.some((culprit) => culprit.constructorName === 'Visit' && culprit.countDelta === 150));
  assert.equal(row(devtools, 'Visit').location.file, __filename);
});

test('of three snapshots what grew in both intervals', async () => {
  for (const options of [{ culprits: false }, { culprits: false, shallowSizes: 'devtools' }, {}]) {
    const diff = await diffSnapshots(files, options);
    assert.equal(row(diff, 'Visit').countDelta, 600);
    assert.ok(diff.constructors.every((c) => c.countDelta > 0 || c.sizeDelta > 0));
  }
});

test('a summary has its suspects, listeners, timers, promises and collections; threads change nothing', async () => {
  const { code, stdout, stderr } = await run(['-e', `
    const { EventEmitter } = require('node:events');
    const { captureSummary } = require(${JSON.stringify(ROOT)});
    class Bus extends EventEmitter {}
    const bus = new Bus().setMaxListeners(0);
    for (let i = 0; i < 20; i++) bus.on('data', function onData() { return i; });
    const store = globalThis.store = new Map(Array.from({ length: 30000 }, (_, i) => [i, { i, text: 'entry ' + i, list: [i] }]));
    for (let i = 0; i < 7; i++) setTimeout(function poll() { return store; }, 1e6).unref();
    const never = Array.from({ length: 40 }, () => new Promise(() => {}));
    captureSummary().then(({ summary }) => {
      const { suspects, listeners, timers, promises, collections } = summary;
      console.log(JSON.stringify({ suspects, listeners, timers, promises, collections, kept: bus.listenerCount('data') + never.length }));
    });
  `]);
  assert.deepEqual([code, stderr], [0, '']);
  const { suspects, listeners, timers, promises, collections } = JSON.parse(stdout);
  const data = listeners.find((l) => l.constructorName === 'Bus');
  assert.deepEqual([data.event, data.emitters, data.count, data.most], ['data', 1, 20, 20]);
  assert.equal(timers.find((t) => t.callback === 'poll').count, 7);
  assert.ok(promises.count >= 40);
  assert.equal(collections[0].constructorName, 'Map');
  assert.equal(collections[0].entries, 30000);
  assert.equal(suspects[0].constructorName, 'Map');
  assert.ok(suspects[0].share > 0.1, suspects[0].share);
  assert.ok(suspects[0].retainerPath.some((step) => step.edge === 'store'), JSON.stringify(suspects[0].retainerPath));
  assert.equal(suspects[0].accumulates.count, 30000);

  const [one, two] = await Promise.all([1, 2].map((threads) => summarizeSnapshot(files[2], { threads, objects: 20, territories: 20 })));
  assert.deepEqual(one, two);
  assert.equal(one.objects.length, 20);
  const [whole, ...others] = one.territories;
  assert.ok(whole.parent === null && whole.retainedSize === one.totalShallowSize && others.length > 20);
  assert.ok(others.every(({ parent, retainedSize }, i) => parent <= i && retainedSize <= one.territories[parent].retainedSize));
  assert.ok(one.territories.some(({ edge, constructorName }) => edge === 'table' && constructorName === '(array)'), JSON.stringify(one.territories));
  assert.ok(one.objects.every((object, i) => i === 0 || object.retainedSize <= one.objects[i - 1].retainedSize));
});

test('an ArrayBuffer of 6 GB reads as 6 GB', async (t) => {
  const { code, stdout, stderr } = await run(['-e', `
    const { captureSummary } = require(${JSON.stringify(ROOT)});
    let big;
    try {
      big = { held: new ArrayBuffer(6e9) };
    } catch (error) {
      if (!(error instanceof RangeError)) throw error;
      console.log('null');
      process.exit();
    }
    globalThis.big = big;
    captureSummary().then(({ summary }) => {
      const sizes = summary.constructors.map((c) => [c.shallowSize, c.retainedSize]);
      console.log(JSON.stringify({ total: summary.totalShallowSize, sizes, kept: big.held.byteLength }));
    });
  `]);
  assert.deepEqual([code, stderr], [0, '']);
  const found = JSON.parse(stdout);
  if (found === null) {
    t.skip('this Node, or this machine, has no buffer of 6 GB');
    return;
  }
  assert.ok(found.total > 6e9 && found.total < 6.2e9, found.total);
  assert.ok(found.sizes.some(([shallow]) => shallow >= 6e9 && shallow < 6.1e9), 'its store');
  assert.ok(found.sizes.filter(([, retained]) => retained >= 6e9).length >= 2, 'and who keeps it');
});

test('what cannot be is named with what was expected', async () => {
  const bad = [
    [() => summarizeSnapshot(files[0], { objects: -1 }), /objects/],
    [() => summarizeSnapshot(files[0], { territories: 1e5 }), /territories/],
    [() => summarizeSnapshot(files[0], { threads: 0 }), /threads/],
    [() => summarizeSnapshot(files[0], { shallowSizes: 'chrome' }), /shallowSizes.*"devtools" or "file"/],
    [() => diffSnapshots(files, { culprits: 'yes' }), /culprits/],
    [() => retainingPaths(files[0]), /ids or constructorName/],
    [() => retainingPaths(files[0], { ids: [1.5] }), /ids\[0\]/],
    [() => retainingPaths(files[0], { ids: [1], constructorName: 'Visit' }), /constructorName/],
    [() => histogramSnapshot(17), /source/],
  ];
  for (const [call, message] of bad) await assert.rejects(call, { code: 'HEAPWARDEN_ERR_INVALID_ARG', message });
});
