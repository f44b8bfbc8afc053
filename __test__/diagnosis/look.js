'use strict';

// Preloaded into a program that knows nothing of it: takes the two looks at the heap that a monitor would take, when the runner asks.

const { withDeclarations } = require('../../lib/declarations');
const { withPositions } = require('../../lib/positions');
const { capture } = require('../../lib/snapshot');

let since;

async function answer(what) {
  if (what === 'baseline') {
    const { capture: taken, mode } = await capture({ product: 'baseline' });
    since = taken;
    return { mode };
  }
  const { growth, mode } = await capture({ product: 'growth', since });
  return { mode, matchedBy: growth.matchedBy, culprits: await withDeclarations(await withPositions(growth.culprits)) };
}

process.on('message', (what) => {
  answer(what).then((result) => process.send({ what, ...result }), (error) => process.send({ what, error: String(error.stack) }));
});
process.on('disconnect', () => process.exit(0));
process.channel.unref();
