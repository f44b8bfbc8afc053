'use strict';

// What Heapwarden must not do to the process that it lives in.

const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, test } = require('node:test');
const { MATCHED_BY, MODE } = require('./support');

const ROOT = path.join(__dirname, '..');
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-host-'));
after(() => fs.rmSync(folder, { recursive: true, force: true }));

/** Runs `source` as a program of its own and gives what it printed last, as JSON; the program must end by itself with 0. */
function program(source, { bridge, args = [], env = {}, shell } = {}) {
  const file = path.join(folder, 'program.js');
  fs.writeFileSync(file, `const heapwarden = require(${JSON.stringify(ROOT)});\n${source}`);
  const command = [process.execPath, ...args, file];
  const options = {
    encoding: 'utf8',
    timeout: 60_000,
    cwd: folder,
    env: { ...process.env, HEAPWARDEN_BRIDGE: bridge, ...env },
  };
  const ran = shell
    ? spawnSync('sh', ['-c', shell, 'sh', ...command], options)
    : spawnSync(command[0], command.slice(1), options);
  assert.deepStrictEqual([ran.status, ran.signal], [0, null], ran.stderr);
  return JSON.parse(ran.stdout.trim().split('\n').pop());
}

const unix = { skip: process.platform === 'win32' };
const linux = { skip: process.platform !== 'linux' };

for (const bridge of ['on', 'off']) {
  test(`bridge ${bridge}: a process out of descriptors is sampled, not ended`, unix, () => {
    const figures = program(`
      const fs = require('node:fs');
      const monitor = new heapwarden.MemoryMonitor({ intervalMs: 10, evidence: 'none' }).start();
      const open = [];
      try { for (;;) open.push(fs.openSync('/dev/null')); } catch {}
      let samples = 0;
      monitor.on('sample', () => {
        if (++samples < 5) return;
        monitor.stop();
        open.forEach((fd) => fs.closeSync(fd));
        console.log(JSON.stringify({ samples }));
      });
      setTimeout(() => {}, 30_000).unref();
      const alive = setInterval(() => { if (samples >= 5) clearInterval(alive); }, 10);
    `, { bridge, shell: 'ulimit -n 128; exec "$@"' });
    assert.strictEqual(figures.samples, 5);
  });

  test(`bridge ${bridge}: monitors that are stopped hold no descriptor and no thread`, linux, () => {
    const { before, now } = program(`
      const fs = require('node:fs');
      const count = () => ['fd', 'task'].map((name) => fs.readdirSync('/proc/self/' + name).length);
      const make = () => new heapwarden.MemoryMonitor({ intervalMs: 10 }).start();
      const kept = [make().stop()];
      setTimeout(() => {
        const before = count();
        for (let i = 0; i < 100; i++) kept.push(make().stop());
        kept.forEach((monitor) => { for (let i = 0; i < 10; i++) monitor.start().stop(); });
        console.log(JSON.stringify({ before, now: count() }));
      }, 50);
    `, { bridge });
    assert.deepStrictEqual(now, before);
  });

  test(`bridge ${bridge}: a listener that throws costs no alert`, () => {
    const { thrown, thresholds } = program(`
      let thrown = 0;
      process.on('uncaughtException', () => { thrown += 1; });
      const monitor = new heapwarden.MemoryMonitor({ intervalMs: 10, alertThresholdMB: 1, evidence: 'none' });
      monitor.once('sample', () => { throw new Error('a bug of the host'); });
      monitor.on('threshold', () => {
        clearTimeout(alive);
        monitor.stop();
        console.log(JSON.stringify({ thrown, thresholds: 1 }));
      });
      const alive = setTimeout(() => console.log(JSON.stringify({ thrown, thresholds: 0 })), 10_000);
      monitor.start();
    `, { bridge });
    assert.deepStrictEqual([thrown, thresholds], [1, 1]);
  });

  test(`bridge ${bridge}: leftovers of a killed process with the same id are stepped over`, unix, () => {
    const { bytes, names } = program(`
      const fs = require('node:fs');
      const path = require('node:path');
      fs.mkdirSync('again');
      fs.writeFileSync(path.join('again', '.x.heapsnapshot.' + process.pid + '-0.tmp'), '');
      const pipe = path.join(require('node:os').tmpdir(), 'heapwarden-pipe-' + process.pid + '-0');
      fs.mkdirSync(pipe);
      heapwarden.writeSnapshot({ path: 'again/x.heapsnapshot', summary: false }).then(({ bytes }) => {
        fs.rmdirSync(pipe);
        const names = fs.readdirSync('again').filter((name) => !name.startsWith('.'));
        fs.rmSync('again', { recursive: true });
        console.log(JSON.stringify({ bytes: bytes > 0, names }));
      });
    `, { bridge });
    assert.deepStrictEqual([bytes, names], [true, ['x.heapsnapshot']]);
  });

  test(`bridge ${bridge}: a place that cannot be written to is a rejection, and nothing is stopped for it`, unix, () => {
    const { code, taken } = program(`
      const v8 = require('node:v8');
      let taken = 0;
      v8.writeHeapSnapshot = () => { taken += 1; };
      const monitor = new heapwarden.MemoryMonitor({ evidence: 'none' }).start();
      monitor.sample();
      heapwarden.writeSnapshot({ directory: '/dev/null/x' }).catch(({ code }) => {
        // V8 collects the whole heap before it takes a snapshot.
        taken += monitor.sample().gc.major;
        console.log(JSON.stringify({ code, taken }));
      });
    `, { bridge });
    assert.deepStrictEqual([code, taken], ['HEAPWARDEN_ERR_IO', 0]);
  });

  test(`bridge ${bridge}: register outlives a stderr that nobody reads`, unix, async () => {
    const file = path.join(folder, 'deaf.js');
    fs.writeFileSync(file, 'process.stdin.once("end", () => process.exit(7)).resume();');
    const child = spawn(process.execPath, ['-r', path.join(ROOT, 'lib', 'register.js'), file], {
      env: {
        ...process.env,
        HEAPWARDEN_BRIDGE: bridge,
        HEAPWARDEN_INTERVAL_MS: '10',
        HEAPWARDEN_ALERT_THRESHOLD_MB: '1',
        HEAPWARDEN_EVIDENCE: 'none',
      },
    });
    child.stderr.destroy();
    // Many samples later, so that the alert was told.
    setTimeout(() => child.stdin.end(), 500);
    const [code] = await once(child, 'exit');
    assert.strictEqual(code, 7);
  });

  test(`bridge ${bridge}: many lines at once for a stderr that nobody reads are lost, and nothing else is`, unix, async () => {
    const file = path.join(folder, 'burst.js');
    fs.writeFileSync(file, `
      const { say } = require(${JSON.stringify(path.join(ROOT, 'lib', 'say.js'))});
      const burst = () => { for (let n = 0; n < 20; n++) say('line ' + n); };
      process.stdin.once('end', () => {
        burst();
        setTimeout(() => { burst(); setTimeout(() => process.exit(process.stderr.listenerCount('error') === 0 ? 7 : 8), 50); }, 50);
      }).resume();
    `);
    const child = spawn(process.execPath, [file], { env: { ...process.env, HEAPWARDEN_BRIDGE: bridge } });
    child.stderr.destroy();
    setTimeout(() => child.stdin.end(), 200);
    const [code] = await once(child, 'exit');
    assert.strictEqual(code, 7);
  });

  test(`bridge ${bridge}: register outlives an emitWarning that throws`, () => {
    fs.writeFileSync(path.join(folder, 'hostile.js'), 'process.emitWarning = () => { throw new Error("not here"); };');
    const ran = program('console.log(JSON.stringify({ alive: true }));', {
      bridge,
      args: ['-r', path.join(folder, 'hostile.js'), '-r', path.join(ROOT, 'lib', 'register.js')],
      env: { HEAPWARDEN_INTERVAL_MS: 'soon' },
    });
    assert.deepStrictEqual(ran, { alive: true });
  });
}

