'use strict';

// What snapshots take of a disk: budgets, free space, disks that fill up, compression from end to end, and snapshots on a signal.

const assert = require('node:assert');
const { execFileSync, spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const v8 = require('node:v8');
const zlib = require('node:zlib');
const { MemoryMonitor, summarizeSnapshot, writeSnapshot } = require('..');
const { clones } = require('../lib/clone');
const { capture, snapshotName } = require('../lib/snapshot');
const { folder, ROOT, until } = require('./support');

const unix = { skip: process.platform === 'win32' };
const MB = 1024 * 1024;
const modes = ['inline', ...(clones.available ? ['clone'] : [])];

/** The name of a snapshot that a process wrote `hours` ago, of `bytes` bytes, in `directory`. */
function older(directory, hours, bytes, compress) {
  const name = snapshotName(compress, new Date(Date.now() - hours * 3_600_000));
  fs.writeFileSync(path.join(directory, name), Buffer.alloc(bytes));
  return name;
}

/** The number of a process that has ended. */
function deadPid() {
  return Number(spawnSync(process.execPath, ['-p', 'process.pid'], { encoding: 'utf8' }).stdout);
}

for (const mode of modes) {
  test(`${mode}: the oldest of our own snapshots make way, by number and by length`, async (t) => {
    const directory = folder(t);
    const [second, third, first] = [older(directory, 2, 2 * MB), older(directory, 1, 2 * MB, 'zstd'), older(directory, 3, 2 * MB, 'gzip')];
    const theirs = ['mine.heapsnapshot', 'heapwarden-mine.heapsnapshot', 'heapwarden-leak-20200101T000000-000Z-1-0.json'];
    for (const name of theirs) fs.writeFileSync(path.join(directory, name), 'x');
    const dead = `.${first}.${deadPid()}-0.tmp`;
    const alive = `.${first}.${process.pid}-99.tmp`;
    for (const name of [dead, alive]) fs.writeFileSync(path.join(directory, name), 'x');

    const written = await writeSnapshot({ directory, mode, maxFiles: 3, summary: false });
    const own = path.basename(written.path);
    assert.equal(written.mode, mode);
    assert.deepEqual(written.evicted, [path.join(directory, first)]);
    assert.deepEqual(fs.readdirSync(directory).sort(), [second, third, own, alive, ...theirs].sort());

    const next = await writeSnapshot({ directory, mode, maxBytes: written.fileBytes * 2 + 3 * MB, summary: false });
    const last = path.basename(next.path);
    assert.deepEqual(next.evicted, [path.join(directory, second)], 'the younger fits beside the two real ones');
    assert.deepEqual(fs.readdirSync(directory).sort(), [third, own, last, alive, ...theirs].sort());
  });
}

test('the new one stays however long it is, and a file that somebody named makes nobody go', async (t) => {
  const directory = folder(t);
  const old = older(directory, 1, 10);
  const named = await writeSnapshot({ path: path.join(directory, 'a.heapsnapshot'), maxFiles: 1, maxBytes: 1, summary: false });
  assert.deepEqual([named.evicted, fs.readdirSync(directory).sort()], [[], ['a.heapsnapshot', old]]);
  const written = await writeSnapshot({ directory, maxBytes: 1, summary: false });
  assert.deepEqual(fs.readdirSync(directory).sort(), ['a.heapsnapshot', path.basename(written.path)]);
});

test('links are neither followed nor removed', unix, async (t) => {
  const [directory, elsewhere] = [folder(t), folder(t)];
  const target = path.join(elsewhere, 'precious');
  fs.writeFileSync(target, 'x');
  const links = [snapshotName(false, new Date(0)), `.${snapshotName()}.${deadPid()}-0.tmp`];
  for (const name of links) fs.symlinkSync(target, path.join(directory, name));
  const written = await writeSnapshot({ directory, maxFiles: 1, summary: false });
  assert.deepEqual(fs.readdirSync(directory).sort(), [...links, path.basename(written.path)].sort());
  assert.equal(fs.readFileSync(target, 'utf8'), 'x');
});

test('processes that write into one directory at a time keep it within its budget', async (t) => {
  const directory = folder(t);
  const script = `
    const { writeSnapshot } = require(${JSON.stringify(ROOT)});
    (async () => {
      for (let i = 0; i < 3; i++) await writeSnapshot({ directory: ${JSON.stringify(directory)}, maxFiles: 2, summary: false });
    })();
  `;
  const children = [1, 2, 3].map(() => spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'inherit', 'inherit'] }));
  const codes = await Promise.all(children.map((child) => once(child, 'exit')));
  assert.deepEqual(codes.map(([code]) => code), [0, 0, 0]);
  const names = fs.readdirSync(directory);
  assert.equal(names.length, 2, `${names}`);
});

