'use strict';

// What redaction costs a snapshot that is being written: node bench/redact.js [--objects N] [--rounds N]
//
// Inline, so that the processor time of V8, of the redaction and of the file is this process's. The three levels take turns, so that a change of
// the machine's speed meets all; the throughput is that of redaction alone: text by what a level takes more than `full`, round by round.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { writeSnapshot } = require('..');

const { values } = parseArgs({ options: { objects: { type: 'string', default: '200000' }, rounds: { type: 'string', default: '5' } } });
const ROUNDS = Number(values.rounds);

class Session {
  constructor(i) {
    this.id = i;
    this.user = `user ${i}`;
    this.log = [i, i + 1];
    this.attributes = { a: i, b: `x${i}` };
  }
}

globalThis.sessions = Array.from({ length: Number(values.objects) }, (_, i) => new Session(i));
// Names that data gave, which are hashed.
globalThis.byToken = Object.fromEntries(Array.from({ length: Number(values.objects) / 10 }, (_, i) => [`token-${i}`, i]));
const median = (numbers) => numbers.slice().sort((a, b) => a - b)[numbers.length >> 1];

async function main() {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-redact-'));
  const rounds = { full: [], names: [], shape: [] };
  try {
    for (let i = 0; i <= ROUNDS; i++) {
      for (const [redact, results] of Object.entries(rounds)) {
        const from = process.cpuUsage();
        const { path: file, bytes, pauseMs } = await writeSnapshot({ directory, redact, mode: 'inline', summary: false });
        const { user, system } = process.cpuUsage(from);
        fs.unlinkSync(file);
        // The first round warms up.
        if (i > 0) results.push({ bytes, pauseMs, cpuMs: (user + system) / 1000 });
      }
    }
  } finally {
    fs.rmSync(directory, { recursive: true });
  }
  console.log(`Node ${process.version}, medians of ${ROUNDS} rounds, ${process.memoryUsage().heapUsed >> 20} MB of heap`);
  for (const [level, results] of Object.entries(rounds)) {
    const of = (key) => median(results.map((result) => result[key]));
    const more = median(results.map(({ cpuMs }, i) => cpuMs - rounds.full[i].cpuMs));
    const rate = level === 'full' ? '' : `; redaction takes ${more.toFixed(0)} ms more, ${(of('bytes') / 1e3 / more).toFixed(0)} MB/s`;
    console.log(`${level.padEnd(5)} ${(of('bytes') / 1e6).toFixed(0)} MB of text, pause ${of('pauseMs').toFixed(0)} ms, ${of('cpuMs').toFixed(0)} ms of CPU${rate}`);
  }
}

main();
