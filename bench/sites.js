'use strict';

// What it costs to sample allocations, and what a look costs: node bench/sites.js
//
// Pairs of child processes, one that samples and one that does not, take turns, so that a change of the machine's speed meets both.

const { execFileSync } = require('node:child_process');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');
const PAIRS = Number(process.env.PAIRS ?? 9);
const INTERVALS = [0, 32_768, 201_608, 524_288];
const HEAPS_MB = [16, 64, 256];

/** Runs in a child: the allocating loop of cost.js, and what samples; prints CPU time. */
const WORK = `
  const interval = Number(process.argv[1]);
  const { startAllocationProfile } = require(${JSON.stringify(ROOT)});
  const round = (ring, n) => { for (let i = 0; i < n; i++) ring[i % 20000] = { i, text: 'x' + (i & 255), list: [i] }; };
  const ring = new Array(20000);
  round(ring, 5e5);
  const profile = interval ? startAllocationProfile({ samplingIntervalBytes: interval }) : undefined;
  const cpu = process.cpuUsage();
  round(ring, 6e6);
  const used = process.cpuUsage(cpu);
  profile?.stop();
  console.log(JSON.stringify({ cpuMs: (used.user + used.system) / 1000 }));
`;

/** A heap of so many megabytes, and looks at it: without a collection (a monitor's, through the bridge), and with one. */
const LOOKS = `
  const { AllocationProfile } = require(${JSON.stringify(path.join(ROOT, 'lib', 'allocation-sites'))});
  const { allocationOptions } = require(${JSON.stringify(path.join(ROOT, 'lib', 'options'))});
  const { performance } = require('node:perf_hooks');
  const looks = (given) => {
    const profile = new AllocationProfile(allocationOptions(), given);
    const heap = [];
    const bytes = Number(process.argv[1]) * 2 ** 20;
    const before = process.memoryUsage().heapUsed;
    while (process.memoryUsage().heapUsed - before < bytes) for (let i = 0; i < 5000; i++) heap.push({ i, list: [i, i] });
    const times = [];
    for (let i = 0; i < 5; i++) { const t = performance.now(); profile.look(); times.push(performance.now() - t); }
    profile.stop();
    return heap.length > 0 && times.sort((a, b) => a - b)[2];
  };
  const plain = looks(() => true);
  console.log(JSON.stringify({ plain, collecting: looks(undefined) }));
`;

const child = (script, argument) => JSON.parse(execFileSync(process.execPath, ['-e', script, argument], { encoding: 'utf8' }));
const median = (values) => values.slice().sort((a, b) => a - b)[values.length >> 1];

console.log(`Node ${process.version}, ${PAIRS} pairs of processes, medians`);
for (const interval of INTERVALS) {
  const ratios = Array.from({ length: PAIRS }, (_, i) => {
    const order = i % 2 ? [0, interval] : [interval, 0];
    const [a, b] = order.map((n) => child(WORK, String(n)).cpuMs);
    return i % 2 ? b / a : a / b;
  });
  const spread = ratios.slice().sort((a, b) => a - b);
  const what = interval ? `a sample every ${interval} bytes` : 'no sampling, twice';
  console.log(`CPU time of an allocating loop, with / without, ${what}: ${median(ratios).toFixed(3)} (${spread[0].toFixed(3)} to ${spread.at(-1).toFixed(3)})`);
}
for (const mb of HEAPS_MB) {
  const { plain, collecting } = child(LOOKS, String(mb));
  console.log(`a look at ${mb} MB of new heap: ${plain.toFixed(1)} ms, with V8's collection ${collecting.toFixed(0)} ms`);
}
