'use strict';

// What each rung of the ladder costs a process: node bench/ladder.js [--heaps 50,200] [--runs 5]
//
// A process of its own for each heap has a monitor's evidence taken, with the clone's own figures: what a report has in `evidence.ladder`.
// Beside the pause that the monitor measures stands the longest time that the event loop stood still. The audit of listeners and a look at
// allocation sites are measured from outside in the same way. Medians; processor time is user and system.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const os = require('node:os');
const { performance } = require('node:perf_hooks');
const { parseArgs } = require('node:util');
const v8 = require('node:v8');

const MB = 2 ** 20;
const SAMPLES = 200;
const TICK_MS = 2;

/** The longest time that the event loop has stood still while `work` is done. A timer tells, so that the loop is idle otherwise. */
async function stopped(work) {
  let last = performance.now();
  let longest = 0;
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last - TICK_MS);
    last = now;
  };
  const timer = setInterval(turn, TICK_MS);
  const result = await work();
  clearInterval(timer);
  turn();
  return { result, longest };
}

/** In the child: fills the heap, takes each rung `runs` times, and gives what that has cost. */
async function rungs(heapMB, runs) {
  const { MemoryMonitor } = require('..');
  const { AllocationProfile } = require('../lib/allocation-sites');
  const { capture } = require('../lib/snapshot');
  const { Ladder } = require('../lib/ladder');
  const { allocationOptions } = require('../lib/options');
  const orders = new Map();
  const add = () => {
    const id = orders.size;
    orders.set(id, { id, customer: `customer ${id}`, at: new Date(id * 1000), lines: Array.from({ length: 3 }, (_, n) => ({ article: `article ${id}-${n}`, count: n, price: id / 7 })) });
  };
  while (v8.getHeapStatistics().used_heap_size < heapMB * MB) add();
  const cost = (rung, taken, longest) => {
    const ladder = new Ladder();
    ladder.add(rung, Date.now(), '', taken);
    const [{ mode, pauseMs, durationMs, cpuMs, peakBytes }] = ladder.take(undefined, false);
    return { rung, mode, pauseMs, stoppedMs: longest, durationMs, cpuMs, peakBytes };
  };
  const found = [];
  const take = async (rung, given) => {
    const { result, longest } = await stopped(() => capture(given));
    found.push(cost(rung, result, longest));
    return result;
  };

  const monitor = new MemoryMonitor({ intervalMs: 86_400_000, evidence: 'none', listeners: false });
  monitor.start();
  const before = process.cpuUsage();
  const began = performance.now();
  for (let i = 0; i < SAMPLES; i++) monitor.sample();
  const each = (performance.now() - began) / SAMPLES;
  const used = process.cpuUsage(before);
  monitor.stop();
  found.push({ rung: 'counters (one sample)', mode: 'inline', pauseMs: each, stoppedMs: null, durationMs: each, cpuMs: (used.user + used.system) / 1000 / SAMPLES, peakBytes: null });

  for (let run = 0; run < runs; run++) {
    await take('census', { product: 'census', mode: 'clone' });
    const { capture: baseline } = await take('graph: baseline', { product: 'baseline', mode: 'clone' });
    for (let i = 0; i < 5000; i++) add();
    await take('graph: growth', { product: 'growth', since: baseline, mode: 'clone' });
    for (let i = 0; i < 5000; i++) add();
    await take('confirmation', { product: 'growth', since: baseline, mode: 'clone' });
    await take('listener audit', { product: 'audit', mode: 'clone' });
    // As a monitor has it: through the bridge no look collects the heap.
    const profile = new AllocationProfile(allocationOptions(), () => true);
    for (let i = 0; i < 5000; i++) add();
    const cpu = process.cpuUsage();
    const at = performance.now();
    profile.look();
    const lookMs = performance.now() - at;
    const { user, system } = process.cpuUsage(cpu);
    profile.stop();
    found.push({ rung: 'allocation sites (one look)', mode: 'inline', pauseMs: lookMs, stoppedMs: null, durationMs: lookMs, cpuMs: (user + system) / 1000, peakBytes: null });
  }
  return { heapMB: Math.round(v8.getHeapStatistics().used_heap_size / MB), orders: orders.size, found };
}

const median = (numbers) => [...numbers].sort((a, b) => a - b)[numbers.length >> 1];
const figure = (numbers, digits = 0, unit = 'ms') => (numbers.some((n) => n === null || n === undefined) ? '-' : `${median(numbers).toFixed(digits)} ${unit}`);

async function main() {
  const { values } = parseArgs({ options: { heaps: { type: 'string', default: '50,200' }, runs: { type: 'string', default: '5' } } });
  const load = os.loadavg()[0].toFixed(1);
  console.log(`Node ${process.version}, ${os.cpus().length} processors (${os.cpus()[0].model}), load average ${load} before, medians of ${values.runs}\n`);
  console.log('| heap | rung | where | pause | longest stop of the loop | takes | processor | peak beside the process |');
  console.log('|---|---|---|---|---|---|---|---|');
  for (const heapMB of values.heaps.split(',')) {
    const child = fork(__filename, ['child', heapMB, values.runs], { execArgv: ['--max-old-space-size=4096'] });
    const [{ found }] = await once(child, 'message');
    for (const rung of new Set(found.map((one) => one.rung))) {
      const all = found.filter((one) => one.rung === rung);
      const of = (name) => all.map((one) => one[name]);
      const small = median(of('pauseMs')) < 10 ? 2 : 0;
      console.log(`| ${heapMB} MB | ${rung} | ${all[0].mode} | ${figure(of('pauseMs'), small)} | ${figure(of('stoppedMs'))} | ${figure(of('durationMs'), small)} | ` +
        `${figure(of('cpuMs'), small)} | ${figure(of('peakBytes').map((bytes) => bytes && bytes / MB), 0, 'MB')} |`);
    }
  }
  console.log(`\nload average ${os.loadavg()[0].toFixed(1)} after`);
}

if (process.argv[2] === 'child') {
  rungs(Number(process.argv[3]), Number(process.argv[4])).then((result) => process.send(result, () => process.exit()), (error) => {
    console.error(error);
    process.exit(1);
  });
} else {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}
