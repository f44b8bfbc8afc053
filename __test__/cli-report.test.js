'use strict';

// `heapwarden report`: the evidence of many processes, grouped by leak.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { paint } = require('../lib/cli/text');
const { collect } = require('../lib/report/collect');
const { folder, run, ROOT } = require('./support');

const GOLDEN = require('./golden/leak-report.json');
const heapwarden = (args, options) => run([path.join(ROOT, 'lib', 'cli', 'main.js'), 'report', ...args], options);

/** Writes the golden report as if `changes` were so, into the folder `pod`. */
function report(dir, pod, minute, changes = {}, culprit = {}) {
  const at = `2026-11-21T10:${String(minute).padStart(2, '0')}:00.000Z`;
  const made = { ...structuredClone(GOLDEN), reportedAt: at, ...changes };
  Object.assign(made.culprits[0], { firstSeen: at, ...culprit });
  const name = `heapwarden-leak-${at.replace(/[-:]/g, '').replace('.', '-')}-${made.pid}-0.json`;
  fs.mkdirSync(path.join(dir, pod), { recursive: true });
  fs.writeFileSync(path.join(dir, pod, name), JSON.stringify(made));
  return path.join(dir, pod, name);
}

test('a leak of many pods is one, with who has it and since when', async (t) => {
  const dir = folder(t);
  report(dir, 'shop/a', 10, { host: 'shop-a', pid: 1 });
  report(dir, 'shop/a', 30, { host: 'shop-a', pid: 1 }, { retainedSizeDelta: 7e7, firstSeen: '2026-11-21T09:00:00.000Z' });
  report(dir, 'shop/b', 20, { host: 'shop-b', pid: 1 });
  report(dir, 'old/c', 5, { pid: 1 });
  report(dir, 'old/d', 6, { pid: 1 }, { fingerprint: 'another', constructorName: 'Other' });
  const [first, second] = GOLDEN.culprits;
  const found = await collect([dir]);
  assert.deepEqual([found.reports, found.processes, found.hosts, found.from, found.to], [5, 4, 4, '2026-11-21T10:05:00.000Z', '2026-11-21T10:30:00.000Z']);
  const leak = found.leaks[0];
  assert.equal(leak.fingerprint, first.fingerprint);
  assert.deepEqual([leak.reports, leak.first, leak.processes, leak.since, leak.until], [4, 4, 3, '2026-11-21T09:00:00.000Z', '2026-11-21T10:30:00.000Z']);
  assert.deepEqual(leak.hosts, [path.join(dir, 'old', 'c'), 'shop-a', 'shop-b'].sort());
  assert.equal(leak.retainedSizeDelta, 7e7);
  assert.equal(path.basename(leak.file), 'heapwarden-leak-20261121T103000-000Z-1-0.json', 'what is told is what the newest says');
  assert.equal(found.leaks[1].fingerprint, 'another');
  if (second) assert.ok(found.leaks.slice(2).every((other) => other.first === 0));

  const { code, stdout, stderr } = await heapwarden([dir]);
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(stdout, /^5 reports of 4 processes on 4 hosts, 2026-11-21 10:05 to 2026-11-21 10:30 UTC\n/);
  assert.match(stdout, /^ +3 +4 +4 {2}2026-11-21 09:00 {2}2026-11-21 10:30 +66\.8 MB {2}RequestRecord$/m);
  assert.ok(stdout.includes(`RequestRecord [${first.pattern}]  ${first.fingerprint}\n`));
  const json = JSON.parse((await heapwarden([dir, '--json'], { env: {} })).stdout);
  assert.deepEqual(json, { schemaVersion: 1, ...JSON.parse(JSON.stringify(found)) });
  assert.equal(JSON.parse((await heapwarden([dir, '--json', '--top', '1'])).stdout).leaks.length, 1);
});

test('names are redacted as asked for', async (t) => {
  const dir = folder(t);
  report(dir, '.', 1);
  assert.match((await heapwarden([dir])).stdout, /RequestRecord/);
  for (const level of ['names', 'shape']) {
    const told = await heapwarden([dir, '--redact', level, '--json']);
    assert.ok(!/RequestRecord|requestsById/.test(told.stdout), level);
    assert.equal(/leaky\.js/.test(told.stdout), level === 'names');
  }
});

test('deaths are told beside leaks', { skip: process.platform !== 'linux' }, async (t) => {
  const dir = folder(t);
  await run(['--require', 'heapwarden/register', '-e', 'process.kill(process.pid, "SIGKILL")'], { env: { HEAPWARDEN_DIR: path.join(dir, 'pod') } });
  const { code, stdout } = await heapwarden([], { env: { HEAPWARDEN_DIR: dir } });
  assert.equal(code, 0, stdout);
  assert.match(stdout, /Deaths, newest first\n {2}\d{4}-\d\d-\d\d \d\d:\d\d {2}pid \d+ .*killed/);
});

test('what is no evidence is said, and does not hide the rest', async (t) => {
  const dir = folder(t);
  assert.equal((await heapwarden([dir])).code, 1);
  assert.equal((await heapwarden([path.join(dir, 'none')])).code, 1);
  for (const args of [['--top', '0'], ['--redact', 'some']]) assert.equal((await heapwarden([dir, ...args])).code, 2);
  const broken = ['{', '{}', '[]', 'null', '{"culprits":[{}],"reportedAt":"2026-11-21T10:00:00.000Z","pid":1,"verdict":{}}', '{"culprits":[],"reportedAt":"when","pid":1,"verdict":{}}'];
  broken.forEach((text, i) => fs.writeFileSync(path.join(dir, `heapwarden-leak-2026112${i}.json`), text));
  fs.writeFileSync(path.join(dir, 'heapwarden-flight-1.hwr'), 'none');
  const alone = await heapwarden([dir]);
  assert.deepEqual([alone.code, alone.stdout], [1, '']);
  assert.match(alone.stderr, /expected a leak report/);
  report(dir, 'pod', 1);
  const { code, stdout } = await heapwarden([dir]);
  assert.equal(code, 0);
  assert.match(stdout, /^1 report of 1 process on 1 host/);
  assert.equal(stdout.match(/^cannot be read: /gm).length, broken.length + 1);
});

test('colours are for terminals, and for those who have not refused them', async (t) => {
  const { TERM, NO_COLOR } = process.env;
  t.after(() => Object.assign(process.env, TERM !== undefined && { TERM }, NO_COLOR !== undefined && { NO_COLOR }));
  process.env.TERM = 'xterm';
  delete process.env.NO_COLOR;
  assert.strictEqual(paint({ isTTY: true }).bad('Session'), '\x1b[1m\x1b[31mSession\x1b[39m\x1b[22m');
  assert.strictEqual(paint({ isTTY: false }).bad('Session'), 'Session');
  assert.strictEqual(paint({}).title('Classes'), 'Classes');
  process.env.NO_COLOR = '1';
  assert.strictEqual(paint({ isTTY: true }).bad('Session'), 'Session');
  const dir = folder(t);
  report(dir, 'pod', 10);
  const { stdout } = await heapwarden([dir], { env: { FORCE_COLOR: '1' } });
  assert.ok(stdout.includes(GOLDEN.culprits[0].constructorName));
  assert.ok(!stdout.includes('\x1b'), 'a pipe has none');
});
