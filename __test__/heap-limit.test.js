'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const Ajv = require('ajv/dist/2020');
const native = require('../lib/load');
const { monitorOptions, environmentOptions } = require('../lib/options');
const schema = require('../docs/leak-report.schema.json');
const { CASES, HEALTHY } = require('./heap-limit/cases');
const { REGISTER, die, finalReports, judgeDeath, reports, wrongEnd } = require('./heap-limit/death');
const { bridgeIsOff, folder, run } = require('./support');

const isTime = (text) => !Number.isNaN(Date.parse(text));
const validate = new Ajv({ strict: true, allErrors: true, allowUnionTypes: true, formats: { 'date-time': isTime } }).compile(schema);
const needsBridge = { skip: bridgeIsOff && 'native code watches the limit through the bridge' };
const node = process.execPath;
const byName = (name) => CASES.find((given) => given.name === name);
const fixture = (name) => path.join(__dirname, 'fixtures', name);
const MB = 2 ** 20;
/** Enough for the program and for what leaks to be most of it. On Node 18 and 20 snapshots of larger heaps take V8 much longer. */
const SMALL_MB = 15;

/** The environment of a process whose container has `leftMB` left, as it reads there; the watch over the container is off. */
function withRoom(t, leftMB) {
  const root = folder(t);
  const put = (file, text) => {
    fs.mkdirSync(path.dirname(path.join(root, file)), { recursive: true });
    fs.writeFileSync(path.join(root, file), text);
  };
  put('proc/self/cgroup', '0::/\n');
  put('proc/self/mountinfo', '30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n');
  put('sys/fs/cgroup/memory.max', `${10_000 * MB}\n`);
  put('sys/fs/cgroup/memory.current', `${(10_000 - leftMB) * MB}\n`);
  put('sys/fs/cgroup/memory.stat', 'inactive_file 0\nactive_file 0\nslab_reclaimable 0\n');
  return { HEAPWARDEN_SYSTEM_ROOT: root, HEAPWARDEN_CONTAINER_WATCH: 'off' };
}

function conforms(report) {
  assert.ok(validate(report), JSON.stringify(validate.errors, null, 2));
  assert.match(native.renderLeakReport(JSON.stringify(report)), /^HEAP LIMIT: [\d.]+ MB in use, the limit is [\d.]+ MB$/m);
}

for (const [name, limitMB, mode] of [['collection-map', SMALL_MB, 'sync'], ['listener', SMALL_MB, 'async'], ['string', SMALL_MB, 'sync']]) {
  test(`a death of the heap's limit names what leaked: ${name}, ${mode}`, needsBridge, async () => {
    const { misses, report } = await judgeDeath(node, byName(name), { limitMB, mode });
    assert.deepEqual(misses, []);
    conforms(report);
    assert.equal(report.evidence.rung, 'snapshot');
    assert.equal(report.evidence.baselineAt, null);
    assert.ok(report.heapLimit.raisedToBytes >= report.heapLimit.limitBytes && report.pauseMs > 0);
  });
}

test('without a clone the process looks at itself, and dies as it would have', needsBridge, async () => {
  const env = { HEAPWARDEN_CLONE: 'off' };
  const { misses, report } = await judgeDeath(node, byName('collection-array'), { limitMB: SMALL_MB, env });
  assert.deepEqual(misses, []);
  conforms(report);
  assert.equal(report.evidence.mode, 'inline');
  assert.match(report.evidence.reason, /^not in a clone: switched off by HEAPWARDEN_CLONE=off/);
});

test('growth is measured from the baseline where there is one', needsBridge, async () => {
  // What is there early and stays is more than what leaks.
  const { misses, report } = await judgeDeath(node, { file: fixture('late-leak.js'), constructors: ['Late'] }, {
    limitMB: 36, env: { HEAPWARDEN_INTERVAL_MS: '20' },
  });
  assert.deepEqual(misses, []);
  conforms(report);
  assert.ok(isTime(report.evidence.baselineAt) && report.evidence.ladder.length === 2);
  assert.match(native.renderLeakReport(JSON.stringify(report)), /retained since the baseline/);
});

test('a service that is told in time lets go and lives', needsBridge, async (t) => {
  const directory = folder(t);
  const { code, stdout, stderr } = await run(['--max-old-space-size=24', fixture('drained.js'), directory]);
  assert.equal(code, 0, stderr);
  const [[first, risk], [second, report, file]] = JSON.parse(stdout);
  assert.deepEqual([first, second, risk.kind, risk.reason], ['oom-risk', 'heap-limit', 'heap', 'heap-limit']);
  assert.equal(risk.raisedToBytes, Math.max(risk.limitBytes, risk.usedBytes) + 32 * 2 ** 20);
  assert.equal(path.basename(risk.report), file);
  conforms(report);
  const [culprit] = report.culprits;
  assert.equal(culprit.constructorName, 'Session');
  assert.ok(isTime(culprit.firstSeen), 'with what only files can tell');
  assert.deepEqual(JSON.parse(fs.readFileSync(path.join(directory, file), 'utf8')), report, 'in the file, too');
});

