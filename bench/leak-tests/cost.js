'use strict';

// What a check costs beyond the calls, beside two snapshots compared by memlab: the same service, the same 1000 requests through supertest.
//
//   node bench/leak-tests/cost.js [--runs 5] [--node PATH]
//
// On a machine that does something else as well the CPU time is the figure: user and system, of all threads of the process.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const os = require('node:os');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { parseArgs } = require('node:util');
const v8 = require('node:v8');

const REQUESTS = 1000;
const RIVALS = path.join(__dirname, '..', 'rivals');
/** The services that are looked at: one that leaks, and one that does not. */
const CASES = ['a record of each request in a Map, 1 KB', 'nothing'];

/** What work has cost so far: `add` runs some and counts it. */
class Cost {
  wallMs = 0;
  cpuMs = 0;

  async add(work) {
    const started = performance.now();
    const cpu = process.cpuUsage();
    try {
      return await work();
    } finally {
      const { user, system } = process.cpuUsage(cpu);
      this.cpuMs += (user + system) / 1000;
      this.wallMs += performance.now() - started;
    }
  }
}

async function ours(call) {
  const { inspectLeaks } = require('../..');
  const [all, calls] = [new Cost(), new Cost()];
  const { leaked, culprits: [first] } = await all.add(() => inspectLeaks(() => calls.add(call), { iterations: REQUESTS }));
  const beyond = { wallMs: all.wallMs - calls.wallMs, cpuMs: all.cpuMs - calls.cpuMs };
  return { beyond, calls, found: leaked ? first.constructorName : 'nothing' };
}

/** A snapshot before the calls and one after; what is new in the second, by class. Loading memlab itself is not counted. */
async function memlab(call) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-cost-'));
  const [before, after] = ['before', 'after'].map((name) => path.join(dir, `${name}.heapsnapshot`));
  const [beyond, calls] = [new Cost(), new Cost()];
  for (let i = 0; i < REQUESTS / 10; i++) await calls.add(call);
  await beyond.add(() => v8.writeHeapSnapshot(before));
  for (let i = 0; i < REQUESTS; i++) await calls.add(call);
  await beyond.add(() => v8.writeHeapSnapshot(after));
  const requireRival = createRequire(path.join(RIVALS, 'package.json'));
  const { config, utils } = requireRival('@memlab/core');
  const { getFullHeapFromFile } = requireRival('@memlab/heap-analysis');
  config.muteConsole = true;
  const found = await beyond.add(async () => {
    const old = await utils.getSnapshotNodeIdsFromFile(before, {});
    const heap = await getFullHeapFromFile(after);
    const counts = new Map();
    heap.nodes.forEach((node) => {
      if (node.type === 'object' && !old.has(node.id)) counts.set(node.name, (counts.get(node.name) ?? 0) + 1);
    });
    const grown = [...counts].filter(([, count]) => count >= REQUESTS / 2).sort((a, b) => b[1] - a[1]);
    return grown.map(([name, count]) => `${name} +${count}`).slice(0, 5).join(', ') || 'nothing';
  });
  fs.rmSync(dir, { recursive: true });
  return { beyond, calls, found };
}

async function child(way, name) {
  const { apps } = require('./apps');
  const request = createRequire(path.join(__dirname, 'package.json'))('supertest');
  const app = apps.find((one) => one.name === name).create();
  const result = await { ours, memlab }[way](() => request(app).get('/users/7').expect(200));
  process.stdout.write(JSON.stringify({ ...result, rssMB: process.resourceUsage().maxRSS / 1024 }));
  process.exit(0);
}

function main() {
  const { installed } = require('../install');
  installed(__dirname);
  installed(RIVALS);
  const { values } = parseArgs({ options: { runs: { type: 'string' }, node: { type: 'string' } } });
  const runs = Number(values.runs ?? 5);
  const node = values.node ?? process.execPath;
  const median = (numbers) => numbers.sort((a, b) => a - b)[Math.floor(numbers.length / 2)];
  for (const name of CASES) {
    console.log(`${name}, ${REQUESTS} requests, median of ${runs}`);
    const results = { ours: [], memlab: [] };
    // In turn, so that what else the machine does meets both alike.
    for (let run = 0; run < runs; run++) {
      for (const way of Object.keys(results)) {
        results[way].push(JSON.parse(execFileSync(node, [__filename, way, name], { encoding: 'utf8', maxBuffer: 2 ** 26 })));
      }
    }
    for (const [way, of] of Object.entries(results)) {
      const ms = (what, which) => Math.round(median(of.map((result) => result[what][which])));
      const rss = Math.round(median(of.map(({ rssMB }) => rssMB)));
      console.log(`  ${way.padEnd(7)} beyond the calls ${ms('beyond', 'wallMs')} ms, ${ms('beyond', 'cpuMs')} ms of CPU; the calls ${ms('calls', 'wallMs')} ms, `
        + `${ms('calls', 'cpuMs')} ms of CPU; ${rss} MB at most: ${of[0].found}`);
    }
  }
}

if (process.argv[2] === 'ours' || process.argv[2] === 'memlab') child(process.argv[2], process.argv[3]);
else main();
