'use strict';

// What capabilities() says is what the features do: each is tried where it is said to work and where it is said not to.

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { Worker } = require('node:worker_threads');
const { capabilities, captureCensus, captureSummary } = require('..');
const { folder, ROOT, bridgeIsOff, takenInClone } = require('./support');

const linux = { skip: process.platform !== 'linux' };
const isRoot = process.getuid?.() === 0;
const [major] = process.versions.node.split('.').map(Number);

/** What a process says of itself: `capabilities` beside what `source` puts into `seen`. */
function told(source = '', { args = [], env = {}, command = [] } = {}) {
  const script = `
    const heapwarden = require(${JSON.stringify(ROOT)});
    (async () => {
      const seen = {};
      const before = heapwarden.capabilities();
      ${source}
      console.log('\\n' + JSON.stringify({ before, after: heapwarden.capabilities(), seen }));
    })();
  `;
  const [file, ...rest] = [...command, process.execPath, ...args, '-e', script];
  const clean = { ...process.env, ...env };
  delete clean.NODE_TEST_CONTEXT;
  const ran = spawnSync(file, rest, { encoding: 'utf8', env: clean, timeout: 120_000, cwd: ROOT });
  assert.equal(ran.status, 0, ran.stderr);
  return JSON.parse(ran.stdout.trim().split('\n').pop());
}

/** Every feature tried, in a process of its own. */
const TRY_ALL = `
  const fails = async (fn) => { try { await fn(); return null; } catch (error) { return error.code ?? error.message; } };
  seen.clone = await fails(() => heapwarden.captureSummary({ mode: 'clone' }));
  seen.inline = await fails(() => heapwarden.captureSummary({ mode: 'inline' }));
  seen.profile = await fails(async () => { heapwarden.startAllocationProfile({ maxMs: 1000 }).stop(); });
  const auto = await heapwarden.captureSummary().catch(({ code }) => ({ mode: code }));
  Object.assign(seen, { mode: auto.mode, reason: auto.reason ?? null });
  const directory = require('node:fs').mkdtempSync(require('node:path').join(require('node:os').tmpdir(), 'heapwarden-test-'));
  const monitor = new heapwarden.MemoryMonitor({ directory, blackBox: true, evidence: 'none', logger: { warn() {} } });
  monitor.on('error', ({ code }) => { seen.blackBox = code; });
  monitor.start();
  seen.recording = monitor.recordingPath !== null;
  global.kept = [];
  for (let i = 0; i < 20; i++) { kept.push(new Array(1e5).fill(i)); }
  require('node:v8').setFlagsFromString('--expose-gc');
  require('node:vm').runInNewContext('gc')();
  await new Promise((resolve) => setTimeout(resolve, 300));
  const sample = monitor.sample();
  Object.assign(seen, { floor: sample.postGcFloor > 0, containerLimit: sample.containerLimit ?? null, rss: sample.rss > 0 });
  monitor.stop();
  require('node:fs').rmSync(directory, { recursive: true });
`;

/** Where what is said and what was seen differ. */
function agree({ before, seen }, { floors = true } = {}) {
  const { features } = before;
  assert.deepEqual(
    {
      clone: seen.clone, inline: seen.inline, profile: seen.profile, mode: seen.mode, reason: seen.reason,
      recording: seen.recording, floor: seen.floor, containerLimit: seen.containerLimit,
    },
    {
      clone: features.clone.available ? null : 'HEAPWARDEN_ERR_UNSUPPORTED',
      inline: features.inlineSnapshots.available ? null : 'ERR_ACCESS_DENIED',
      profile: features.allocationSites.available ? null : 'HEAPWARDEN_ERR_UNSUPPORTED',
      mode: features.clone.available ? 'clone' : features.inlineSnapshots.available ? 'inline' : 'ERR_ACCESS_DENIED',
      reason: features.clone.available || !features.inlineSnapshots.available ? null : features.clone.reason,
      recording: features.blackBox.available, floor: floors && features.floors.available,
      containerLimit: features.containerLimit.limitBytes ?? null,
    });
}

test('it is plain data, each feature with a reason and what happens instead where it is not there', () => {
  const found = capabilities();
  assert.deepEqual(JSON.parse(JSON.stringify(found)), found);
  assert.equal(found.node, process.version);
  assert.deepEqual(found.thread, { threadId: 0, isMainThread: true });
  for (const [name, { available, reason, instead }] of Object.entries(found.features)) {
    assert.equal(typeof available, 'boolean', name);
    if (available) assert.deepEqual([reason, instead], [null, null], name);
    else assert.ok(typeof reason === 'string' && reason.length > 10 && typeof instead === 'string', `${name}: ${reason}, ${instead}`);
  }
  assert.equal(found.features.bridge.available, !bridgeIsOff && process.platform !== 'win32');
  assert.equal(found.features.clone.available, takenInClone);
});

