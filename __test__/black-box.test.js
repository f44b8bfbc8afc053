'use strict';

// The black box as a program sees it: where it is, what it holds, and what it must not do to its host.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { MemoryMonitor, readRecording } = require('..');
const { ROOT, folder, gc, run, until } = require('./support');

const linux = { skip: process.platform !== 'linux' };
const EVENTS = ['exit', 'uncaughtExceptionMonitor', 'uncaughtException', 'unhandledRejection', 'SIGTERM'];
const listeners = () => EVENTS.map((event) => process.listenerCount(event));

const monitorIn = (directory, options = {}) => new MemoryMonitor({ intervalMs: 20, evidence: 'none', listeners: false, directory, ...options });
const names = (directory) => fs.readdirSync(directory).filter((name) => name.endsWith('.hwr')).sort();
const read = (directory) => names(directory).map((name) => readRecording(path.join(directory, name)));

test('samples, floors and whose they are, while it runs and after', linux, async (t) => {
  const directory = path.join(folder(t), 'made');
  const monitor = monitorIn(directory);
  assert.strictEqual(monitor.recordingPath, null);
  const last = [];
  monitor.on('sample', (sample) => last.push(sample));
  monitor.start();
  const file = monitor.recordingPath;
  assert.match(path.basename(file), new RegExp(`^heapwarden-flight-\\d{8}T\\d{6}-\\d{3}Z-${process.pid}-0\\.hwr$`));
  await until(() => last.length >= 3, 'three samples');
  gc();
  // Without the bridge the collection is known some turns later.
  await until(() => monitor.sample().postGcFloor !== null, 'a floor');
  const during = readRecording(file);
  assert.deepStrictEqual([during.alive, during.life.ended, during.damage], [true, 'unknown', []]);
  assert.ok(during.header.heapLimit > 0 && during.header.intervalMs === 20 && during.header.pid === process.pid);
  assert.strictEqual(during.header.node, process.version);
  assert.strictEqual(during.header.title, `${process.title} ${path.basename(process.argv[1])}`);
  const { mode, size } = fs.statSync(file);
  assert.deepStrictEqual([mode & 0o777, size], [0o600, 2 ** 20]);
  monitor.stop();
  const after = readRecording(file);
  assert.deepStrictEqual([after.alive, after.life.ended, after.end.kind, after.end.exitCode], [false, 'clean', 'stopped', null]);
  assert.strictEqual(monitor.recordingPath, null);
  // All that was delivered is there, as it was delivered.
  assert.ok(after.samples.length >= last.length);
  const [sample] = last;
  const { status, kind, ...recorded } = after.samples.find(({ timestamp }) => timestamp === sample.timestamp);
  assert.deepStrictEqual(recorded, sample);
  assert.deepStrictEqual([status, kind], ['warming-up', 'none']);
  const floors = after.events.filter(({ type }) => type === 'major-gc');
  assert.ok(floors.length >= 1 && floors.at(-1).usedBytes === after.samples.at(-1).postGcFloor, JSON.stringify(floors));
  assert.strictEqual(after.verdict.status, after.lastSample.status);
});

test('it is there where a directory is given or it is asked for, and not where it is switched off', linux, async (t) => {
  const directory = folder(t);
  monitorIn(directory).start().stop();
  monitorIn(directory, { blackBox: false }).start().stop();
  const none = new MemoryMonitor({ evidence: 'none', listeners: false }).start();
  assert.strictEqual(none.recordingPath, null);
  none.stop();
  assert.strictEqual(names(directory).length, 1);
  const off = path.join(directory, 'off');
  const env = { HEAPWARDEN_DIR: off, HEAPWARDEN_BLACK_BOX: 'off' };
  const { code, stderr } = await run(['--require', 'heapwarden/register', '-e', '0'], { env });
  assert.deepStrictEqual([code, stderr, fs.existsSync(off)], [0, '', false]);
  const small = { HEAPWARDEN_DIR: off, HEAPWARDEN_BLACK_BOX_BYTES: '300000' };
  await run(['--require', 'heapwarden/register', '-e', '0'], { env: small });
  assert.deepStrictEqual(read(off).map(({ header }) => header.bytes), [303_104]);
});

test('each start is a file of its own, and the oldest make way', linux, async (t) => {
  const directory = folder(t);
  const alive = monitorIn(directory, { blackBox: { files: 3, bytes: 2 ** 18 } }).start();
  const monitor = monitorIn(directory, { blackBox: { files: 3, bytes: 2 ** 18 } });
  const made = [];
  for (let i = 0; i < 5; i++) {
    made.push(monitor.start().recordingPath);
    monitor.stop();
  }
  assert.strictEqual(new Set(made).size, 5);
  const left = () => names(directory).map((name) => path.join(directory, name));
  // Room is made beside the program; the last one to start makes the last of it.
  await until(() => left().length === 4, 'room');
  assert.deepStrictEqual(left(), [alive.recordingPath, ...made.slice(2)], 'the one that is being written neither goes nor counts');
  alive.stop();
});

