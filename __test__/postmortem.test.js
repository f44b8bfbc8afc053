'use strict';

// Of what processes died: `heapwarden postmortem`, and what the next start says of it.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const Ajv = require('ajv/dist/2020');
const { tellDeaths } = require('../lib/deaths');
const schema = require('../docs/postmortem.schema.json');
const { ROOT, bridgeIsOff, evaluate, folder, run, sleep } = require('./support');

const CLI = path.join(ROOT, 'lib/cli/main.js');
const isTime = (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) && !Number.isNaN(Date.parse(text));
const validate = new Ajv({ strict: true, allErrors: true, allowUnionTypes: true, formats: { 'date-time': isTime } }).compile(schema);

const linux = { skip: process.platform !== 'linux' && 'there is no black box here' };
/** A program under register, recorded into `directory`. */
const recorded = (directory, script, env = {}) => evaluate(script, {
  env: {
    HEAPWARDEN_DIR: directory, HEAPWARDEN_INTERVAL_MS: '50', HEAPWARDEN_EVIDENCE: 'none', HEAPWARDEN_LISTENERS: 'off',
    NODE_OPTIONS: '--require heapwarden/register', ...env,
  },
});
const DIES = 'setTimeout(() => process.kill(process.pid, "SIGKILL"), 300)';
const ENDS = 'setTimeout(() => {}, 100)';
/** Has a program do something when there are so many files of a kind beside its own recording, and a moment later. */
const whenThereAre = (count, pattern, action) => `
  const waiting = setInterval(() => {
    const names = require('node:fs').readdirSync(process.env.HEAPWARDEN_DIR);
    if (names.filter((name) => ${pattern}.test(name)).length < ${count}) return;
    clearInterval(waiting);
    setTimeout(() => { ${action} }, 400);
  }, 20);
`;

/** What the command says as JSON, held against its schema. */
async function postmortem(...places) {
  const { code, stdout, stderr } = await run([CLI, 'postmortem', '--json', ...places]);
  assert.equal(code, 0, stderr);
  const document = JSON.parse(stdout);
  assert.ok(validate(document), JSON.stringify(validate.errors, null, 2));
  return document;
}

test('of a directory the newest bad end is told and the others are listed', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  for (const script of [DIES, 'process.exit(3)', ENDS]) await recorded(directory, script);
  const { finding, others, unreadable } = await postmortem(directory);
  assert.deepEqual([finding.cause.kind, finding.cause.certainty, finding.cause.exitCode], ['killed', 'inferred', 137]);
  assert.ok(finding.series.length > 1 && finding.last.rssBytes > 0);
  assert.deepEqual(others.map(({ cause }) => [cause.kind, cause.exitCode]), [['clean-exit', 0], ['exit', 3]]);
  assert.deepEqual(unreadable, []);
  const one = await postmortem(others[1].file);
  assert.deepEqual([one.finding.cause.kind, one.finding.cause.certainty, one.others], ['exit', 'certain', []]);

  const plain = await run([CLI, 'postmortem', directory, '--ascii']);
  assert.equal(plain.code, 0, plain.stderr);
  // eslint-disable-next-line no-control-regex
  assert.match(plain.stdout, /^[\x0a\x20-\x7e]+$/);
  assert.match(plain.stdout, /^KILLED \(inferred\): /m);
  assert.match(plain.stdout, /# floor {2}\+ heap/);
  assert.match(plain.stdout, /exit \s+pid \d+/);
  const blocks = await run([CLI, 'postmortem', directory], { env: { LC_ALL: 'C.UTF-8' } });
  assert.match(blocks.stdout, /█ floor/);
  for (const { stdout } of [plain, blocks]) assert.ok(stdout.split('\n').every((line) => line.length <= 100), stdout);
});

test('exceptions and fatal signals are told with what was recorded of them', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const thrown = await recorded(directory, 'setTimeout(() => { throw new TypeError("no such order") }, 100)');
  assert.equal(thrown.code, 1);
  const first = await postmortem(directory);
  assert.deepEqual([first.finding.cause.kind, first.finding.cause.certainty, first.finding.cause.exitCode], ['uncaught-exception', 'certain', 1]);
  assert.match(first.finding.exception.text, /no such order/);
  await recorded(directory, 'setTimeout(() => process.abort(), 100)');
  const second = await postmortem(directory);
  assert.deepEqual([second.finding.cause.kind, second.finding.cause.signal, second.finding.cause.exitCode], ['fatal-error', 'SIGABRT', 134]);
});