test('budgets are checked', async () => {
  for (const options of [{ maxFiles: 0 }, { maxFiles: 1.5 }, { maxFiles: '3' }, { maxBytes: 0 }, { maxBytes: Infinity }]) {
    await assert.rejects(writeSnapshot(options), { code: 'HEAPWARDEN_ERR_INVALID_ARG', message: /^max(Files|Bytes): expected a whole number/ });
    assert.throws(() => new MemoryMonitor(options), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  }
});

/** A file system of `size` bytes in a fresh folder; nothing where this user may mount none. */
function smallDisk(t, size) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-test-'));
  const { status } = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', directory]);
  t.after(() => {
    if (status === 0) spawnSync('umount', ['-l', directory]);
    fs.rmSync(directory, { recursive: true });
  });
  return status === 0 ? directory : undefined;
}

test('where there is too little space nobody is stopped, no file is left, and the error has the numbers', unix, async (t) => {
  const directory = smallDisk(t, '1m');
  if (!directory) return t.skip('no file system may be mounted here');
  const dead = path.join(directory, `.${snapshotName()}.${deadPid()}-0.tmp`);
  fs.writeFileSync(dead, 'x');
  const taken = t.mock.method(v8, 'writeHeapSnapshot');
  for (const mode of modes) {
    for (const place of [{ directory }, { directory: path.join(directory, 'a', 'b') }, { path: path.join(directory, 'c', 'x.heapsnapshot') }]) {
      await assert.rejects(writeSnapshot({ ...place, mode }), (error) => {
        const numbers = /^too little space in (.*) for a snapshot of (\d+) MB of heap: expected (\d+) MB, found (\d+) MB$/.exec(error.message);
        assert.ok(numbers, error.message);
        const [, where, heap, expected, found] = numbers;
        assert.equal(error.code, 'HEAPWARDEN_ERR_NO_SPACE');
        assert.ok(where.startsWith(directory) && Number(expected) > Number(heap) && Number(found) <= 1, error.message);
        return true;
      });
    }
  }
  assert.equal(taken.mock.callCount(), 0);
  assert.deepEqual(fs.readdirSync(directory), [], 'not even a folder; what a dead process left was removed to make space');
  return undefined;
});

test('the growth is told where there is no space for its file', unix, async (t) => {
  const directory = smallDisk(t, '1m');
  if (!directory) return t.skip('no file system may be mounted here');
  const { capture: since } = await capture({ product: 'baseline', mode: 'inline' });
  const file = path.join(directory, snapshotName());
  const { growth, fileError, fileBytes } = await capture({ product: 'growth', since, file, mode: 'inline' });
  assert.ok(growth.constructors.length > 0);
  assert.deepEqual([fileError.code, fileBytes, fs.readdirSync(directory)], ['HEAPWARDEN_ERR_NO_SPACE', undefined, []]);
  return undefined;
});

