'use strict';

// Has programs die of their heap's limit and says of how many the report names what leaked first.
//
//   npm run heap-limit -- [--runs 50] [--node PATH]... [--only NAME] [--limit MB] [--mode sync|async] [--intervalMs MS] [--clone off] [--verbose]
//
// Ends with 1 if one did not.

const { parseArgs } = require('node:util');
const { CASES, LIMITS } = require('./cases');
const { judgeDeath } = require('./death');

async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      runs: { type: 'string' }, node: { type: 'string', multiple: true }, only: { type: 'string' }, limit: { type: 'string' },
      mode: { type: 'string' }, intervalMs: { type: 'string' }, clone: { type: 'string' }, verbose: { type: 'boolean' },
    },
  });
  const nodes = values.node ?? [process.execPath];
  const cases = CASES.filter(({ name }) => !values.only || name === values.only);
  const runs = Number(values.runs ?? 50);
  let right = 0;
  for (let i = 0; i < runs; i++) {
    const given = cases[i % cases.length];
    const node = nodes[i % nodes.length];
    const limitMB = Number(values.limit ?? LIMITS[i % LIMITS.length]);
    const mode = values.mode ?? ((Math.floor(i / cases.length) + i) % 2 === 0 ? 'sync' : 'async');
    const env = {};
    // With short intervals the warm-up is over before the death, and growth is measured from a baseline.
    const intervalMs = values.intervalMs ?? (i % 3 === 2 ? '20' : undefined);
    if (intervalMs) env.HEAPWARDEN_INTERVAL_MS = intervalMs;
    if (values.clone) env.HEAPWARDEN_CLONE = values.clone;
    const { misses, report, end } = await judgeDeath(node, given, { limitMB, mode: values.mode ?? mode, env });
    if (misses.length === 0) right += 1;
    const note = report?.evidence;
    const pause = report ? `${report.pauseMs.toFixed(0)} ms` : '-';
    const how = `${note?.mode ?? '-'}${note?.baselineAt ? ', baseline' : ''}`;
    console.log(`${misses.length === 0 ? 'ok    ' : 'MISSED'} ${given.name.padEnd(22)} ${String(limitMB).padStart(4)} MB ${(values.mode ?? mode).padEnd(5)} ` +
      `${how.padEnd(16)} ${pause.padStart(9)} ${(end.tookMs / 1000).toFixed(1).padStart(6)} s  ${misses.join('; ')}`);
    if (values.verbose && report) {
      for (const { constructorName, pattern, countDelta, retainedSizeDelta } of report.culprits.slice(0, 4)) {
        console.log(`         ${constructorName} ${pattern} ${countDelta} ${retainedSizeDelta}`);
      }
      console.log(`         ${note.reason} ${JSON.stringify(report.heapLimit)} ${JSON.stringify(note.ladder.map((r) => [r.rung, r.mode, r.durationMs]))}`);
    }
  }
  console.log(`${right} of ${runs}`);
  return right === runs ? 0 : 1;
}

main(process.argv.slice(2)).then((code) => { process.exitCode = code; }, (error) => {
  console.error(error);
  process.exitCode = 2;
});
