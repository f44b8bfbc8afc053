'use strict';

// For how long a program stands still at its heap's limit: node bench/heap-limit.js [--limits 40,100,400] [--runs 5] [--node PATH]
//
// The program keeps objects in a Map until V8 has no memory left for them, and dies. What its report says of the look is printed: the pause,
// and how long the look took, by a clone and inline; medians, and the shortest and the longest pause. These are wall-clock times: the load of the
// machine at the beginning and at the end is printed beside them. The addon must be a release build (`npm run build`).

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { CASES } = require('../__test__/heap-limit/cases');
const { die, finalReports, wrongEnd } = require('../__test__/heap-limit/death');

const PROGRAM = CASES.find(({ name }) => name === 'collection-map').file;
const WAYS = { clone: {}, inline: { HEAPWARDEN_CLONE: 'off' } };

const median = (values) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)];

/** `{ pauseMs, durationMs, usedBytes }` of one death; throws where the look was not taken that way. */
async function death(node, limitMB, way) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-limit-'));
  try {
    const end = await die(node, PROGRAM, { limitMB, directory, env: WAYS[way] });
    const wrong = wrongEnd(end);
    const [report] = await finalReports(directory);
    if (wrong || report?.evidence.mode !== way) throw new Error(`${wrong ?? report?.evidence.reason}\n${end.stderr}`);
    return { pauseMs: report.pauseMs, durationMs: report.evidence.ladder.at(-1).durationMs, usedBytes: report.heapLimit.usedBytes };
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      limits: { type: 'string', default: '40,100,400' }, runs: { type: 'string', default: '5' },
      node: { type: 'string', default: process.execPath },
    },
  });
  const load = () => os.loadavg().map((value) => value.toFixed(1)).join(' ');
  console.log(`${os.cpus().length} processors, load ${load()}`);
  console.log('limit MB  way     runs  heap MB  pause ms (shortest to longest)  whole look ms');
  for (const limitMB of values.limits.split(',').map(Number)) {
    for (const way of Object.keys(WAYS)) {
      const taken = [];
      for (let i = 0; i < Number(values.runs); i++) taken.push(await death(values.node, limitMB, way));
      const pauses = taken.map(({ pauseMs }) => pauseMs);
      const column = (key) => median(taken.map((one) => one[key]));
      const range = `${Math.min(...pauses).toFixed(0)} to ${Math.max(...pauses).toFixed(0)}`;
      console.log(`${String(limitMB).padStart(8)}  ${way.padEnd(6)}  ${String(taken.length).padStart(4)}  ` +
        `${(column('usedBytes') / 2 ** 20).toFixed(1).padStart(7)}  ${`${median(pauses).toFixed(0)} (${range})`.padStart(30)}  ` +
        `${column('durationMs').toFixed(0).padStart(13)}`);
    }
  }
  console.log(`load ${load()}`);
}

main(process.argv.slice(2)).catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