test('a place that cannot be written to is one error event, and the monitor runs', linux, async () => {
  const monitor = monitorIn('/dev/null/x');
  const errors = [];
  const before = listeners();
  let samples = 0;
  monitor.on('error', (error) => errors.push(error.code)).on('sample', () => { samples += 1; }).start();
  await until(() => samples >= 3, 'samples');
  assert.deepStrictEqual([errors, monitor.recordingPath, listeners()], [['HEAPWARDEN_ERR_IO'], null, before]);
  monitor.stop();
});

test('listeners are there once, however many monitors, and gone after the last stop', linux, (t) => {
  const directory = folder(t);
  const before = listeners();
  const monitors = Array.from({ length: 12 }, () => monitorIn(directory, { blackBox: { bytes: 2 ** 18 } }).start());
  assert.deepStrictEqual(listeners(), [before[0] + 1, before[1] + 1, ...before.slice(2)]);
  monitors.forEach((monitor) => monitor.stop());
  assert.deepStrictEqual(listeners(), before);
});

test('a worker has a recording of its own, with its own end', linux, async (t) => {
  const directory = folder(t);
  const ends = [
    ['process.exit(4)', ({ end }) => assert.deepStrictEqual([end.kind, end.exitCode], ['exit', 4])],
    ['', ({ end }) => assert.deepStrictEqual([end.kind, end.exitCode], ['exit', 0])],
    ['throw new Error("of a worker")', ({ life }) => assert.match(`${life.ended} ${life.exception.text}`, /^uncaught Error: of a worker/)],
    ['parentPort.postMessage(0); setInterval(() => {}, 1000)', ({ end }) => assert.strictEqual(end.kind, 'teardown')],
  ];
  for (const [index, [script, check]] of ends.entries()) {
    const own = path.join(directory, String(index));
    const worker = new Worker(`
      const { parentPort } = require('node:worker_threads');
      const { MemoryMonitor } = require(${JSON.stringify(ROOT)});
      new MemoryMonitor({ intervalMs: 20, directory: ${JSON.stringify(own)}, evidence: 'none', blackBox: { bytes: 2 ** 18 } }).start();
      setTimeout(() => { ${script} }, 50);
    `, { eval: true });
    worker.on('error', () => {});
    worker.on('message', () => worker.terminate());
    await new Promise((resolve) => { worker.on('exit', resolve); });
    const all = read(own);
    assert.deepStrictEqual(all.map(({ header }) => header.threadId > 0), [true]);
    check(all[0]);
  }
});

test('what is left of a torn file is told, and what is no recording is refused', linux, (t) => {
  const directory = folder(t);
  const monitor = monitorIn(directory).start();
  for (let i = 0; i < 20; i++) monitor.sample();
  monitor.stop();
  const [name] = names(directory);
  const file = path.join(directory, name);
  const whole = fs.readFileSync(file);
  fs.writeFileSync(file, whole.subarray(0, 700_000));
  const cut = readRecording(file);
  assert.ok(cut.damage.some(({ part, offset }) => part === 'file' && offset === 700_000));
  assert.ok(cut.samples.length >= 20);
  whole[0] ^= 1;
  whole[3 * 4096] ^= 1;
  fs.writeFileSync(file, whole);
  assert.throws(() => readRecording(file), { code: 'HEAPWARDEN_ERR_RECORDING', offset: 0 });
  assert.throws(() => readRecording(path.join(directory, 'none')), { code: 'HEAPWARDEN_ERR_IO' });
  assert.throws(() => readRecording(5), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
});

test('mistakes in the options are named', () => {
  const wrong = (blackBox) => assert.throws(() => new MemoryMonitor({ blackBox }), { code: 'HEAPWARDEN_ERR_INVALID_ARG', message: /^blackBox/ });
  [5, null, 'on', [], { files: 0 }, { files: 1.5 }, { bytes: '1' }, { bytes: 1000 }].forEach(wrong);
});

test('a leak leaves its report and the last look at the heap', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const { code, stderr } = await run(['--require', 'heapwarden/register', path.join(__dirname, 'fixtures', 'leaky.js')], {
    env: { HEAPWARDEN_DIR: directory, HEAPWARDEN_INTERVAL_MS: '20' },
  });
  assert.strictEqual(code, 0, stderr);
  const [{ report, summary, events, verdict, damage }] = read(directory);
  assert.deepStrictEqual(damage, []);
  assert.strictEqual(report.value.culprits[0].constructorName, 'Session');
  assert.ok(summary.value.constructors.some(({ constructorName }) => constructorName === 'Session'), JSON.stringify(summary));
  assert.strictEqual(report.value.verdict.status, 'leak');
  assert.ok(events.some(({ type, status }) => type === 'verdict' && status === 'leak'));
  // A look at the suspicion that is still fresh is the leak's too.
  assert.ok(events.some(({ type, what }) => type === 'capture' && /^(leak|suspect), /.test(what)), JSON.stringify(events));
  assert.ok(report.value.verdict.evidence.floors > 0);
  // Where the process stood last still. Its own floors may be older than its window by then: a look took long.
  assert.strictEqual(typeof verdict.evidence.floors, 'number');
});
