'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { MATCHED_BY, MODE, bridgeIsOff, folder, run } = require('./support');

const fixture = (name) => path.join(__dirname, 'fixtures', name);
const environment = (directory, more) => ({ HEAPWARDEN_INTERVAL_MS: '20', HEAPWARDEN_DIR: directory, ...more });

/** The only report in a folder. */
function onlyReport(directory) {
  const names = fs.readdirSync(directory).filter((name) => name.endsWith('.json'));
  assert.equal(names.length, 1, `${names}`);
  if (process.platform !== 'win32') assert.equal(fs.statSync(path.join(directory, names[0])).mode & 0o777, 0o600);
  return JSON.parse(fs.readFileSync(path.join(directory, names[0]), 'utf8'));
}

function assertNamesTheLeak(report, file) {
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  const line = lines.findIndex((text) => text.includes('constructor(')) + 1;
  assert.equal(report.schemaVersion, 1);
  assert.equal(report.verdict.status, 'leak');
  assert.equal(report.verdict.kind, 'heap');
  assert.ok(report.verdict.growthBytesPerSecond > 0 && report.verdict.etaMs > 0);
  assert.equal(report.evidence.mode, MODE);
  assert.equal(report.evidence.matchedBy, MATCHED_BY);
  assert.equal(report.evidence.heapSource, bridgeIsOff ? 'node:v8' : 'bridge');
  const [first] = report.culprits;
  assert.equal(first.constructorName, 'Session');
  assert.equal(first.pattern, 'collection');
  assert.ok(first.countDelta > 100 && first.retainedSizeDelta >= first.sizeDelta);
  assert.ok(first.retainerPath.some(({ edge }) => edge === 'sessionsByToken'), JSON.stringify(first.retainerPath));
  assert.deepEqual([first.location.file, first.location.line], [file, line]);
  assert.match(first.advice, /sessionsByToken/);
}

for (const [flag, file] of [['--require', 'leaky.js'], ['--import', 'leaky.js'], ['--import', 'leaky.mjs']]) {
  test(`node ${flag} heapwarden/register ${file}: the report names class, variable and line`, async (t) => {
    const directory = path.join(folder(t), 'evidence');
    const { code, stderr, stdout } = await run([flag, 'heapwarden/register', fixture(file)], { env: environment(directory) });
    assert.equal(code, 0, stderr);
    assert.equal(stdout, 'done\n', 'the program itself is not disturbed');
    assertNamesTheLeak(onlyReport(directory), fixture(file));
    assert.match(stderr, /^MEMORY LEAK: the heap grows by [\d.]+ MB a minute/m);
    assert.match(stderr, /^1\. [\d,]+ Session objects pile up in Map `sessionsByToken` \(leaky\.m?js:\d+\)$/m);
    assert.match(stderr, /sessionsByToken of /);
    assert.match(stderr, /heapwarden: report written to /);
    assert.ok(stderr.split('\n').every((line) => line.length <= 100 || line.startsWith('heapwarden: report')), stderr);
  });
}

test('the healthy twin raises nothing in the same time', async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const { code, stderr, stdout } = await run(['--import', 'heapwarden/register', fixture('healthy.js')], { env: environment(directory) });
  assert.deepEqual([code, stdout, stderr], [0, 'done\n', '']);
  const written = fs.existsSync(directory) ? fs.readdirSync(directory) : [];
  assert.deepEqual(written.filter((name) => !name.endsWith('.hwr')), [], 'nothing was written but the black box');
});

test('evidence "snapshot" keeps the file that the culprits come from', async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const { code, stderr } = await run(['--import', 'heapwarden/register', fixture('leaky.js')], {
    env: environment(directory, { HEAPWARDEN_EVIDENCE: 'snapshot' }),
  });
  assert.equal(code, 0, stderr);
  const report = onlyReport(directory);
  assert.equal(report.files.length, 1);
  assert.ok(JSON.parse(fs.readFileSync(report.files[0], 'utf8')).nodes.length > 0);
  assert.equal(report.culprits[0].constructorName, 'Session');
});

test('evidence "snapshot" on a place that cannot be written still names the leak', async (t) => {
  const file = path.join(folder(t), 'file');
  fs.writeFileSync(file, '');
  const { code, stderr } = await run(['--import', 'heapwarden/register', fixture('leaky.js')], {
    env: environment(path.join(file, 'evidence'), { HEAPWARDEN_EVIDENCE: 'snapshot' }),
  });
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^heapwarden: cannot create the folder/m, 'an error event for the file');
  assert.match(stderr, /^1\. [\d,]+ Session objects /m);
});

test('with no listener a leak goes to the logger, by default a process warning with a code', async () => {
  const script = (logger) => `
    const { MemoryMonitor } = require('heapwarden');
    new MemoryMonitor({ intervalMs: 20, ${logger} }).start();
    require(${JSON.stringify(fixture('leaky.js'))});
  `;
  const byDefault = await run(['-e', script('')]);
  assert.equal(byDefault.code, 0, byDefault.stderr);
  assert.match(byDefault.stderr, /\[HEAPWARDEN_LEAK\] HeapwardenWarning: Memory leak \(heap\): growing by [\d.]+ MB\/min\. Session, \d+ more/);
  const replaced = await run(['-e', script(
    'logger: { warn(details, message) { console.log(details.code, details.leak.culprits[0].constructorName, message.length > 0); } }')]);
  assert.match(replaced.stdout, /^HEAPWARDEN_LEAK Session true$/m);
  assert.equal(replaced.stderr, '');
});

test('evidence "none" stops nothing and says why it names nobody', async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const { code, stderr } = await run(['--import', 'heapwarden/register', fixture('leaky.js')], {
    env: environment(directory, { HEAPWARDEN_EVIDENCE: 'none' }),
  });
  assert.equal(code, 0, stderr);
  const report = onlyReport(directory);
  assert.deepEqual([report.culprits, report.pauseMs, report.evidence.mode], [[], 0, 'none']);
  assert.match(stderr, /No culprit named: evidence is switched off/);
});

test('a folder that cannot be written is said and nothing else', async (t) => {
  const file = path.join(folder(t), 'file');
  fs.writeFileSync(file, '');
  const { code, stderr, stdout } = await run(['--import', 'heapwarden/register', fixture('leaky.js')], {
    env: environment(path.join(file, 'evidence')),
  });
  assert.deepEqual([code, stdout], [0, 'done\n']);
  assert.match(stderr, /MEMORY LEAK/);
  assert.match(stderr, /the report could not be written: cannot create the folder/);
});

test('a mistake in the environment is named and does not keep the program from starting', async () => {
  const { code, stdout, stderr } = await run(['--require', 'heapwarden/register', '-p', '1 + 1'], {
    env: { HEAPWARDEN_INTERVAL_MS: '30s' },
  });
  assert.deepEqual([code, stdout], [0, '2\n']);
  assert.match(stderr, /\[HEAPWARDEN_ERR_INVALID_ARG\].*not watching this process: HEAPWARDEN_INTERVAL_MS: expected a number, found "30s"/);
});

test('exit codes and signals are the same with and without', async () => {
  for (const script of ['process.exitCode = 3', 'process.exit(4)', 'throw new Error("x")', 'process.kill(process.pid, "SIGTERM")']) {
    const without = await run(['-e', script]);
    const beside = await run(['--require', 'heapwarden/register', '-e', script]);
    assert.deepEqual([beside.code, beside.signal, beside.stdout], [without.code, without.signal, without.stdout], script);
  }
});