test('it is cheap, and leaves nothing: no descriptor, thread or listener', linux, () => {
  capabilities();
  const count = () => ['fd', 'task'].map((name) => fs.readdirSync(`/proc/self/${name}`).length);
  const [before, emitted] = [count(), process.eventNames().length];
  for (let i = 0; i < 100; i++) capabilities();
  assert.deepEqual([count(), process.eventNames().length], [before, emitted]);
});

test('everything that is said is so, as this process is', async () => {
  agree(told(TRY_ALL));
  const { features } = capabilities();
  const { mode } = await captureCensus();
  assert.equal(mode, features.clone.available ? 'clone' : 'inline');
});

for (const [what, env, args] of [
  ['without the bridge', { HEAPWARDEN_BRIDGE: 'off' }, []],
  ['without clones', { HEAPWARDEN_CLONE: 'off' }, []],
  ['without a compiler', {}, ['--jitless']],
]) {
  test(`and so ${what}`, () => {
    const found = told(TRY_ALL, { env, args });
    agree(found);
    if (env.HEAPWARDEN_BRIDGE) {
      assert.match(found.before.features.bridge.reason, /switched off by HEAPWARDEN_BRIDGE=off/);
      assert.equal(found.before.features.gcHooks.available, false);
    }
    if (env.HEAPWARDEN_CLONE) assert.match(found.before.features.clone.reason, /switched off/);
  });
}

/** Node's permission model, which knows native add-ons since 22. */
const permission = { skip: major < 22 };

test('and so under the permission model, which refuses the inspector and, without the bridge, snapshots', permission, () => {
  const script = `
    seen.snapshot = await heapwarden.captureSummary({ mode: 'inline' }).then(() => null, ({ code }) => code);
    try { heapwarden.startAllocationProfile().stop(); seen.profile = null; } catch ({ code }) { seen.profile = code; }
  `;
  for (const env of [{ HEAPWARDEN_BRIDGE: 'on' }, { HEAPWARDEN_BRIDGE: 'off' }]) {
    const { before: { permissionModel, features }, seen } = told(script, { env, args: ['--permission', '--allow-addons', '--allow-fs-read=*'] });
    assert.equal(permissionModel, true);
    assert.deepEqual([features.inlineSnapshots.available, seen.snapshot === null], [env.HEAPWARDEN_BRIDGE === 'on', env.HEAPWARDEN_BRIDGE === 'on'], seen.snapshot);
    assert.deepEqual([features.allocationSites.available, seen.profile], [false, 'HEAPWARDEN_ERR_UNSUPPORTED']);
    assert.deepEqual([features.postmortem.available, features.sourceMaps.available], [false, true]);
  }
});

test('and so in a worker', async () => {
  const worker = new Worker(`
    const { parentPort } = require('node:worker_threads');
    const { capabilities, captureSummary } = require(${JSON.stringify(ROOT)});
    const found = capabilities();
    captureSummary().then(({ mode, reason }) => parentPort.postMessage({ found, mode, reason }));
  `, { eval: true });
  const { found, mode, reason } = await new Promise((resolve, reject) => { worker.once('message', resolve).once('error', reject); });
  assert.equal(found.thread.isMainThread, false);
  assert.deepEqual([found.features.snapshotSignal.available, found.features.snapshotSignal.reason], [false, 'signals go to the main thread']);
  if (found.features.clone.available && reason === null) assert.equal(mode, 'clone');
  if (!found.features.clone.available) assert.deepEqual([mode, reason], ['inline', found.features.clone.reason]);
});

test('and so where /proc is not there', { skip: !isRoot || process.platform !== 'linux' || bridgeIsOff }, (t) => {
  const command = ['unshare', '--mount', 'sh', '-c', 'mount -t tmpfs none /proc && exec "$@"', 'sh'];
  if (spawnSync(command[0], [...command.slice(1), 'true']).status !== 0) return t.skip('nothing may be mounted here');
  const found = told(TRY_ALL, { command });
  agree(found);
  const { features } = found.before;
  assert.deepEqual([features.clone.available, features.residentSet.source, features.containerLimit.available], [false, 'node', false]);
  assert.match(features.clone.reason, /\/proc/);
  assert.equal(features.blackBox.available, true);
  return undefined;
});

