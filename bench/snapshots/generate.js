'use strict';

// Heap snapshots to measure with, by size: node bench/snapshots/generate.js --size 100 --out DIR [--node PATH] [--seed N]
//   [--list-length 100000]
//
// Writes sSIZE.a.heapsnapshot, of about SIZE MB, and from the same process sSIZE.b.heapsnapshot, after 100,000 LeakedSession
// objects more (a tenth of that below 50 MB, a hundredth below 9). The content is seeded: the same objects each time, but for
// what Node itself holds.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const v8 = require('node:v8');
const { installed } = require('../install');

/**
 * MB of text on Node 20 with no unit and for each unit, measured; the other versions write about a tenth less.
 * Below `from` MB the packages alone would fill the file.
 */
const TIERS = [
  { name: 'full', from: 50, baseMB: 26.5, unitMB: 0.62, leaked: 100_000 },
  { name: 'light', from: 9, baseMB: 8.2, unitMB: 0.5, leaked: 10_000 },
  { name: 'bare', from: 0, baseMB: 5.4, unitMB: 0.5, leaked: 1000 },
];

/** The tier and the number of units that give a file of so many MB. */
function plan(sizeMB) {
  const tier = TIERS.find(({ from }) => sizeMB >= from);
  return { ...tier, units: Math.max(0, Math.round((sizeMB - tier.baseMB) / tier.unitMB)) };
}

/**
 * Spares Node 20 a scan from the start of a script for each of its functions: the profiler makes the ends of lines known.
 *
 * The session stays connected: to disconnect one clears the object ids that the two snapshots are matched by.
 */
function knowLineEnds() {
  const { Session } = require('node:inspector');
  const session = new Session();
  session.connect();
  for (const method of ['Profiler.enable', 'Profiler.start', 'Profiler.stop', 'Profiler.disable']) session.post(method);
  globalThis.benchSession = session;
}

function write(file) {
  const cpu = process.cpuUsage();
  const temporary = `${file}.tmp`;
  v8.writeHeapSnapshot(temporary);
  fs.renameSync(temporary, file);
  const { user, system } = process.cpuUsage(cpu);
  const peakMB = Math.round(process.resourceUsage().maxRSS / 1024);
  console.log(`${path.basename(file)}: ${fs.statSync(file).size} bytes, ${((user + system) / 1e6).toFixed(1)} s CPU, peak ${peakMB} MB`);
}

function generate({ size, out, seed, units, listLength }) {
  const planned = plan(size);
  const { workload, leak } = require('./workload');
  const { root, grow } = workload(planned.name, seed, listLength);
  // As a service holds what it has: not by the stack of the function that takes the snapshot.
  globalThis.service = root;
  for (let i = 0; i < (units ?? planned.units); i++) grow();
  knowLineEnds();
  fs.mkdirSync(out, { recursive: true });
  globalThis.gc();
  write(path.join(out, `s${size}.a.heapsnapshot`));
  leak(root, planned.leaked);
  globalThis.gc();
  write(path.join(out, `s${size}.b.heapsnapshot`));
}

function options(args) {
  const { values } = parseArgs({
    args,
    options: {
      size: { type: 'string' }, out: { type: 'string' }, node: { type: 'string', default: process.execPath },
      seed: { type: 'string', default: '1' }, units: { type: 'string' }, 'list-length': { type: 'string', default: '100000' }, child: { type: 'boolean', default: false },
    },
  });
  const size = Number(values.size);
  if (!(size > 0 && values.out)) throw new Error('usage: generate.js --size MB --out DIR [--node PATH] [--seed N] [--list-length N]');
  return {
    ...values,
    size,
    out: path.resolve(values.out),
    seed: Number(values.seed),
    units: values.units && Number(values.units),
    listLength: Number(values['list-length']),
  };
}

function main(args) {
  const chosen = options(args);
  if (chosen.child) return generate(chosen);
  installed();
  // Both of a pair come from one process, which needs its own flags.
  const heapMB = Math.max(2048, Math.ceil(chosen.size * 2));
  const child = spawn(chosen.node, ['--expose-gc', `--max-old-space-size=${heapMB}`, __filename, '--child', ...args], { stdio: 'inherit' });
  child.on('exit', (code, signal) => {
    process.exitCode = signal ? 1 : code;
  });
}

module.exports = { plan };

if (require.main === module) main(process.argv.slice(2));
