'use strict';

// Snapshots in a clone of the process: what is in them, and what becomes of the process in bad company.

const assert = require('node:assert');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { captureCensus, captureSummary, writeSnapshot, summarizeSnapshot, diffSnapshots } = require('..');
const { clones } = require('../lib/clone');
const { ROOT, evaluate, folder, run, until } = require('./support');

const PACKAGE = JSON.stringify(ROOT);

class Parcel {
  constructor(id) {
    this.id = id;
    this.items = [`item ${id}`];
  }
}

const count = (constructors, name) => constructors.find((c) => c.constructorName === name)?.count;
const children = () => fs.readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(' ').filter(Boolean);

/** Runs a program that has `heapwarden` and 5 000 parcels; gives the JSON that it printed last. */
async function program(source, args = []) {
  const { code, stdout, stderr } = await run([...args, '-e', `
    const heapwarden = require(${PACKAGE});
    class Parcel { constructor(id) { this.id = id; this.items = ['item ' + id]; } }
    globalThis.parcels = Array.from({ length: 5000 }, (_, i) => new Parcel(i));
    const count = (constructors) => constructors.find((c) => c.constructorName === 'Parcel')?.count;
    const tell = (value) => console.log(JSON.stringify(value));
    ${source}
  `]);
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout.trim().split('\n').at(-1));
}

test('where no clone can be made, that is said', { skip: clones.available }, async () => {
  const { mode, reason } = await captureSummary();
  assert.deepEqual([mode, reason], ['inline', clones.reason]);
  assert.ok(reason.length > 10);
  await assert.rejects(captureSummary({ mode: 'clone' }), ({ code, message }) => code === 'HEAPWARDEN_ERR_UNSUPPORTED' && message.includes(reason));
});

test('without the bridge a census uses none of its functions', async () => {
  const { code, stdout, stderr } = await evaluate(`
    const native = require(${JSON.stringify(require.resolve('../lib/load'))});
    native.NativeCapture.prototype.takeWalk = () => { throw new Error('walked'); };
    class Parcel {}
    globalThis.parcels = Array.from({ length: 77 }, () => new Parcel());
    require(${PACKAGE}).captureCensus().then(({ mode, constructors }) => {
      console.log(mode, constructors.find((c) => c.constructorName === 'Parcel').count);
    });
  `, { env: { HEAPWARDEN_BRIDGE: 'off' } });
  assert.deepEqual([code, stdout], [0, 'inline 77\n'], stderr);
});

test('the census counts in a process that has WebAssembly loaded, as fetch does', async () => {
  // Objects that were allocated during the walk lay where V8 expected others.
  const { code, stdout, stderr } = await evaluate(`
    const server = require('node:http').createServer((_, response) => response.end('ok')).listen(0, async () => {
      await (await fetch('http://localhost:' + server.address().port)).text();
      class Parcel {}
      globalThis.parcels = Array.from({ length: 77 }, () => new Parcel());
      for (const mode of ['inline', 'auto']) {
        const { constructors } = await require(${PACKAGE}).captureCensus({ mode });
        console.log(constructors.find((c) => c.constructorName === 'Parcel').count);
      }
      process.exit(0);
    });
  `);
  assert.deepEqual([code, stdout], [0, '77\n77\n'], stderr);
});