test('what cannot be read is said, with exit code 1', linux, async (t) => {
  const directory = folder(t);
  const empty = await run([CLI, 'postmortem', directory]);
  assert.deepEqual([empty.code, empty.stdout], [1, '']);
  assert.match(empty.stderr, /expected a recording .*, found none/);
  const missing = await run([CLI, 'postmortem', path.join(directory, 'nothing')]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /cannot open .*nothing: No such file/);
  const file = path.join(directory, 'heapwarden-flight-20261121T131218-123Z-7-0.hwr');
  fs.writeFileSync(file, 'not a recording');
  for (const place of [file, directory]) {
    const torn = await run([CLI, 'postmortem', place]);
    assert.equal(torn.code, 1, torn.stdout);
    assert.match(torn.stderr, /not a flight recording: expected /);
  }
  const two = await run([CLI, 'postmortem', 'a', 'b']);
  assert.deepEqual([two.code, two.stdout], [2, '']);
});

test('the next start tells of a death, once, and writes it down', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const first = await recorded(directory, DIES);
  assert.equal(first.signal, 'SIGKILL');
  assert.equal(first.stderr, '', 'nobody died before');
  const seen = whenThereAre(1, /^heapwarden-postmortem-/, '');
  const both = await Promise.all([recorded(directory, seen), recorded(directory, seen)]);
  const lines = both.flatMap(({ stderr }) => stderr.split('\n')).filter((line) => line.includes('did not end cleanly'));
  assert.equal(lines.length, 1, both.map(({ stderr }) => stderr).join('\n---\n'));
  assert.match(lines[0], /^heapwarden: Process \d+ did not end cleanly: .*; heapwarden postmortem .*\.hwr$/);
  const written = fs.readdirSync(directory).filter((name) => name.startsWith('heapwarden-postmortem-'));
  assert.equal(written.length, 1, `${written}`);
  const finding = JSON.parse(fs.readFileSync(path.join(directory, written[0]), 'utf8'));
  assert.ok(validate({ schemaVersion: 1, place: directory, finding, others: [], unreadable: [] }), JSON.stringify(validate.errors, null, 2));
  const waits = 'setTimeout(() => {}, 1000)';
  const third = await recorded(directory, waits);
  assert.equal(third.stderr, '', 'told already, and the others ended well');
  const off = await recorded(directory, DIES).then(() => recorded(directory, waits, { HEAPWARDEN_POSTMORTEM: 'off' }));
  assert.equal(off.stderr, '');
});

test('of many that look at once one tells, and marks of recordings that are gone go', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  await recorded(directory, DIES);
  const orphan = path.join(directory, '.heapwarden-flight-20200101T000000-000Z-1-0.hwr.told');
  fs.writeFileSync(orphan, '');
  const told = [];
  await Promise.all(Array.from({ length: 20 }, () => tellDeaths(directory, (finding) => told.push(finding))));
  assert.deepEqual(told.map(({ cause }) => cause.kind), ['killed']);
  assert.ok(!fs.existsSync(orphan));
  assert.equal(await tellDeaths(path.join(directory, 'nothing'), () => assert.fail()), 0);
});

test('a life that goes on is not a death', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const living = recorded(directory, 'setTimeout(() => {}, 3000)');
  while (!fs.existsSync(directory) || fs.readdirSync(directory).length === 0) await sleep(20);
  await sleep(200);
  const { finding, others } = await postmortem(directory);
  assert.equal(finding, null);
  assert.deepEqual(others.map(({ cause }) => cause.kind), ['running']);
  assert.equal(await tellDeaths(directory, () => assert.fail()), 0);
  await living;
});

test('a process that dies with its workers is one death', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const worker = 'setTimeout(() => {}, 60000)';
  await recorded(directory, `const { Worker } = require('node:worker_threads');
    for (let i = 0; i < 2; i++) new Worker(${JSON.stringify(worker)}, { eval: true });
    ${whenThereAre(3, /\.hwr$/, 'process.kill(process.pid, "SIGKILL")')}`);
  const { finding, others } = await postmortem(directory);
  assert.deepEqual([finding.threadId, ...others.map(({ threadId }) => threadId > 0)], [0, true, true]);
  const told = [];
  assert.equal(await tellDeaths(directory, ({ threadId }) => told.push(threadId)), 1);
  assert.deepEqual(told, [0]);
});

