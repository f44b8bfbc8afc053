'use strict';

// Decides once, when the package is loaded, whether V8 is read through the bridge or through the public modules.

const v8 = require('node:v8');
const native = require('./load');

const ATTEMPTS = 5;

/** `{ available, snapshots, reason }`: what the bridge may be used for in this thread, and why not. */
const bridge = decide();

function decide() {
  const off = (reason) => ({ available: false, snapshots: false, reason });
  if (process.env.HEAPWARDEN_BRIDGE === 'off') return off('switched off by HEAPWARDEN_BRIDGE=off');
  const state = native.bridgeState();
  if (!state.available) return off(state.reason);
  const differs = disagreement();
  if (differs) return off(`the bridge and v8.getHeapStatistics() disagree: ${differs}`);
  return { available: true, snapshots: state.snapshots, reason: undefined };
}

/**
 * The first field in which the bridge and `node:v8` differ. Reading allocates and a collection may come between, so each
 * figure of `node:v8` must lie between the bridge's figures before and after it, in one attempt out of some.
 */
function disagreement() {
  const names = native.bridgeStatisticsNames();
  let differs = 'nothing could be read';
  for (let attempt = 0; attempt < ATTEMPTS && differs; attempt++) {
    const before = native.bridgeStatistics();
    const truth = v8.getHeapStatistics();
    const after = native.bridgeStatistics();
    if (!before || !after) return 'the isolate could not be found';
    const at = names.findIndex((name, i) => name in truth && !between(truth[name], before[i], after[i]));
    differs = at < 0 ? undefined : `${names[at]}: ${truth[names[at]]} is not from ${before[at]} to ${after[at]}`;
  }
  return differs;
}

function between(value, a, b) {
  return value >= Math.min(a, b) && value <= Math.max(a, b);
}

module.exports = { bridge };
