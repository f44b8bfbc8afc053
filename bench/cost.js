'use strict';

// What a started monitor costs: node bench/cost.js
//
// Pairs of child processes, one with a monitor and one without, take turns, so that a change of the machine's speed meets both.

const { execFileSync } = require('node:child_process');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');
const PAIRS = 9;

/** Runs in a child: garbage and some survivors for a fixed number of rounds; prints CPU time, collections and rss. */
const WORK = `
  const watched = process.argv[1] === 'with';
  const { performance, PerformanceObserver } = require('node:perf_hooks');
  let monitor;
  if (watched) {
    const { MemoryMonitor } = require(${JSON.stringify(ROOT)});
    monitor = new MemoryMonitor({ intervalMs: 30_000, evidence: 'none' }).start();
  }
  const ring = new Array(2000);
  const cpu = process.cpuUsage();
  for (let i = 0; i < 12e6; i++) ring[i % 2000] = { i, text: 'x' + (i & 255), list: [i] };
  const used = process.cpuUsage(cpu);
  const result = { cpuMs: (used.user + used.system) / 1000, rssMB: process.memoryUsage().rss / 1048576, kept: ring.length };
  if (watched) {
    const { gc } = monitor.sample();
    result.collections = gc.minor + gc.major;
    const times = [];
    for (let i = 0; i < 2000; i++) { const t = performance.now(); monitor.sample(); times.push((performance.now() - t) * 1000); }
    times.sort((a, b) => a - b);
    result.sampleUs = times[1000];
    result.sampleP99Us = times[1980];
    const t = performance.now();
    for (let i = 0; i < 200; i++) { monitor.stop(); monitor.start(); }
    result.startStopUs = (performance.now() - t) * 1000 / 200;
    monitor.stop();
  }
  console.log(JSON.stringify(result));
`;

const child = (mode) => JSON.parse(execFileSync(process.execPath, ['-e', WORK, mode], { encoding: 'utf8' }));
const median = (values) => values.slice().sort((a, b) => a - b)[values.length >> 1];

const pairs = Array.from({ length: PAIRS }, (_, i) => {
  // Which goes first alternates: the second of a pair finds a warmer machine.
  if (i % 2) return { without: child('without'), beside: child('with') };
  const beside = child('with');
  return { without: child('without'), beside };
});
const ratios = pairs.map(({ without, beside }) => beside.cpuMs / without.cpuMs);
const of = (key) => median(pairs.map(({ beside }) => beside[key]));

console.log(`Node ${process.version}, ${PAIRS} pairs of processes, medians`);
console.log(`CPU time of an allocating loop, with / without: ${median(ratios).toFixed(3)} (${of('collections')} collections)`);
console.log(`added rss: ${median(pairs.map((p) => p.beside.rssMB - p.without.rssMB)).toFixed(1)} MB`);
console.log(`one sample on the main thread: ${of('sampleUs').toFixed(0)} us (99th percentile ${of('sampleP99Us').toFixed(0)} us)`);
console.log(`stop and start: ${of('startStopUs').toFixed(0)} us`);
