'use strict';

// What compression costs a snapshot, in writing and in reading: node bench/compress.js
//
// The three kinds take turns, so that a change of the machine's speed meets all. The pause is wall time (V8's own work is most
// of it); the rest is CPU time of the whole process, its threads included.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { summarizeSnapshot, writeSnapshot } = require('..');

const ROUNDS = 5;
const OBJECTS = 300_000;

class Session {
  constructor(i) {
    this.id = i;
    this.user = `user ${i}`;
    this.log = [i, i + 1];
    this.attributes = { a: i, b: `x${i}` };
  }
}

globalThis.sessions = Array.from({ length: OBJECTS }, (_, i) => new Session(i));
const median = (values) => values.slice().sort((a, b) => a - b)[values.length >> 1];

/** What `fn` gives, and the CPU time that it took in milliseconds. */
async function measured(fn) {
  const from = process.cpuUsage();
  const value = await fn();
  const { user, system } = process.cpuUsage(from);
  return [value, (user + system) / 1000];
}

async function main() {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-compress-'));
  const rounds = { plain: [], gzip: [], zstd: [] };
  try {
    for (let i = 0; i <= ROUNDS; i++) {
      for (const [name, results] of Object.entries(rounds)) {
        const compress = name === 'plain' ? false : name;
        const [written, writeMs] = await measured(() => writeSnapshot({ directory: dir, compress, summary: false }));
        const [, readMs] = await measured(() => summarizeSnapshot(written.path));
        fs.unlinkSync(written.path);
        // The first round warms up.
        if (i > 0) results.push({ ...written, writeMs, readMs });
      }
    }
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
  console.log(`Node ${process.version}, medians of ${ROUNDS} rounds`);
  for (const [name, results] of Object.entries(rounds)) {
    const of = (key) => median(results.map((result) => result[key]));
    console.log(`${name.padEnd(5)} ${(of('bytes') / 1e6).toFixed(0)} MB of text, file ${(of('fileBytes') / 1e6).toFixed(1)} MB; ` +
      `pause ${of('pauseMs').toFixed(0)} ms, writing ${of('writeMs').toFixed(0)} ms of CPU, summary of the file ${of('readMs').toFixed(0)} ms of CPU`);
  }
}

main();