test('a clone that the system refuses is told by the last failure', { skip: !isRoot || !takenInClone }, (t) => {
  if (spawnSync('prlimit', ['--version']).status !== 0) return t.skip('no prlimit');
  const home = folder(t);
  fs.chmodSync(home, 0o777);
  // Node itself needs threads, which count as well: the limit is set once they are there, and no look can be taken inline either.
  const source = `
    require('node:child_process').execFileSync('prlimit', ['--pid', String(process.pid), '--nproc=1']);
    seen.code = await heapwarden.captureSummary().then(() => null, ({ code }) => code);
  `;
  const command = ['setpriv', '--reuid', '54321', '--regid', '54321', '--clear-groups'];
  const { before, after, seen } = told(source, { command, env: { HOME: home, TMPDIR: home } });
  assert.deepEqual([before.features.clone.available, before.features.clone.lastFailure], [true, null]);
  assert.equal(seen.code, 'HEAPWARDEN_ERR_UNSUPPORTED');
  assert.match(after.features.clone.lastFailure, /could not fork: /);
  return undefined;
});

test('limits of a container are those of its groups', linux, (t) => {
  const root = folder(t);
  const files = {
    'proc/self/cgroup': '0::/pod\n',
    'proc/self/mountinfo': '30 24 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n',
    'sys/fs/cgroup/pod/memory.max': '536870912\n',
    'sys/fs/cgroup/pod/memory.current': '1048576\n',
    'sys/fs/cgroup/pod/memory.pressure': 'some avg10=0.00 total=1\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=5\n',
  };
  const write = () => {
    for (const [name, content] of Object.entries(files)) {
      fs.mkdirSync(path.join(root, path.dirname(name)), { recursive: true });
      fs.writeFileSync(path.join(root, name), content);
    }
  };
  write();
  const ask = () => {
    const { containerLimit, containerWatch, pressure } = told('', { env: { HEAPWARDEN_SYSTEM_ROOT: root } }).before.features;
    return [containerLimit.available, containerLimit.version, containerLimit.limitBytes, containerWatch.available, pressure.available];
  };
  assert.deepEqual(ask(), [true, 2, 536870912, true, true]);
  fs.rmSync(path.join(root, 'sys/fs/cgroup/pod/memory.pressure'));
  fs.writeFileSync(path.join(root, 'sys/fs/cgroup/pod/memory.max'), 'max\n');
  assert.deepEqual(ask(), [true, 2, null, false, false]);
  fs.rmSync(path.join(root, 'sys'), { recursive: true });
  assert.deepEqual(ask(), [false, null, null, false, false]);
});

test('the command says the same, for people and for programs', () => {
  const run = (...args) => spawnSync(process.execPath, [path.join(ROOT, 'lib/cli/main.js'), 'capabilities', ...args], { encoding: 'utf8' });
  const json = run('--json');
  assert.equal(json.status, 0, json.stderr);
  const { features } = JSON.parse(json.stdout);
  assert.deepEqual(Object.keys(features), Object.keys(capabilities().features));
  const { status, stdout } = run();
  assert.equal(status, 0);
  for (const [name, { available, reason }] of Object.entries(features)) {
    assert.match(stdout, new RegExp(`^  ${name} +${available ? 'yes' : 'no '}`, 'm'));
    if (reason) assert.ok(stdout.includes(reason), reason);
  }
  assert.equal(run('more').status, 2);
});

test('without the native part it says so, and throws nothing', (t) => {
  const dir = folder(t);
  fs.cpSync(path.join(ROOT, 'lib'), path.join(dir, 'lib'), { recursive: true });
  fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(dir, 'package.json'));
  fs.symlinkSync(path.join(ROOT, 'node_modules'), path.join(dir, 'node_modules'), 'junction');
  fs.writeFileSync(path.join(dir, 'native.js'), 'throw new Error("another C library");');
  const { status, stdout } = spawnSync(process.execPath, [path.join(dir, 'lib/cli/main.js'), 'capabilities', '--json'], { encoding: 'utf8' });
  assert.equal(status, 1);
  const { native, features } = JSON.parse(stdout);
  assert.equal(native.available, false);
  assert.match(native.reason, /another C library/);
  assert.ok(Object.values(features).every(({ available }) => !available));
});

test('what is said of a look that there is no memory for is why it is refused', { skip: !takenInClone }, async () => {
  const { room } = require('../lib/clone');
  assert.equal(capabilities().features.clone.shortage, room('clone').shortage ?? null);
  const { mode } = await captureSummary();
  assert.equal(mode, 'clone');
});
