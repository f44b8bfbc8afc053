'use strict';

// Tests one function of the tables as often as it is told to; a line of JSON for each time.
//
//   node child.js leaks|others|healthy NAME REPEAT OPTIONS

const { inspectLeaks } = require('../..');
const { healthy } = require('./healthy');
const { judgeHealth, judgeLeak } = require('./judge');
const { leaks, others } = require('./leaks');

async function main([kind, name, repeat, options]) {
  const given = { leaks, others, healthy }[kind].find((one) => one.name === name);
  for (let i = 0; i < Number(repeat); i++) {
    const { fn, close } = await given.make();
    const result = await inspectLeaks(fn, JSON.parse(options ?? '{}'));
    close?.();
    const wrong = kind === 'healthy' ? judgeHealth(result) : judgeLeak(given.expected, result);
    const { rung, durationMs, callsMs, message, iterations } = result;
    process.stdout.write(`${JSON.stringify({ wrong, rung, durationMs, callsMs, message, iterations })}\n`);
  }
}

main(process.argv.slice(2)).then(() => process.exit(0), (error) => {
  console.error(error);
  process.exit(1);
});
