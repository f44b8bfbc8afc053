'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const v8 = require('node:v8');
const { writeSnapshot, summarizeSnapshot, histogramSnapshot, diffSnapshots } = require('..');
const { clones } = require('../lib/clone');
const { MODE, folder, run } = require('./support');
const { oracle } = require('./support/oracle');

class Session {
  constructor(id) {
    this.id = id;
    this.user = `user ${id}`;
    this.log = [id, id + 1];
  }
}

/** What the diff's test leaks into: a variable of this module, as a service would have it. */
const sessionsById = new Map();
const remember = (session) => sessionsById.set(session.id, session);

const byName = (summary, name) => summary.constructors.find((c) => c.constructorName === name);

function assertEqualsOracle(summary, expected) {
  assert.equal(summary.nodeCount, expected.nodeCount);
  assert.equal(summary.edgeCount, expected.edgeCount);
  assert.equal(summary.totalShallowSize, expected.totalShallowSize);
  const found = summary.constructors.map((c) => [c.constructorName, { count: c.count, shallowSize: c.shallowSize }]);
  assert.deepEqual(new Map(found.sort()), new Map([...expected.constructors].sort()));
}

test('any chunk size gives what a naive reading of the same snapshot gives, exactly', async (t) => {
  const dir = folder(t);
  const kept = Array.from({ length: 500 }, (_, i) => new Session(i));
  const file = v8.writeHeapSnapshot(path.join(dir, 'v8.heapsnapshot'));
  const expected = oracle(fs.readFileSync(file, 'utf8'));
  const { size } = fs.statSync(file);
  for (const chunkBytes of [1, 7, 4096, size]) {
    assertEqualsOracle(await summarizeSnapshot(file, { chunkBytes, shallowSizes: 'file' }), expected);
  }
  assert.equal(expected.constructors.get('Session').count, kept.length);
});

test('writeSnapshot: the file, its summary and the naive reading agree', async (t) => {
  const dir = folder(t);
  const kept = Array.from({ length: 1234 }, (_, i) => new Session(i));
  const written = await writeSnapshot({ path: path.join(dir, 'a', 'b.heapsnapshot') });
  const text = fs.readFileSync(written.path, 'utf8');
  assert.equal(written.bytes, Buffer.byteLength(text));
  assert.deepEqual([written.mode, written.reason], [MODE, MODE === 'clone' ? null : clones.reason]);
  assert.ok(written.pauseMs > 0 && written.durationMs >= written.pauseMs);
  assert.deepEqual(await summarizeSnapshot(written.path), written.summary);
  assertEqualsOracle(await summarizeSnapshot(written.path, { shallowSizes: 'file' }), oracle(text));
  const counted = await histogramSnapshot(written.path);
  assertEqualsOracle({ ...counted, edgeCount: written.summary.edgeCount }, oracle(text));

  const session = byName(written.summary, 'Session');
  assert.equal(session.count, kept.length);
  assert.equal(session.location.file, __filename);
  const line = fs.readFileSync(__filename, 'utf8').split('\n').findIndex((l) => l.includes('constructor(id)')) + 1;
  assert.equal(session.location.line, line);
  assert.ok(session.retainedSize > session.shallowSize, 'the user names and logs are theirs');
  if (process.platform !== 'win32') assert.equal(fs.statSync(written.path).mode & 0o777, 0o600);
  assert.deepEqual(fs.readdirSync(path.dirname(written.path)), ['b.heapsnapshot'], 'no temporary file');
});

test('a snapshot without a path goes to the directory, under a name of its own', async (t) => {
  const directory = folder(t);
  const [a, b] = [await writeSnapshot({ directory, summary: false }), await writeSnapshot({ directory, summary: false })];
  assert.deepEqual(fs.readdirSync(directory).sort(), [a.path, b.path].map((p) => path.basename(p)).sort());
  assert.match(path.basename(a.path), /^heapwarden-\d{8}T\d{6}-\d{3}Z-\d+-\d+-\d+\.heapsnapshot$/);
  assert.equal(a.summary, null);
  assert.ok(JSON.parse(fs.readFileSync(a.path, 'utf8')).nodes.length > 0);
});

test('captureSummary writes nothing', async (t) => {
  const dir = folder(t);
  const { code, stdout } = await run(['-e', `
    const { captureSummary } = require(${JSON.stringify(path.resolve(__dirname, '..'))});
    class Session {}
    const kept = Array.from({ length: 321 }, () => new Session());
    captureSummary().then(({ summary, mode }) => {
      console.log(mode, summary.constructors.find((c) => c.constructorName === 'Session').count, kept.length);
    });
  `], { cwd: dir });
  assert.deepEqual([code, stdout], [0, `${MODE} 321 321\n`]);
  assert.deepEqual(fs.readdirSync(dir), []);
});

test('the diff of two knows each object that came and went, and why they stay', async (t) => {
  const dir = folder(t);
  for (let i = 0; i < 100; i++) remember(new Session(i));
  const a = await writeSnapshot({ path: path.join(dir, 'a.heapsnapshot'), summary: false, mode: 'inline' });
  for (let i = 0; i < 30; i++) sessionsById.delete(i);
  for (let i = 1000; i < 1500; i++) remember(new Session(i));
  const b = await writeSnapshot({ path: path.join(dir, 'b.heapsnapshot'), summary: false, mode: 'inline' });

  const diff = await diffSnapshots([a.path, b.path]);
  assert.equal(diff.matchedBy, 'id');
  const { addedCount, removedCount, countDelta, addedSize, removedSize, sizeDelta } = byName(diff, 'Session');
  assert.deepEqual([addedCount, removedCount, countDelta], [500, 30, 470]);
  assert.equal(addedSize / 500, removedSize / 30, 'all of one size');
  assert.equal(sizeDelta, addedSize - removedSize);

  const [first] = diff.culprits;
  assert.equal(first.constructorName, 'Session');
  assert.equal(first.pattern, 'collection');
  assert.ok(first.countDelta >= 470 && first.countDelta <= 500, `${first.countDelta}`);
  assert.ok(first.retainedSizeDelta > first.sizeDelta);
  assert.equal(first.location.file, __filename);
  assert.ok(first.retainerPath.some(({ edge }) => edge === 'sessionsById'), JSON.stringify(first.retainerPath));
  assert.equal(sessionsById.size, 570);
});

test('what cannot be read or written is an error with a code', async (t) => {
  const dir = folder(t);
  await assert.rejects(summarizeSnapshot(path.join(dir, 'none')), { code: 'HEAPWARDEN_ERR_IO', name: 'HeapwardenError' });
  await assert.rejects(summarizeSnapshot(dir), { code: 'HEAPWARDEN_ERR_IO' });
  await assert.rejects(summarizeSnapshot(7), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  await assert.rejects(diffSnapshots(['a']), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  await assert.rejects(diffSnapshots(['a', 'b', 'c', 'd']), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  const file = path.join(dir, 'file');
  fs.writeFileSync(file, '');
  await assert.rejects(writeSnapshot({ path: path.join(file, 'x.heapsnapshot') }), { code: 'HEAPWARDEN_ERR_IO' });
  await assert.rejects(writeSnapshot({ compress: 'zip' }), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  await assert.rejects(writeSnapshot({ signal: {} }), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  await assert.rejects(writeSnapshot({ mode: 'twin' }), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  if (!clones.available) await assert.rejects(writeSnapshot({ mode: 'clone' }), { code: 'HEAPWARDEN_ERR_UNSUPPORTED' });
  assert.deepEqual(fs.readdirSync(dir), ['file']);
});