test('the monitor has an event for it', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  await recorded(directory, DIES);
  const { code, stdout, stderr } = await evaluate(`
    const { MemoryMonitor } = require('heapwarden');
    const monitor = new MemoryMonitor({ directory: ${JSON.stringify(directory)}, evidence: 'none' });
    monitor.on('postmortem', (finding) => { console.log(finding.cause.kind); process.exit(0); });
    monitor.start();
    setTimeout(() => {}, 20000);
  `);
  assert.deepEqual([code, stdout], [0, 'killed\n'], stderr);
});

test('death at V8\'s limit has the culprits of its report', { skip: linux.skip || (bridgeIsOff && 'nobody is told of the limit') }, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const program = path.join(ROOT, 'bench/container-deaths/program.js');
  const { signal } = await run(['--max-old-space-size=60', '--require', 'heapwarden/register', program, 'heap', '60'], {
    env: { HEAPWARDEN_DIR: directory, HEAPWARDEN_INTERVAL_MS: '500' },
  });
  assert.equal(signal, 'SIGABRT');
  const { finding } = await postmortem(directory);
  assert.deepEqual([finding.cause.kind, finding.cause.certainty, finding.cause.exitCode], ['heap-limit', 'certain', 134]);
  assert.deepEqual([finding.culprits[0]?.constructorName, finding.culpritsFrom?.reason], ['Order', 'heap-limit']);
});

// With the bridge or without, the container is the same.
test('death at a container\'s limit', { ...linux, skip: linux.skip || (bridgeIsOff && 'the same without the bridge') }, async (t) => {
  const { memoryGroup } = require('../bench/container-deaths/group');
  const { death } = require('../bench/container-deaths/run');

  for (const [kind, wanted] of [['heap', 'real'], ['buffers', 'stand-in'], ['blocked', 'stand-in']]) {
    const probe = memoryGroup(1 << 30, wanted);
    probe?.close();
    await t.test(`${kind}, ${wanted}`, { skip: !probe && 'no control group can be made here' }, async () => {
      const { end, finding, problem } = await death({ kind, limitMB: 160, rate: 60 }, { node: process.execPath, wanted });
      assert.equal(end.signal, 'SIGKILL', end.stderr);
      assert.equal(problem, '');
      assert.equal(finding.cause.kind, 'container-limit', JSON.stringify(finding.evidence, null, 2));
      assert.equal(finding.cause.exitCode, 137);
      assert.equal(finding.last.containerLimitBytes, 160 << 20);
      assert.ok(finding.last.containerHeldBytes > 0.6 * 160 * 2 ** 20, `${finding.last.containerHeldBytes}`);
    });
  }
});

test('a container that is nearly full is told of once, and its evidence is told after it', linux, async (t) => {
  const { memoryGroup } = require('../bench/container-deaths/group');
  const group = memoryGroup(512 << 20, 'stand-in');
  t.after(() => group.close());
  const script = `
    const { MemoryMonitor } = require(${JSON.stringify(ROOT)});
    const monitor = new MemoryMonitor({ evidence: 'auto', blackBox: false, listeners: false });
    for (const event of ['oom-risk', 'container-limit']) monitor.on(event, (told) => console.log(JSON.stringify({ event, told })));
    monitor.start();
    const held = [];
    // What is the process's own, as the group counts it: how much of node's file is mapped is not the same everywhere.
    const own = () => { const [, pages, files] = require('node:fs').readFileSync('/proc/self/statm', 'utf8').split(' '); return (pages - files) * 4096; };
    setTimeout(() => { while (own() < 484 << 20) held.push(Buffer.alloc(4 << 20, 1)); }, 300);
    setTimeout(() => process.exit(held.length > 0 ? 0 : 1), 5000);
  `;
  const { code, stdout, stderr } = await group.run([process.execPath, '-e', script], { env: process.env, cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] });
  assert.equal(code, 0, stderr);
  const told = stdout.trim().split('\n').map((line) => JSON.parse(line));
  assert.deepEqual(told.map(({ event }) => event), ['oom-risk', 'container-limit'], stdout);
  const [{ told: risk }, { told: report }] = told;
  assert.deepEqual([risk.kind, risk.limitBytes], ['container', 512 << 20]);
  assert.ok(isTime(risk.at) && risk.usedBytes >= { level: 0.92, pace: 0.7 }[risk.reason] * risk.limitBytes, stdout);
  assert.equal(report.reason, 'container-limit');
});