describe('a clone of the process', { skip: !clones.available && clones.reason }, () => {
  test('counts what an inline snapshot counts, of every class of the program', async () => {
    const parcels = Array.from({ length: 4321 }, (_, i) => new Parcel(i));
    const [cloned, inline] = [await captureSummary({ mode: 'clone' }), await captureSummary({ mode: 'inline' })];
    const own = ({ summary }) => summary.constructors
      .filter(({ location }) => location?.file === __filename)
      .map(({ constructorName, count: n, shallowSize }) => [constructorName, n, shallowSize])
      .sort();
    assert.deepEqual(own(cloned), own(inline));
    assert.equal(count(cloned.summary.constructors, 'Parcel'), parcels.length);
    assert.deepEqual([cloned.mode, cloned.reason, inline.mode], ['clone', null, 'inline']);
    assert.ok(cloned.pauseMs < inline.pauseMs, `${cloned.pauseMs} ${inline.pauseMs}`);
    assert.ok(cloned.durationMs >= cloned.pauseMs);
  });

  test('the census counts the same', async () => {
    const parcels = Array.from({ length: 1234 }, (_, i) => new Parcel(i));
    for (const mode of ['clone', 'inline']) {
      const census = await captureCensus({ mode });
      assert.equal(census.mode, mode);
      assert.equal(count(census.constructors, 'Parcel'), parcels.length);
      const counts = census.constructors.map((c) => c.count);
      assert.deepEqual(counts, [...counts].sort((a, b) => b - a), 'most first');
      assert.ok(census.constructors.every(({ constructorName }) => !constructorName.startsWith('system / ')));
    }
  });

  test('is a whole file, that says where it was taken', async (t) => {
    const directory = folder(t);
    const parcels = Array.from({ length: 777 }, (_, i) => new Parcel(i));
    for (const compress of [false, 'gzip', 'zstd']) {
      const written = await writeSnapshot({ directory, compress, mode: 'clone' });
      assert.equal(written.mode, 'clone');
      assert.equal(fs.statSync(written.path).size, written.fileBytes);
      assert.equal(fs.statSync(written.path).mode & 0o777, 0o600);
      assert.deepEqual(await summarizeSnapshot(written.path), written.summary);
      assert.equal(count(written.summary.constructors, 'Parcel'), parcels.length);
      if (compress) continue;
      const text = fs.readFileSync(written.path, 'utf8');
      assert.equal(Buffer.byteLength(text), written.bytes);
      assert.deepEqual(JSON.parse(text).snapshot.heapwarden, { mode: 'clone' });
    }
    assert.equal(fs.readdirSync(directory).length, 3, 'no temporary file');
  });

  test('two are compared by constructor and retaining path', async (t) => {
    const directory = folder(t);
    const shelf = (globalThis.shelf = new Map());
    const fill = (from, to) => { for (let i = from; i < to; i++) shelf.set(i, new Parcel(i)); };
    t.after(() => delete globalThis.shelf);
    fill(0, 500);
    const { path: a } = await writeSnapshot({ directory, summary: false, mode: 'clone' });
    fill(500, 2500);
    const { path: b } = await writeSnapshot({ directory, summary: false, mode: 'clone' });
    const diff = await diffSnapshots([a, b]);
    assert.equal(diff.matchedBy, 'path');
    assert.match(diff.matchedByReason, /^object ids do not correspond: .*; objects are compared by constructor and retaining path$/);
    const parcel = diff.constructors.find(({ constructorName }) => constructorName === 'Parcel');
    assert.deepEqual([parcel.addedCount, parcel.removedCount], [2000, 0]);
    assert.equal(diff.culprits[0].constructorName, 'Parcel');
    assert.equal(diff.culprits[0].pattern, 'global');
  });

  test('one is taken at a time, one request waits, a third is refused', async () => {
    const settled = await Promise.allSettled([captureSummary(), captureCensus(), captureSummary()]);
    const became = settled.map(({ value, reason }) => value?.mode ?? reason.code);
    assert.deepEqual(became, ['clone', 'clone', 'HEAPWARDEN_ERR_BUSY'], settled.map(({ value, reason }) => value?.reason ?? reason).join());
  });

  test('what a snapshot took is expected of the next one, and what a census took is not', async () => {
    const [before, counted, summarized] = await program(`
      const native = require(${JSON.stringify(require.resolve('../lib/load'))});
      // What is left is not the same from one moment to the next.
      const needed = () => native.roomFor('clone', 2 ** 50, 0).shortage.replace(/, and.*/, '');
      (async () => {
        const said = [needed()];
        await heapwarden.captureCensus({ mode: 'clone' });
        said.push(needed());
        await heapwarden.captureSummary({ mode: 'clone' });
        tell([...said, needed()]);
      })();
    `);
    if (clones.walk) assert.equal(counted, before);
    assert.match(summarized, /^it may need \d+ MB of memory/);
    assert.notEqual(summarized, before);
  });

  test('ends with its signal, and leaves nothing', async (t) => {
    const directory = folder(t);
    const aborter = new AbortController();
    const written = writeSnapshot({ directory, mode: 'clone', signal: aborter.signal });
    await until(() => children().length > 0, 'the clone');
    aborter.abort(new Error('enough'));
    await assert.rejects(written, { message: 'enough' });
    assert.deepEqual([children(), fs.readdirSync(directory)], [[], []]);
  });

  test('killed, it is tried again; killed each time, that is an error that says how', async (t) => {
    const directory = folder(t);
    let kills = 0;
    const kill = (most) => {
      const seen = new Set();
      return setInterval(() => {
        for (const pid of children()) {
          if (seen.has(pid) || kills >= most) continue;
          seen.add(pid);
          process.kill(Number(pid), 'SIGKILL');
          kills += 1;
        }
      }, 1);
    };
    const once = kill(1);
    const { mode, reason } = await writeSnapshot({ directory, summary: false });
    clearInterval(once);
    assert.deepEqual([mode, kills], ['clone', 1]);
    assert.match(reason, /^a second clone was needed: the clone of the process gave no result: it was ended by signal 9 \(SIGKILL.*, while /);
    kills = 0;
    const always = kill(Infinity);
    await assert.rejects(writeSnapshot({ directory, mode: 'clone' }), { code: 'HEAPWARDEN_ERR_CLONE', message: /ended by signal 9/ });
    const fallback = await writeSnapshot({ directory, summary: false });
    clearInterval(always);
    assert.deepEqual([fallback.mode, kills], ['inline', 6]);
    assert.match(fallback.reason, /ended by signal 9/);
    assert.deepEqual([children(), fs.readdirSync(directory).length], [[], 2], 'no zombie, and no file but the two');
  });

  test('the memory that other children are spared stays as it was', async () => {
    const spared = () => fs.readFileSync('/proc/self/smaps', 'utf8').split('\n').filter((line) => /^VmFlags:.* dc( |$)/.test(line)).length;
    const before = spared();
    await captureSummary({ mode: 'clone' });
    const after = spared();
    // The heap itself may have taken some more, or given some back.
    assert.ok(before > 10 && after > 0.8 * before && after < 2 * before, `${before} ${after}`);
    assert.equal(spawnSync(process.execPath, ['-p', '6*7'], { encoding: 'utf8' }).stdout, '42\n');
  });

  test('keeps no connection and no port of the process', async () => {
    const refused = await program(`
      const net = require('node:net');
      const server = net.createServer().listen(0, '127.0.0.1', async () => {
        const { port } = server.address();
        const client = net.connect(port, '127.0.0.1');
        const [accepted] = await require('node:events').once(server, 'connection');
        let captured = false;
        const taken = heapwarden.captureSummary({ mode: 'clone' }).finally(() => { captured = true; });
        accepted.resetAndDestroy();
        client.on('error', () => {});
        server.close();
        // While the clone lives, which takes a moment to let go of what it has inherited, the port is free again.
        const again = () => net.createServer()
          .on('error', () => setTimeout(again, 5))
          .listen(port, '127.0.0.1', async function () {
            this.close();
            tell([captured, (await taken).mode]);
          });
        again();
      });
    `);
    assert.deepEqual(refused, [false, 'clone']);
  });

  test('runs no handler and flushes no stream of the process', async () => {
    const { code, stdout, stderr } = await evaluate(`
      process.on('exit', () => console.log('exit'));
      for (const signal of ['SIGTERM', 'SIGINT', 'SIGUSR2']) process.on(signal, () => console.log(signal));
      process.on('beforeExit', () => console.log('before'));
      process.stdout.write('written once\\n');
      require(${PACKAGE}).captureSummary({ mode: 'clone' }).then(({ mode }) => console.log(mode));
    `);
    assert.deepEqual([code, stdout, stderr], [0, 'written once\nclone\nbefore\nexit\n', '']);
  });

  test('ends with the process', async (t) => {
    const directory = folder(t);
    const { code, stdout } = await evaluate(`
      const fs = require('node:fs');
      require(${PACKAGE}).writeSnapshot({ mode: 'clone', directory: ${JSON.stringify(directory)} });
      const look = () => {
        const pid = fs.readFileSync('/proc/self/task/' + process.pid + '/children', 'utf8').trim();
        if (!pid) return setTimeout(look, 1);
        console.log(pid);
        process.kill(process.pid, 'SIGKILL');
      };
      look();
    `);
    assert.equal(code, null);
    const alive = () => {
      try {
        return !/^State:\s+Z/m.test(fs.readFileSync(`/proc/${stdout.trim()}/status`, 'utf8'));
      } catch {
        return false;
      }
    };
    await until(() => !alive(), 'the end of the clone');
    assert.deepEqual(fs.readdirSync(directory).filter((name) => !name.startsWith('.')), [], 'no name that is not whole');
  });

  test('in a worker thread it is the worker\'s heap', async () => {
    const [counted, mode] = await program(`
      const { Worker } = require('node:worker_threads');
      new Worker(\`
        const { parentPort } = require('node:worker_threads');
        const { captureSummary } = require(${PACKAGE.replace(/\\/g, '\\\\')});
        class Letter {}
        globalThis.letters = Array.from({ length: 321 }, () => new Letter());
        captureSummary().then(({ summary, mode }) => {
          const of = (name) => summary.constructors.find((c) => c.constructorName === name)?.count ?? 0;
          parentPort.postMessage([[of('Letter'), of('Parcel')], mode]);
        });
      \`, { eval: true }).on('message', tell);
    `);
    assert.deepEqual([counted, mode], [[321, 0], 'clone']);
  });

  for (const [what, source] of Object.entries({
    'worker threads compute': `
      const { Worker } = require('node:worker_threads');
      const worker = new Worker('for (let a = []; ; ) { a.push({}); if (a.length > 1e5) a = []; }', { eval: true });
      const stop = () => worker.terminate();`,
    'the thread pool compresses, hashes and reads': `
      let going = true;
      const again = (fn) => { const next = () => { if (going) fn(() => setTimeout(next, 3)); }; next(); };
      for (let i = 0; i < 3; i++) {
        again((next) => require('node:zlib').gzip(Buffer.alloc(1e5, 'abc'), next));
        again((next) => require('node:crypto').pbkdf2('a', 'b', 2000, 32, 'sha512', next));
        again((next) => require('node:fs').readFile(require.resolve('typescript'), next));
      }
      const stop = () => { going = false; };`,
    'the collector marks': `
      let old = [];
      const timer = setInterval(() => { for (let i = 0; i < 5000; i++) old.push({ i, text: 't' + i }); if (old.length > 5e4) old = []; }, 0);
      const stop = () => clearInterval(timer);`,
    'children are spawned': `
      let going = true;
      const { spawn } = require('node:child_process');
      const next = () => { if (going) spawn('true').on('close', (code) => { if (code !== 0) process.exit(3); next(); }); };
      next(); next();
      const stop = () => { going = false; };`,
  })) {
    test(`is right while ${what}`, async () => {
      const results = await program(`
        ${source}
        (async () => {
          const results = [];
          for (let i = 0; i < 4; i++) {
            await new Promise((resolve) => setTimeout(resolve, 7 * i));
            const { summary, mode } = await heapwarden.captureSummary();
            results.push([mode, count(summary.constructors)]);
          }
          const zombies = require('node:child_process').execFileSync('ps', ['-o', 'stat=,comm=', '--ppid', String(process.pid)], { encoding: 'utf8' })
            .split('\\n').filter((line) => line.startsWith('Z') && line.includes('heapwarden'));
          await stop();
          tell([results, zombies]);
        })();
      `);
      const [captures, zombies] = results;
      assert.deepEqual(captures.map(([, n]) => n), Array(4).fill(5000));
      assert.deepEqual(zombies, []);
      assert.ok(captures.filter(([mode]) => mode === 'clone').length >= 3, JSON.stringify(captures));
    });
  }

  test('is right where the heap is near its limit, and the process goes on', async () => {
    const [mode, counted, after] = await program(`
      const v8 = require('node:v8');
      const ballast = (globalThis.ballast = []);
      // Few and large: what is near its limit collects all the time, and ends if it is so for long.
      while (v8.getHeapStatistics().used_heap_size < 52e6) ballast.push(new Array(10_000).fill(1));
      heapwarden.captureSummary({ mode: 'clone' }).then(({ mode, summary }) => tell([mode, count(summary.constructors), ballast.length > 0]));
    `, ['--max-old-space-size=60']);
    assert.deepEqual([mode, counted, after], ['clone', 5000, true]);
  });

  test('a file that does not fit is an error, and the process goes on', async (t) => {
    const directory = folder(t);
    const script = path.join(directory, 'main.js');
    fs.writeFileSync(script, `
      const { writeSnapshot, captureSummary } = require(${PACKAGE});
      const fs = require('node:fs');
      (async () => {
        const error = await writeSnapshot({ directory: ${JSON.stringify(path.join(directory, 'out'))}, mode: 'clone' }).catch((e) => e);
        const { mode } = await captureSummary();
        console.log(JSON.stringify([error.code, mode, fs.readdirSync(${JSON.stringify(path.join(directory, 'out'))})]));
      })();
    `);
    // No file may be larger than a megabyte, in this process and its children; a signal that says so is ignored as by any service.
    const { status, stdout, stderr } = spawnSync('sh', ['-c', `ulimit -f 2048; exec "${process.execPath}" "${script}"`], { encoding: 'utf8' });
    assert.equal(status, 0, stderr);
    const [code, mode, left] = JSON.parse(stdout);
    assert.deepEqual([mode, left], ['clone', []]);
    assert.ok(['HEAPWARDEN_ERR_IO', 'HEAPWARDEN_ERR_CLONE'].includes(code), code);
  });

  test('can be switched off', async () => {
    const { code, stdout } = await run(['-e', `
      require(${PACKAGE}).captureSummary().then(({ mode, reason }) => console.log(mode, reason));
    `], { env: { HEAPWARDEN_CLONE: 'off' } });
    assert.deepEqual([code, stdout], [0, 'inline switched off by HEAPWARDEN_CLONE=off\n']);
  });
});
