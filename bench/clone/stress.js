'use strict';

// Clones a busy process again and again: node bench/clone/stress.js [--captures 200] [--heap-mb 30] [--workers 0] [--kill] [--control]
//
// Meanwhile the process allocates, serves HTTP, compresses, hashes and reads files. Prints one line of JSON and ends with 1 where a capture
// gave no result, too few were clones, or something is left over. `--kill` sends SIGKILL to the clones at random moments instead, and
// asks that every capture still ends with a result. `--control` waits a second instead of each capture: by how much the program grows by
// itself.

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const crypto = require('node:crypto');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const { parseArgs } = require('node:util');
const v8 = require('node:v8');
const vm = require('node:vm');
const { Worker } = require('node:worker_threads');
const zlib = require('node:zlib');
const { captureSummary } = require('../..');

const { values } = parseArgs({
  options: {
    captures: { type: 'string', default: '200' },
    'heap-mb': { type: 'string', default: '30' },
    workers: { type: 'string', default: '0' },
    kill: { type: 'boolean', default: false },
    control: { type: 'boolean', default: false },
  },
});
const captures = Number(values.captures);

class Session {
  constructor(id) {
    this.id = id;
    this.notes = [`note ${id}`, { at: id }];
  }
}

const sessions = new Map();
const MB_PER_SESSION = 3e-4;
for (let id = 0; id * MB_PER_SESSION < Number(values['heap-mb']); id++) sessions.set(id, new Session(id));

/** Keeps the thread, the thread pool and the collector at work until told to stop. */
function load() {
  let running = true;
  const young = [];
  const text = Buffer.from('the quick brown fox '.repeat(5000));
  const again = (work) => {
    const next = () => { if (running) work(next); };
    next();
  };
  again((next) => {
    for (let i = 0; i < 2000; i++) young.push({ i, text: `v${i}` });
    if (young.length > 100_000) young.length = 0;
    setTimeout(next, 1);
  });
  for (let i = 0; i < 2; i++) {
    again((next) => zlib.gzip(text, () => setTimeout(next, 2)));
    again((next) => crypto.pbkdf2('secret', 'salt', 2000, 32, 'sha512', () => setTimeout(next, 2)));
    again((next) => fs.readFile(__filename, () => setTimeout(next, 2)));
  }
  const server = http.createServer((request, response) => response.end(JSON.stringify({ url: request.url, at: Date.now() })));
  let failures = 0;
  let served = 0;
  server.listen(0, '127.0.0.1', () => {
    const agent = new http.Agent({ keepAlive: true });
    again((next) => {
      http.get({ port: server.address().port, agent }, (response) => {
        response.resume().on('end', () => { served += 1; setTimeout(next, 1); });
      }).on('error', () => { failures += 1; setTimeout(next, 1); });
    });
  });
  const busy = 'for (let a = []; ; ) { a.push({ x: a.length }); if (a.length > 1e5) a = []; }';
  const workers = Array.from({ length: Number(values.workers) }, () => new Worker(busy, { eval: true }));
  return async () => {
    running = false;
    await Promise.all(workers.map((worker) => worker.terminate()));
    server.closeAllConnections?.();
    server.close();
    return { failures, served };
  };
}

const children = () => fs.readFileSync(`/proc/self/task/${process.pid}/children`, 'utf8').trim().split(/\s+/).filter(Boolean);

/** Kills each clone some time after it was made. */
function killer() {
  let kills = 0;
  const doomed = new Set();
  const timer = setInterval(() => {
    for (const pid of children()) {
      if (doomed.has(pid)) continue;
      doomed.add(pid);
      setTimeout(() => {
        try {
          process.kill(Number(pid), 'SIGKILL');
          kills += 1;
        } catch {
          // It was done before.
        }
      }, Math.random() * 400);
    }
  }, 5);
  return { kills: () => kills, stop: () => clearInterval(timer) };
}

const quantile = (sorted, q) => sorted[Math.floor((sorted.length - 1) * q)];
/**
 * The resident set without garbage, as it is in the middle of two seconds: how far the heap is filled at the moment differs by more than
 * what is looked for.
 */
async function rss() {
  collect();
  const readings = [];
  for (let n = 0; n < 20; n++) {
    await new Promise((resolve) => { setTimeout(resolve, 100); });
    readings.push(process.memoryUsage().rss / 2 ** 20);
  }
  return quantile(readings.sort((a, b) => a - b), 0.5);
}

function collect() {
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc');
  for (let n = 0; n < 3; n++) gc();
}

async function main() {
  const leftBefore = fs.readdirSync(os.tmpdir()).filter((name) => name.includes('heapwarden')).length;
  const stop = load();
  await new Promise((resolve) => { setTimeout(resolve, 3000); });
  // The heap finds its size.
  for (let n = 0; n < 10; n++) await captureSummary();
  const rssBefore = await rss();
  const kill = values.kill ? killer() : undefined;
  const counts = { clone: 0, retried: 0, inline: 0, wrong: 0 };
  const pauses = [];
  const reasons = {};
  for (let n = 0; n < captures; n++) {
    if (values.control) {
      await new Promise((resolve) => { setTimeout(resolve, 1000); });
      continue;
    }
    const { summary, mode, reason, pauseMs } = await captureSummary();
    counts[mode === 'clone' && reason ? 'retried' : mode] += 1;
    if (reason) reasons[reason] = (reasons[reason] ?? 0) + 1;
    if (mode === 'clone') pauses.push(pauseMs);
    if (summary.constructors.find((c) => c.constructorName === 'Session')?.count !== sessions.size) counts.wrong += 1;
  }
  kill?.stop();
  const rssAfter = await rss();
  const { failures, served } = await stop();
  pauses.sort((a, b) => a - b);
  const left = fs.readdirSync(os.tmpdir()).filter((name) => name.includes('heapwarden')).length - leftBefore;
  const zombies = execFileSync('ps', ['-o', 'stat=', '--ppid', String(process.pid)], { encoding: 'utf8' }).split('\n').filter((s) => s.startsWith('Z')).length;
  const result = {
    node: process.version, captures, ...counts, kills: kill?.kills(), pauseMs: { p50: quantile(pauses, 0.5), p99: quantile(pauses, 0.99) },
    served, failures, zombies, left, rssBeforeMB: Math.round(rssBefore), rssAfterMB: Math.round(rssAfter), reasons,
  };
  console.log(JSON.stringify(result));
  assert.deepEqual([counts.wrong, failures, zombies, left], [0, 0, 0, 0]);
  if (values.control) return;
  assert.equal(counts.clone + counts.retried + counts.inline, captures);
  if (!values.kill) {
    assert.ok(counts.clone + counts.retried >= captures * 0.99, 'too few clones');
    assert.ok(rssAfter <= rssBefore * 1.05, 'the process has grown');
  }
}

main().then(() => process.exit(0), (error) => {
  console.error(error.message);
  process.exit(1);
});