test('a worker has a limit, and a report, of its own', needsBridge, async (t) => {
  const directory = folder(t);
  const { code, stdout, stderr } = await run(['--require', REGISTER, fixture('worker-limit.js')], { env: { HEAPWARDEN_DIR: directory } });
  assert.equal(code, 0, stderr);
  assert.equal(stdout, 'error ERR_WORKER_OUT_OF_MEMORY\nexit 1\nstill here\n');
  const [report, ...more] = await finalReports(directory);
  assert.deepEqual(more, []);
  conforms(report);
  assert.equal(report.threadId, 1);
  assert.equal(report.culprits[0].constructorName, 'Job');
});

test('Node\'s end is the same with and without', async (t) => {
  const { file } = byName('collection-array');
  const ends = [];
  for (const directory of [undefined, folder(t)]) {
    const { code, signal, stdout, stderr } = await die(node, file, { limitMB: SMALL_MB, directory });
    assert.equal(wrongEnd({ code, signal, stderr }), undefined, stderr);
    // Addresses and figures differ from run to run, and so do the collections that led to it.
    const lines = stderr.split('\n').filter((line) => /^FATAL ERROR|^<---|^----- Native|^heapwarden/.test(line));
    // By what V8 sees that the limit is reached differs from run to run, too.
    const fatal = lines.map((line) => line.replace(/^(FATAL ERROR: ).*(Allocation failed)/, '$1$2'));
    ends.push({ code, signal, stdout, fatal });
  }
  assert.deepEqual(ends[1], ends[0]);
});

test('Node\'s own snapshot at the limit is written beside the report', {
  // Node 18 has the same slow snapshot: one of them is enough.
  skip: needsBridge.skip || process.version.startsWith('v20.') && 'V8 takes half a minute for it',
}, async (t) => {
  const directory = folder(t);
  const flags = ['--heapsnapshot-near-heap-limit=1', `--diagnostic-dir=${directory}`];
  const end = await die(node, byName('collection-array').file, { limitMB: SMALL_MB, directory, flags });
  assert.equal(wrongEnd(end), undefined);
  const [report] = await finalReports(directory);
  assert.equal(report.culprits[0].constructorName, 'LogEntry');
  assert.equal(fs.readdirSync(directory).filter((name) => name.startsWith('Heap.')).length, 1, `${fs.readdirSync(directory)}`);
});

test('the snapshot is kept if it is asked for', needsBridge, async (t) => {
  const directory = folder(t);
  const env = { HEAPWARDEN_HEAP_LIMIT_SNAPSHOT: '1' };
  await die(node, byName('collection-array').file, { limitMB: SMALL_MB, directory, env });
  const [report] = await finalReports(directory);
  conforms(report);
  assert.equal(report.files.length, 1, report.evidence.reason);
  assert.match(path.basename(report.files[0]), /^heapwarden-\d{8}T\d{6}-\d{3}Z-\d+-0-0\.heapsnapshot$/);
  assert.ok(JSON.parse(fs.readFileSync(report.files[0], 'utf8')).nodes.length > 0);
});

test('where nothing may be looked at there is a report of the limit alone', needsBridge, async (t) => {
  const directory = folder(t);
  const end = await die(node, byName('collection-array').file, { limitMB: SMALL_MB, directory, env: { HEAPWARDEN_EVIDENCE: 'none' } });
  assert.equal(wrongEnd(end), undefined);
  const [report] = reports(directory);
  conforms(report);
  assert.deepEqual([report.culprits, report.evidence.rung, report.evidence.reason], [[], 'none', 'evidence is switched off']);
});

test('where no look fits into the memory that is left the report says what is missing', {
  skip: needsBridge.skip || process.platform !== 'linux' && 'control groups are Linux\'s',
}, async (t) => {
  const directory = folder(t);
  const end = await die(node, byName('collection-array').file, { limitMB: 40, directory, env: withRoom(t, 50) });
  assert.equal(wrongEnd(end), undefined, end.stderr);
  const [report, ...more] = await finalReports(directory);
  assert.deepEqual(more, []);
  conforms(report);
  assert.deepEqual([report.culprits, report.census ?? null, report.evidence.rung], [[], null, 'none']);
  assert.match(report.evidence.reason, /^no snapshot in a clone: it may need \d+ MB of memory, and 50 MB are left; none inline: [^;]+$/);
});