for (const mode of modes) {
  for (const compress of [false, 'zstd']) {
    test(`${mode}, compress ${compress}: a disk that fills up is an error, nothing is left, and the process goes on`, unix, async (t) => {
      const directory = smallDisk(t, compress ? '200k' : '2m');
      if (!directory) return t.skip('no file system may be mounted here');
      // What is checked first must not see it coming.
      const { getHeapStatistics } = v8;
      const fooled = t.mock.method(v8, 'getHeapStatistics', () => ({ ...getHeapStatistics(), used_heap_size: 100_000 }));
      const full = { code: 'HEAPWARDEN_ERR_IO', message: /^cannot write .*No space left on device/ };
      for (const summary of [true, false]) {
        await assert.rejects(writeSnapshot({ directory, mode, compress, summary }), full);
        await assert.rejects(writeSnapshot({ path: path.join(directory, 'x'), mode, compress, summary }), full);
      }
      assert.deepEqual(fs.readdirSync(directory), []);
      assert.ok(fooled.mock.callCount() > 0);
      fooled.mock.restore();
      assert.ok((await writeSnapshot({ directory: folder(t), mode })).summary.nodeCount > 0);
      return undefined;
    });
  }

  test(`${mode}: the growth is told where the disk fills up under its file`, unix, async (t) => {
    const directory = smallDisk(t, '2m');
    if (!directory) return t.skip('no file system may be mounted here');
    const { capture: since } = await capture({ product: 'baseline', mode: 'inline' });
    const { getHeapStatistics } = v8;
    t.mock.method(v8, 'getHeapStatistics', () => ({ ...getHeapStatistics(), used_heap_size: 100_000 }));
    const { growth, fileError } = await capture({ product: 'growth', since, file: path.join(directory, snapshotName()), mode });
    assert.ok(growth.constructors.length > 0);
    assert.deepEqual([fileError.code, fs.readdirSync(directory)], ['HEAPWARDEN_ERR_IO', []]);
    return undefined;
  });

  test(`${mode}: a limit on the length of files is an error, not the end of the process`, unix, (t) => {
    const directory = folder(t);
    const script = `
      const { writeSnapshot } = require(${JSON.stringify(ROOT)});
      const options = ${JSON.stringify({ directory, mode })};
      writeSnapshot(options).catch(({ code, message }) => console.log(code, message));
    `;
    const { status, signal, stdout, stderr } = spawnSync(
      'sh', ['-c', 'ulimit -f 1024; exec "$@"', 'sh', process.execPath, '-e', script], { encoding: 'utf8' });
    assert.deepEqual([status, signal], [0, null], stderr);
    assert.match(stdout, /^HEAPWARDEN_ERR_IO cannot write .*File too large/);
    assert.deepEqual(fs.readdirSync(directory), []);
  });

  test(`${mode}: what was compressed is restored to the text that was analysed`, async (t) => {
    const directory = folder(t);
    // The systems' own tools, where there are any, and Node's for gzip.
    const tools = {
      gzip: [(file) => zlib.gunzipSync(fs.readFileSync(file)), tool('gunzip', '-c')],
      zstd: [tool('zstd', '-dc')],
    };
    for (const compress of ['gzip', 'zstd']) {
      const written = await writeSnapshot({ directory, mode, compress });
      assert.equal(written.mode, mode);
      assert.equal(written.fileBytes, fs.statSync(written.path).size);
      assert.ok(written.fileBytes < written.bytes / 2);
      assert.deepEqual(await summarizeSnapshot(written.path), written.summary);
      for (const restore of tools[compress].filter(Boolean)) {
        const text = restore(written.path);
        assert.equal(text.length, written.bytes);
        const { snapshot, nodes } = JSON.parse(text);
        assert.equal(nodes.length / snapshot.meta.node_fields.length, written.summary.nodeCount);
        const restored = path.join(directory, 'restored');
        fs.writeFileSync(restored, text);
        assert.deepEqual(await summarizeSnapshot(restored), written.summary);
      }
    }
  });
}

/** What `command` makes of a file, as bytes; nothing where there is no such command. */
function tool(command, ...args) {
  if (spawnSync(command, ['--version']).status !== 0) return undefined;
  return (file) => execFileSync(command, [...args, file], { maxBuffer: 2 ** 30 });
}

/** A program with heapwarden/register beside it, in a directory of its own. */
async function registered(t, env, flag = '--require', program = 'setInterval(() => {}, 1000)') {
  const directory = path.join(folder(t), 'evidence');
  const source = `${program}; console.log("ready"); process.stdin.resume().on("end", () => process.exit(5));`;
  const child = spawn(process.execPath, [flag, 'heapwarden/register', '-e', source], {
    // The folder is for what is tested here alone.
    cwd: ROOT, env: { ...process.env, HEAPWARDEN_BLACK_BOX: 'off', HEAPWARDEN_DIR: directory, ...env }, stdio: 'pipe',
  });
  t.after(() => child.kill('SIGKILL'));
  const told = { directory, child, stderr: '' };
  child.stderr.setEncoding('utf8').on('data', (text) => { told.stderr += text; });
  const exited = once(child, 'close');
  told.ended = async () => {
    child.stdin.end();
    const [code, signal] = await exited;
    return signal ?? code;
  };
  await Promise.race([once(child.stdout, 'data'), exited]);
  return told;
}

const lines = (told, pattern) => told.stderr.split('\n').filter((line) => pattern.test(line));

for (const flag of ['--require', '--import']) {
  test(`${flag}: a snapshot on a signal, one at a time, within the budget, in one line`, unix, async (t) => {
    const told = await registered(t, {
      HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2', HEAPWARDEN_SNAPSHOT_COMPRESS: 'gzip', HEAPWARDEN_SNAPSHOT_REDACT: 'shape',
      HEAPWARDEN_MAX_FILES: '1',
    }, flag);
    const paths = [];
    for (let i = 1; i <= 2; i++) {
      told.child.kill('SIGUSR2');
      await until(() => lines(told, /snapshot written/).length === i || told.child.exitCode !== null, `snapshot ${i}`);
      const line = /^heapwarden: snapshot written to (.*\.heapsnapshot\.gz): [\d.]+ MB, paused [\d.]+ ms, mode (inline|clone)/;
      const found = line.exec(lines(told, /snapshot written/)[i - 1]);
      assert.ok(found, told.stderr);
      paths.push(found[1]);
      assert.deepEqual(fs.readdirSync(told.directory), [path.basename(found[1])]);
    }
    const { nodes, snapshot } = JSON.parse(zlib.gunzipSync(fs.readFileSync(paths[1])));
    assert.ok(nodes.length > 0 && snapshot.heapwarden_redaction === 'shape');
    assert.notEqual(paths[0], paths[1]);
    assert.equal(await told.ended(), 5);
    assert.equal(told.stderr.trim().split('\n').length, 2, told.stderr);
  });
}

