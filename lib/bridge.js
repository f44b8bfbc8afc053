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

/** What the bridge and `node:v8` differ in, if they do in every attempt: reading allocates, and a collection may come between. */
function disagreement() {
  const names = native.bridgeStatisticsNames();
  let differs;
  for (let attempt = 0; attempt < ATTEMPTS; attempt++) {
    const before = native.bridgeStatistics();
    const truth = v8.getHeapStatistics();
    const after = native.bridgeStatistics();
    if (!before || !after) return 'the isolate could not be found';
    differs = firstDifference(names, before, truth, after);
    if (differs === undefined) return undefined;
  }
  return differs;
}

/** The first field whose figure in `truth` does not lie between the bridge's figures before and after it, in words. */
function firstDifference(names, before, truth, after) {
  const at = names.findIndex((name, i) => name in truth && !between(truth[name], before[i], after[i]));
  return at < 0 ? undefined : `${names[at]}: ${truth[names[at]]} is not from ${before[at]} to ${after[at]}`;
}

function between(value, a, b) {
  return value >= Math.min(a, b) && value <= Math.max(a, b);
}

module.exports = { bridge, firstDifference };
