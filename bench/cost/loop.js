'use strict';

// What a monitor that samples costs a program that allocates: pairs of processes, with one and without.

const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { medianWithInterval } = require('../overhead/statistics');

const ROOT = path.resolve(__dirname, '..', '..');

/** Runs in a child: garbage and some survivors for a fixed number of rounds; prints processor time and collections. */
const WORK = `
  const watched = process.argv[1] === 'with';
  const { performance } = require('node:perf_hooks');
  let monitor;
  if (watched) {
    const { MemoryMonitor } = require(${JSON.stringify(ROOT)});
    monitor = new MemoryMonitor({ intervalMs: 30_000, evidence: 'none', postmortem: false }).start();
  }
  const ring = new Array(2000);
  const cpu = process.cpuUsage();
  for (let i = 0; i < 12e6; i++) ring[i % 2000] = { i, text: 'x' + (i & 255), list: [i] };
  const used = process.cpuUsage(cpu);
  const result = { cpuMs: (used.user + used.system) / 1000, kept: ring.length };
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
    result.restartUs = (performance.now() - t) * 1000 / 200;
    monitor.stop();
  }
  console.log(JSON.stringify(result));
`;

/** `{ ratio, gcUs, sampleUs, sampleP99Us, restartUs, collections }`, medians with intervals. */
function loop({ node, pairs, directory }) {
  const child = (mode) => JSON.parse(execFileSync(node, ['-e', WORK, mode], { encoding: 'utf8', cwd: directory }));
  const measured = Array.from({ length: pairs }, (_, i) => {
    // Which goes first alternates: the second of a pair finds a warmer machine.
    if (i % 2) return { without: child('without'), beside: child('with') };
    const beside = child('with');
    return { without: child('without'), beside };
  });
  const of = (figure) => medianWithInterval(measured.map(figure));
  return {
    ratio: of(({ without, beside }) => beside.cpuMs / without.cpuMs),
    gcUs: of(({ without, beside }) => ((beside.cpuMs - without.cpuMs) * 1000) / beside.collections),
    collections: of(({ beside }) => beside.collections),
    sampleUs: of(({ beside }) => beside.sampleUs), sampleP99Us: of(({ beside }) => beside.sampleP99Us), restartUs: of(({ beside }) => beside.restartUs),
  };
}

module.exports = { loop };
