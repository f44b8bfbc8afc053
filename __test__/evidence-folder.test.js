'use strict';

// What somebody who can write to the evidence folder, or to the one above it, can do to the process: nothing but take evidence away.

const assert = require('node:assert');
const { execFileSync, spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { MemoryMonitor, readRecording, writeSnapshot } = require('..');
const { FileChannel } = require('../lib/channels/file');
const { tellDeaths } = require('../lib/deaths');
const { snapshotName } = require('../lib/snapshot');
const { ROOT, folder, run, sleep, until } = require('./support');

const unix = { skip: process.platform === 'win32' };
const linux = { skip: process.platform !== 'linux' };
const isRoot = process.getuid?.() === 0;
const PRECIOUS = 'precious\n';
const THEIRS = 54322;

/** A folder, and beside it a file that must stay as it is. */
function scene(t) {
  const root = folder(t);
  const victim = path.join(root, 'victim');
  fs.writeFileSync(victim, PRECIOUS, { mode: 0o644 });
  const directory = path.join(root, 'evidence');
  fs.mkdirSync(directory);
  const unharmed = () => {
    assert.equal(fs.readFileSync(victim, 'utf8'), PRECIOUS);
    assert.deepEqual([fs.statSync(victim).mode & 0o777, fs.statSync(victim).nlink >= 1], [0o644, true]);
  };
  return { root, directory, victim, unharmed };
}

const fifo = (place) => execFileSync('mkfifo', [place]);

/** What is at `place`: `file`, `link`, `folder`, `fifo`, or nothing. */
function kindAt(place) {
  const stat = fs.lstatSync(place, { throwIfNoEntry: false });
  return stat && (stat.isFile() ? 'file' : stat.isSymbolicLink() ? 'link' : stat.isDirectory() ? 'folder' : stat.isFIFO() ? 'fifo' : 'other');
}

/** A monitor's series at `place`: the quickest file of ours that appears whole. */
function exporter(t) {
  const monitor = new MemoryMonitor({ evidence: 'none', listeners: false }).start();
  t.after(() => monitor.stop());
  monitor.sample();
  return (place) => monitor.exportSeries({ path: place });
}

test('what is at a file\'s name is replaced, not followed, and nobody waits for it', unix, async (t) => {
  const { root, directory, victim, unharmed } = scene(t);
  const write = exporter(t);
  const place = path.join(directory, 'series.jsonl');
  const puts = {
    link: () => fs.symlinkSync(victim, place),
    'dangling link': () => fs.symlinkSync(path.join(root, 'nowhere'), place),
    fifo: () => fifo(place),
    'hard link': () => fs.linkSync(victim, place),
    device: () => fs.symlinkSync('/dev/zero', place),
  };
  for (const [what, put] of Object.entries(puts)) {
    put();
    await write(place);
    assert.deepEqual([what, kindAt(place), fs.statSync(place).mode & 0o777], [what, 'file', 0o600]);
    unharmed();
    fs.rmSync(place);
  }
  assert.equal(fs.existsSync(path.join(root, 'nowhere')), false);
  fs.mkdirSync(path.join(place, 'sub'), { recursive: true });
  await assert.rejects(write(place), { code: 'HEAPWARDEN_ERR_IO' });
  assert.deepEqual(fs.readdirSync(directory), ['series.jsonl'], 'nothing temporary is left');
});

test('a temporary name that somebody guessed is stepped over', unix, async (t) => {
  const { directory, victim, unharmed } = scene(t);
  const place = path.join(directory, 'a.heapsnapshot');
  const guessed = Array.from({ length: 300 }, (_, i) => path.join(directory, `.a.heapsnapshot.${process.pid}-${i}.tmp`));
  guessed.forEach((name, i) => (i % 2 ? fs.symlinkSync(victim, name) : fs.symlinkSync(path.join(directory, 'nowhere'), name)));
  await writeSnapshot({ path: place, summary: false });
  unharmed();
  assert.equal(kindAt(place), 'file');
  assert.ok(guessed.every((name) => kindAt(name) === 'link'));
  assert.equal(fs.existsSync(path.join(directory, 'nowhere')), false);
});

test('a folder that is a link is the one that it leads to; one that leads nowhere is an error', unix, async (t) => {
  const { root, directory } = scene(t);
  const write = exporter(t);
  fs.symlinkSync(directory, path.join(root, 'link'));
  await write(path.join(root, 'link', 'a.jsonl'));
  assert.deepEqual(fs.readdirSync(directory), ['a.jsonl']);
  fs.symlinkSync(path.join(root, 'nowhere'), path.join(root, 'dangling'));
  await assert.rejects(write(path.join(root, 'dangling', 'a.jsonl')), { code: 'HEAPWARDEN_ERR_IO' });
  assert.equal(fs.existsSync(path.join(root, 'nowhere')), false);
  fifo(path.join(root, 'fifo'));
  await assert.rejects(write(path.join(root, 'fifo', 'a.jsonl')), { code: 'HEAPWARDEN_ERR_IO' });
});

/** A process that puts other things at `place`, as fast as it can, until it is told to stop. */
async function racing(t, place, victim) {
  const source = `
    const fs = require('node:fs');
    const [place, victim, fifo] = process.argv.slice(1);
    let n = 0;
    const put = [
      (at) => fs.symlinkSync(victim, at), (at) => fs.symlinkSync('/nowhere', at), (at) => fs.linkSync(fifo, at), (at) => fs.writeFileSync(at, '{}'),
      (at) => fs.mkdirSync(at), (at) => fs.symlinkSync('/dev/zero', at),
    ];
    const swap = () => {
      const next = place + '.next' + n;
      try { put[n++ % put.length](next); fs.rmSync(place, { recursive: true, force: true }); fs.renameSync(next, place); } catch { try { fs.rmSync(next, { recursive: true, force: true }); } catch {} }
    };
    process.stdin.on('data', () => {}).on('end', () => { console.log(n); process.exit(); });
    console.log('ready');
    (function loop() { for (let i = 0; i < 20; i++) swap(); setImmediate(loop); })();
  `;
  const pipe = `${place}.fifo`;
  fifo(pipe);
  const child = spawn(process.execPath, ['-e', source, place, victim, pipe], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  let output = '';
  child.stdout.setEncoding('utf8').on('data', (text) => { output += text; });
  await until(() => output.includes('ready'), 'the other process');
  return async () => {
    child.stdin.end();
    await once(child, 'close');
    return Number(output.trim().split('\n').pop());
  };
}

/** Within that a call has to be over: none waits for what never comes. */
const within = (promise, what) => Promise.race([promise.then(() => 'done', (error) => error.code ?? 'failed'), sleep(20_000).then(() => { throw new Error(`${what} hangs`); })]);

test('a name that changes between the look and the opening: written, appended to and read, nobody waits and nothing is followed', unix, async (t) => {
  const { directory, victim, unharmed } = scene(t);
  // As /tmp is: others may write to it.
  fs.chmodSync(directory, 0o777);
  const write = exporter(t);
  const recording = path.join(directory, `heapwarden-flight-20260101T000000-000Z-${process.pid}-0.hwr`);
  const report = path.join(directory, `heapwarden-leak-20260101T000000-000Z-${process.pid}-0.json`);
  const alerts = path.join(directory, 'alerts.jsonl');
  const channel = new FileChannel({ path: alerts, maxBytes: 2048 });
  let outcomes = 0;
  channel.onOutcome = () => { outcomes += 1; };
  const stops = await Promise.all([recording, report, alerts].map((place) => racing(t, place, victim)));
  const until_ = Date.now() + 2500;
  let rounds = 0;
  let sent = 0;
  while (Date.now() < until_) {
    rounds += 1;
    await within(write(alerts), 'a file that is written');
    await within(tellDeaths(directory, () => {}), 'the look at those who died before');
    // Synchronous: if it waited, so would this test, for ever.
    for (let i = 0; i < 20; i++) {
      try {
        readRecording(recording);
      } catch (error) {
        assert.match(error.code, /^HEAPWARDEN_ERR_/);
      }
    }
    if (channel.waiting < 32) {
      channel.send({ n: rounds, secret: 'x'.repeat(200) });
      sent += 1;
    }
  }
  await within(channel.drain(10_000), 'the file of alerts');
  const swaps = await Promise.all(stops.map((stop) => stop()));
  assert.ok(rounds >= 5 && swaps.every((count) => count > 50), `${rounds} rounds, ${swaps} swaps`);
  assert.equal(outcomes, sent, 'each alert came to an end');
  unharmed();
});

test('alerts are not appended to what somebody has put into a folder that all may write to', unix, async (t) => {
  const { root, directory, victim, unharmed } = scene(t);
  const place = path.join(directory, 'alerts.jsonl');
  const send = async () => {
    const channel = new FileChannel({ path: place, maxBytes: 1e6 });
    const outcomes = [];
    channel.onOutcome = (...outcome) => outcomes.push(outcome[0]);
    channel.send({ secret: 1 });
    await within(channel.drain(5000), 'the channel');
    return outcomes;
  };
  fs.chmodSync(directory, 0o1777);
  const puts = [
    () => fs.symlinkSync(victim, place), () => fs.symlinkSync(path.join(root, 'nowhere'), place), () => fs.linkSync(victim, place), () => fifo(place),
    () => fs.symlinkSync('/dev/null', place),
    ...(isRoot ? [() => { fs.writeFileSync(place, ''); fs.chownSync(place, THEIRS, THEIRS); }] : []),
  ];
  for (const put of puts) {
    put();
    assert.deepEqual(await send(), ['failed'], put.toString());
    unharmed();
    fs.rmSync(place);
  }
  assert.deepEqual(await send(), ['sent']);
  assert.equal(fs.statSync(place).mode & 0o777, 0o600);
  // In a folder of one's own one may have made a link of it.
  fs.chmodSync(directory, 0o700);
  fs.rmSync(place);
  fs.symlinkSync(path.join(root, 'elsewhere.jsonl'), place);
  assert.deepEqual(await send(), ['sent']);
  assert.match(fs.readFileSync(path.join(root, 'elsewhere.jsonl'), 'utf8'), /secret/);
});

/** A registered program that lives until its stdin ends, and what it said. */
async function registered(t, directory, env) {
  const source = 'console.log("ready"); setInterval(() => { globalThis.kept = new Array(1000).fill(0); }, 5).unref(); process.stdin.resume().on("end", () => process.exit(7));';
  const child = spawn(process.execPath, ['-r', path.join(ROOT, 'lib', 'register.js'), '-e', source], {
    cwd: ROOT, env: { ...process.env, HEAPWARDEN_DIR: directory, HEAPWARDEN_INTERVAL_MS: '20', ...env }, stdio: ['pipe', 'pipe', 'pipe'],
  });
  t.after(() => child.kill('SIGKILL'));
  const told = { child, stderr: '' };
  child.stderr.setEncoding('utf8').on('data', (text) => { told.stderr += text; });
  const closed = once(child, 'close');
  await once(child.stdout, 'data');
  told.end = async () => {
    child.stdin.end();
    const [code, signal] = await closed;
    return signal ?? code;
  };
  return told;
}

test('a recording that is cut off, overwritten or removed under the process does not end it', linux, async (t) => {
  const done = [
    (file) => fs.truncateSync(file, 0), (file) => fs.truncateSync(file, 5000), (file) => fs.rmSync(file), (file) => fs.writeFileSync(file, Buffer.alloc(2 ** 20, 0xff)),
    (file) => { fs.rmSync(file); fifo(file); },
  ];
  for (const harm of done) {
    const { directory } = scene(t);
    const told = await registered(t, directory, { HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2' });
    await until(() => fs.readdirSync(directory).some((name) => name.endsWith('.hwr')), 'the recording');
    harm(path.join(directory, fs.readdirSync(directory).find((name) => name.endsWith('.hwr'))));
    await sleep(200);
    told.child.kill('SIGUSR2');
    await until(() => told.stderr.includes('snapshot written') || told.child.exitCode !== null, 'a snapshot');
    assert.equal(await told.end(), 7, `${harm}: ${told.stderr}`);
  }
});

test('a folder that is replaced while the process runs costs evidence, and the process nothing', linux, async (t) => {
  const { root, directory, unharmed } = scene(t);
  const elsewhere = path.join(root, 'elsewhere');
  fs.mkdirSync(elsewhere);
  const told = await registered(t, directory, { HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2' });
  let asked = 0;
  const ask = async () => {
    asked += 1;
    told.child.kill('SIGUSR2');
    await until(() => (told.stderr.match(/^heapwarden: (no snapshot|snapshot written)/gm) ?? []).length === asked || told.child.exitCode !== null, `answer ${asked}`);
  };
  await until(() => fs.readdirSync(directory).length > 0, 'the recording');
  fs.renameSync(directory, path.join(root, 'moved'));
  fifo(directory);
  await ask();
  assert.match(told.stderr, /no snapshot: .*(Not a directory|File exists)/);
  fs.rmSync(directory);
  fs.symlinkSync(elsewhere, directory);
  await ask();
  assert.equal(fs.readdirSync(elsewhere).filter((name) => name.endsWith('.heapsnapshot')).length, 1, 'a link is followed: whoever may put one there has the folder');
  assert.equal(await told.end(), 7, told.stderr);
  unharmed();
  const [name] = fs.readdirSync(path.join(root, 'moved'));
  assert.equal(readRecording(path.join(root, 'moved', name)).end.exitCode, 7, 'the recording went on where it was');
});

test('what is named like ours and is none is neither waited for, followed nor removed', unix, async (t) => {
  const { directory, victim, unharmed } = scene(t);
  const old = (minute) => snapshotName(false, new Date(minute * 60_000));
  const recorded = (minute) => `heapwarden-flight-20200101T00000${minute}-000Z-1-0.hwr`;
  fs.symlinkSync(victim, path.join(directory, old(1)));
  fs.mkdirSync(path.join(directory, old(2)));
  fifo(path.join(directory, old(3)));
  fifo(path.join(directory, recorded(1)));
  fs.symlinkSync(victim, path.join(directory, recorded(2)));
  fs.mkdirSync(path.join(directory, recorded(3)));
  fifo(path.join(directory, 'heapwarden-leak-20200101T000000-000Z-1-0.json'));
  fs.mkdirSync(path.join(directory, '.heapwarden-flight-20200101T000009-000Z-1-0.hwr.told'));
  const there = fs.readdirSync(directory).sort();
  // A name of ours for a file that has another: what goes is the name.
  const linked = path.join(directory, old(4));
  fs.linkSync(victim, linked);
  const script = `
    const { MemoryMonitor, writeSnapshot } = require(${JSON.stringify(ROOT)});
    const directory = ${JSON.stringify(directory)};
    const monitor = new MemoryMonitor({ directory, intervalMs: 20, evidence: 'none', blackBox: process.platform === 'linux' && { files: 1 }, logger: { warn() {} } }).start();
    setTimeout(() => writeSnapshot({ directory, maxFiles: 1, summary: false }).then(() => monitor.stop()), 500);
  `;
  const { code, stderr } = await run(['-e', script], { deadlineMs: 60_000 });
  assert.equal(code, 0, stderr);
  const left = fs.readdirSync(directory);
  assert.deepEqual(there.filter((name) => !left.includes(name)), []);
  assert.equal(fs.existsSync(linked), false);
  unharmed();
});

test('a folder of somebody else\'s is used as far as it may be, and their files are left alone', { skip: !isRoot || process.platform !== 'linux' }, async (t) => {
  const { root, directory } = scene(t);
  fs.chmodSync(root, 0o755);
  const mine = 54321;
  const user = (code) => spawnSync('setpriv', ['--reuid', `${mine}`, '--regid', `${mine}`, '--clear-groups', process.execPath, '-e', code], {
    encoding: 'utf8', env: { ...process.env, NODE_TEST_CONTEXT: undefined, TMPDIR: '/tmp' },
  });
  if (user(`require(${JSON.stringify(ROOT)})`).status !== 0) return t.skip('the repository cannot be read by another user');
  const write = `require(${JSON.stringify(ROOT)}).writeSnapshot({ directory: ${JSON.stringify(directory)}, maxFiles: 1, summary: false })
    .then(({ path, evicted }) => console.log(path, evicted.length), ({ code, message }) => console.log(code, message));`;
  fs.chownSync(directory, THEIRS, THEIRS);
  fs.chmodSync(directory, 0o755);
  assert.match(user(write).stdout, /^HEAPWARDEN_ERR_IO cannot create .*Permission denied/);
  fs.chmodSync(directory, 0o1777);
  const theirs = path.join(directory, snapshotName(false, new Date(0)));
  fs.writeFileSync(theirs, 'x');
  fs.chownSync(theirs, THEIRS, THEIRS);
  const { stdout } = user(write);
  assert.match(stdout, / 0\n$/);
  const written = stdout.split(' ')[0];
  assert.deepEqual([fs.statSync(written).uid, fs.statSync(written).mode & 0o777, fs.existsSync(theirs)], [mine, 0o600, true]);
  return undefined;
});

test('what is no regular file is no recording, and nobody waits to see', unix, (t) => {
  const place = path.join(folder(t), 'a.hwr');
  fifo(place);
  const message = /it is no regular file/;
  assert.throws(() => readRecording(place), { code: 'HEAPWARDEN_ERR_IO', message });
  assert.throws(() => readRecording('/dev/zero'), { code: 'HEAPWARDEN_ERR_IO', message });
  assert.throws(() => readRecording(path.dirname(place)), { code: 'HEAPWARDEN_ERR_IO', message });
});