test('where memory for a snapshot is short, objects are counted', {
  skip: needsBridge.skip || (process.platform !== 'linux' && 'control groups are Linux\'s'),
}, async (t) => {
  const directory = folder(t);
  const end = await die(node, fixture('chain.js'), { limitMB: 40, directory, env: withRoom(t, 130) });
  assert.equal(wrongEnd(end), undefined, end.stderr);
  const [report, ...more] = await finalReports(directory);
  assert.deepEqual(more, []);
  conforms(report);
  assert.match(report.evidence.reason, /^no snapshot in a clone: it may need \d+ MB of memory, and 130 MB are left/);
  if (Number(process.versions.node.split('.')[0]) < 20) return assert.equal(report.evidence.rung, 'none', 'nothing walks this heap');
  assert.deepEqual([report.evidence.rung, report.evidence.mode], ['census', 'clone'], report.evidence.reason);
  const links = report.census.find(({ constructorName }) => constructorName === 'Link');
  assert.ok(links?.count > 50_000, JSON.stringify(report.census));
});

test('as many looks are taken as are asked for, each at a higher limit', needsBridge, async (t) => {
  const directory = folder(t);
  // The last report's clone is waited for; before the second look the first one's is.
  const env = { HEAPWARDEN_HEAP_LIMIT_CAPTURES: '2', HEAPWARDEN_CRASH_WAIT_MS: '240000' };
  const end = await die(node, byName('collection-array').file, { limitMB: SMALL_MB, directory, env });
  assert.equal(wrongEnd(end), undefined, end.stderr);
  const found = await finalReports(directory);
  found.forEach(conforms);
  assert.deepEqual(found.map(({ culprits }) => culprits[0]?.constructorName), ['LogEntry', 'LogEntry']);
  const [first, second] = found.map(({ heapLimit }) => heapLimit).sort((a, b) => a.limitBytes - b.limitBytes);
  assert.ok(second.limitBytes >= first.raisedToBytes && second.raisedToBytes > second.limitBytes, JSON.stringify([first, second]));
});

test('a healthy program near its limit, and one for which it is switched off, leave nothing', async (t) => {
  const directory = folder(t);
  const healthy = await die(node, HEALTHY, { limitMB: 80, mode: '1500', directory });
  assert.deepEqual([healthy.code, healthy.stdout, healthy.stderr], [0, 'done 20000\n', '']);
  const off = await die(node, byName('collection-array').file, { limitMB: SMALL_MB, directory, env: { HEAPWARDEN_HEAP_LIMIT: 'off' } });
  assert.equal(wrongEnd(off), undefined);
  assert.deepEqual(reports(directory), []);
});

test('without the bridge Node writes a snapshot, if one is asked for', { skip: !bridgeIsOff }, async (t) => {
  const directory = folder(t);
  const env = { HEAPWARDEN_HEAP_LIMIT_SNAPSHOT: '1' };
  const end = await die(node, byName('collection-array').file, { limitMB: SMALL_MB, directory, env, cwd: directory });
  assert.equal(wrongEnd(end), undefined);
  assert.equal(fs.readdirSync(directory).filter((name) => name.startsWith('Heap.')).length, 1);
});

test('options are checked, and read from the environment', () => {
  const usual = { slackMB: undefined, snapshot: false, captures: 1, waitMs: 20_000 };
  assert.deepEqual(monitorOptions().heapLimit, usual);
  assert.equal(monitorOptions({ heapLimit: false }).heapLimit, undefined);
  assert.deepEqual(monitorOptions({ heapLimit: { slackMB: 8, captures: 2 } }).heapLimit, { ...usual, slackMB: 8, captures: 2 });
  for (const heapLimit of [null, 'on', [], { slackMB: 0 }, { slackMB: '8' }, { captures: 0 }, { snapshot: 1 }, { waitMs: -1 }]) {
    assert.throws(() => monitorOptions({ heapLimit }), { code: 'HEAPWARDEN_ERR_INVALID_ARG' }, JSON.stringify(heapLimit));
  }
  const given = environmentOptions({ HEAPWARDEN_HEAP_LIMIT_SLACK_MB: '64', HEAPWARDEN_HEAP_LIMIT_CAPTURES: '3', HEAPWARDEN_CRASH_WAIT_MS: '500' });
  assert.deepEqual(monitorOptions(given).heapLimit, { slackMB: 64, snapshot: false, captures: 3, waitMs: 500 });
  assert.equal(environmentOptions({ HEAPWARDEN_HEAP_LIMIT: 'off' }).heapLimit, false);
  assert.throws(() => environmentOptions({ HEAPWARDEN_HEAP_LIMIT: 'no' }), /"on" or "off"/);
});

test('a monitor that is stopped leaves V8 alone', needsBridge, async (t) => {
  const directory = folder(t);
  const script = `
    const { MemoryMonitor } = require(${JSON.stringify(path.resolve(__dirname, '..'))});
    const options = { directory: ${JSON.stringify(directory)} };
    for (let i = 0; i < 3; i++) new MemoryMonitor(options).start().stop();
    const [one, other] = [new MemoryMonitor(options).start(), new MemoryMonitor(options).start()];
    one.stop(); other.stop();
    const kept = [];
    for (;;) kept.push({ kept: kept.length });`;
  const { code, signal, stderr } = await run(['--max-old-space-size=40', '-e', script]);
  assert.equal(wrongEnd({ code, signal, stderr }), undefined, stderr);
  assert.deepEqual(reports(directory), []);
});