test('a snapshot that V8 could not write to its end gets no name and leaves nothing', unix, () => {
  const { message, names, pipes } = program(`
    const fs = require('node:fs');
    const v8 = require('node:v8');
    fs.mkdirSync('cut');
    fs.mkdirSync('tmp');
    v8.writeHeapSnapshot = (file) => {
      fs.writeFileSync(file, '{"snapshot":');
      // Until the file is begun: only then is its absence afterwards worth something.
      const cell = new Int32Array(new SharedArrayBuffer(4));
      while (fs.readdirSync('cut').length === 0) Atomics.wait(cell, 0, 0, 5);
      throw new Error('no space left');
    };
    heapwarden.writeSnapshot({ path: 'cut/x.heapsnapshot', summary: false }).catch(({ message }) => {
      const look = () => {
        const names = fs.readdirSync('cut');
        if (names.some((name) => name.startsWith('.'))) return setTimeout(look, 10);
        console.log(JSON.stringify({ message, names, pipes: fs.readdirSync('tmp') }));
      };
      look();
    });
  `, { bridge: 'off', env: { TMPDIR: path.join(folder, 'tmp') } });
  assert.deepStrictEqual([message, names, pipes], ['no space left', [], []]);
});

test('a leak is told with its culprits where only the file cannot be written', async () => {
  const { Evidence } = require('../lib/evidence');
  const evidence = new Evidence({ evidence: 'snapshot', directory: os.devNull, intervalMs: 0 });
  await evidence.takeBaseline();
  const errors = [];
  const report = await evidence.report({ status: 'leak' }, (error) => errors.push(error.code));
  assert.deepStrictEqual(errors, ['HEAPWARDEN_ERR_IO']);
  assert.deepStrictEqual([report.files, report.evidence.mode, report.evidence.matchedBy], [[], MODE, MATCHED_BY]);
});

test('a leak is told where its evidence cannot be taken, and why', unix, () => {
  const { errors, culprits, mode, reason } = program(`
    const { Evidence } = require(${JSON.stringify(path.join(ROOT, 'lib', 'evidence'))});
    const evidence = new Evidence({ evidence: 'summary', directory: '.', intervalMs: 0 });
    evidence.takeBaseline().then(async () => {
      // Without the bridge a snapshot needs a pipe, and the pipe a folder.
      process.env.TMPDIR = process.env.TEMP = '/dev/null/none';
      const errors = [];
      const { culprits, evidence: { mode, reason } } = await evidence.report({ status: 'leak' }, (e) => errors.push(e.code));
      console.log(JSON.stringify({ errors, culprits, mode, reason }));
    });
  `, { bridge: 'off' });
  assert.deepStrictEqual([errors, culprits, mode], [['HEAPWARDEN_ERR_IO'], [], 'none']);
  assert.match(reason, /^the evidence could not be taken: cannot create the folder/);
});
