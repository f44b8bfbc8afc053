'use strict';

// Programs that die of their heap's limit, and what a human would call the culprit.

const path = require('node:path');

const program = (name) => path.join(__dirname, 'programs', `${name}.js`);

/** `{ name, file, constructors }`: the first culprit's `constructorName` is one of these. */
const CASES = [
  ['collection-map', ['Session']],
  ['listener', ['(closure) onChange']],
  ['closure', ['(closure) undo']],
  ['timer', ['Poller']],
  ['promise', ['Call', 'Promise']],
  ['promise-waiting', ['(closure) render', 'Promise', 'PromiseReaction', 'system / PromiseReaction']],
  ['string', ['(string)']],
  ['buffer', ['Upload']],
  ['collection-dictionary', ['Profile']],
  ['collection-array', ['LogEntry']],
].map(([name, constructors]) => ({ name, file: program(name), constructors }));

/** Limits in megabytes, small ones more often: of these most processes die. */
const LIMITS = [40, 64, 100, 50, 80, 40, 160, 56, 40, 250, 48, 72, 400];

module.exports = { CASES, LIMITS, HEALTHY: program('healthy') };