test('a second signal while a snapshot is under way is ignored, and said so', { skip: !clones.available }, async (t) => {
  const told = await registered(t, { HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2' });
  told.child.kill('SIGUSR2');
  // In the clone, or about to be: the file is begun before and complete long after.
  await until(() => fs.existsSync(told.directory) && fs.readdirSync(told.directory).length > 0, 'a file that is begun');
  told.child.kill('SIGUSR2');
  await until(() => lines(told, /snapshot written/).length === 1, 'the snapshot');
  assert.equal(lines(told, /^heapwarden: SIGUSR2 ignored: a snapshot is under way$/).length, 1, told.stderr);
  assert.equal(fs.readdirSync(told.directory).length, 1);
  assert.equal(await told.ended(), 5);
});

test('a snapshot that cannot be written is one line, and the process goes on', unix, async (t) => {
  const file = path.join(folder(t), 'file');
  fs.writeFileSync(file, '');
  const told = await registered(t, { HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2', HEAPWARDEN_DIR: path.join(file, 'x') });
  for (let i = 1; i <= 2; i++) {
    told.child.kill('SIGUSR2');
    await until(() => lines(told, /^heapwarden: no snapshot: cannot create the folder .*\(HEAPWARDEN_ERR_IO\)$/).length === i, 'the error');
  }
  assert.equal(await told.ended(), 5);
});

test('a handler for a signal keeps no process alive, and there is none unless it is asked for', unix, async (t) => {
  const idle = spawnSync(process.execPath, ['--require', 'heapwarden/register', '-e', '1'], {
    cwd: ROOT, env: { ...process.env, HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2' }, timeout: 60_000, encoding: 'utf8',
  });
  assert.deepEqual([idle.status, idle.signal, idle.stderr], [0, null, '']);
  const without = await registered(t, {});
  without.child.kill('SIGUSR2');
  assert.equal(await without.ended(), 'SIGUSR2', 'which ends a process, as it does without us');
});

test('a signal that is none, or that belongs to somebody else, is said once and the program starts', unix, async (t) => {
  for (const [name, reason] of [
    ['SIGFOO', /expected a signal of this system, such as "SIGUSR2", found "SIGFOO"/],
    ['USR2', /found "USR2"/],
    ['toString', /found "toString"/],
    ['SIGUSR1', /found "SIGUSR1", which starts Node's inspector/],
    ['SIGKILL', /found "SIGKILL", which no process can handle/],
    ['SIGSTOP', /found "SIGSTOP", which no process can handle/],
    ['SIGTERM', /found "SIGTERM", which is how the process is told to end/],
    ['SIGSEGV', /found "SIGSEGV", by which a process ends that has a defect/],
  ]) {
    const told = await registered(t, { HEAPWARDEN_SNAPSHOT_SIGNAL: name });
    assert.equal(await told.ended(), 5);
    assert.equal(lines(told, /\[HEAPWARDEN_ERR_INVALID_ARG\] HeapwardenWarning: heapwarden takes no snapshot on a signal: /).length, 1, told.stderr);
    assert.match(told.stderr, reason);
  }
  const told = await registered(t, { HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2', HEAPWARDEN_SNAPSHOT_COMPRESS: 'zip' });
  assert.equal(await told.ended(), 5);
  assert.match(told.stderr, /HEAPWARDEN_SNAPSHOT_COMPRESS: expected "gzip" or "zstd", found "zip"/);
});

test('in a worker the signal is the main thread\'s', unix, async (t) => {
  const told = await registered(t, { HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2' }, '--require', `
    const { Worker } = require("node:worker_threads");
    new Worker("setInterval(() => {}, 1000); require('heapwarden/register')", { eval: true })`);
  told.child.kill('SIGUSR2');
  await until(() => lines(told, /snapshot written/).length > 0, 'the snapshot');
  assert.equal(await told.ended(), 5);
  assert.equal(told.stderr.trim().split('\n').length, 1, told.stderr);
});
