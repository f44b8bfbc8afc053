'use strict';

// Has programs die in every way there is, with Heapwarden beside them and without, and kills some at random moments.
//
//   node __test__/deaths/run.js [--kills 50] [--node PATH]... [--only TEXT] [--verbose]
//
// Prints what each recording says, and what is not as it should be. Ends with 1 if anything is not.

const { parseArgs } = require('node:util');
const { CASES } = require('./cases');
const { core, die, kill } = require('./child');

/** Between two samples; and how late the clock's thread may be on a machine that has other things to do. */
const INTERVAL_MS = 100;
const SLACK_MS = 150;

const say = (line) => process.stdout.write(`${line}\n`);

async function deaths(node, only, verbose) {
  let failed = 0;
  const cases = CASES.filter(({ name }) => name.includes(only));
  for (const given of cases) {
    const { misses, ended, code, signal } = await die(node, given);
    if (misses.length > 0) failed += 1;
    say(`  ${misses.length === 0 ? 'ok    ' : 'FAILED'} ${given.name.padEnd(32)} ${String(signal ?? code).padEnd(8)} ${ended}`);
    for (const miss of misses) say(`           ${verbose ? miss : miss.slice(0, 400)}`);
  }
  return { failed, count: cases.length };
}

/** Whether a core file is dumped, of the deaths by a signal that the system dumps one for. */
async function cores(node, only) {
  let failed = 0;
  const cases = CASES.filter(({ name, ended, dies }) => name.includes(only) && dies && ended !== 'unknown' && !/^heap limit/.test(name));
  for (const given of cases) {
    const { without, beside } = await core(node, given);
    if (without === beside) continue;
    failed += 1;
    say(`  FAILED core file of ${given.name}: without "${without}", beside "${beside}"`);
  }
  say(`  ${cases.length - failed} of ${cases.length} deaths by a signal: core files the same with and without`);
  return failed;
}

async function kills(node, count) {
  let failed = 0;
  const ages = [];
  for (let i = 0; i < count; i++) {
    const { misses, ageMs, blocked } = await kill(node, { intervalMs: INTERVAL_MS, slackMs: SLACK_MS, blocked: i % 2 === 1 });
    if (ageMs !== undefined) ages.push(ageMs);
    if (misses.length > 0) failed += 1;
    for (const miss of misses) say(`  FAILED kill ${i + 1}${blocked ? ' (blocked)' : ''}: ${miss}`);
  }
  ages.sort((a, b) => a - b);
  const at = (share) => ages[Math.min(ages.length - 1, Math.floor(share * ages.length))];
  say(`  ${count - failed} of ${count} killed at random moments, half of them with a blocked loop: age of the last sample at an interval of ` +
    `${INTERVAL_MS} ms: median ${at(0.5)} ms, largest ${at(1)} ms`);
  return failed;
}

async function main() {
  const { values } = parseArgs({
    options: {
      kills: { type: 'string', default: '10' },
      node: { type: 'string', multiple: true, default: [process.execPath] },
      only: { type: 'string', default: '' },
      verbose: { type: 'boolean', default: false },
    },
  });
  let failed = 0;
  for (const node of values.node) {
    say(node);
    const died = await deaths(node, values.only, values.verbose);
    say(`  ${died.count - died.failed} of ${died.count} deaths recorded right, and the same with and without`);
    failed += died.failed;
    failed += await cores(node, values.only);
    if (Number(values.kills) > 0) failed += await kills(node, Number(values.kills));
  }
  process.exitCode = failed > 0 ? 1 : 0;
}

main();
