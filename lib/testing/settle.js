'use strict';

// Waits until what calls have left under way is over: what is counted before that is not yet garbage.

// As they are before anybody fakes them.
const { setImmediate, setTimeout } = require('node:timers');
const { collect } = require('./collect');

/** A finalizer runs a turn of the loop after the collection that found its object dead, and lets go of more. Whoever counts collects once more. */
const TURNS = 2;
const NAP_MS = 5;

const sweepers = [];

/** Has `sweep` called before garbage is collected: what it lets go of is not counted. */
function beforeCollections(sweep) {
  sweepers.push(sweep);
}

const nextTurn = () => new Promise((resolve) => { setImmediate(resolve); });
const nap = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Lets sockets close and timers fire, for `mostMs` at most while there are more of them than `calm`; gives how many there are then. */
async function settle(calm, mostMs) {
  await nextTurn();
  // By naps, not by a clock: a test may have stopped that.
  for (let left = mostMs; underWay() > calm && left > 0; left -= NAP_MS) await nap(NAP_MS);
  for (const sweep of sweepers) sweep();
  for (let turn = 0; turn < TURNS; turn++) {
    collect();
    await nextTurn();
  }
  return underWay();
}

/** How many timers, sockets and the like keep this thread's loop alive. */
function underWay() {
  // Missing in a process of Node before 17.3, and in an environment of a test runner that has made up its own.
  // eslint-disable-next-line n/no-unsupported-features/node-builtins -- there since 17.3, without a warning
  return process.getActiveResourcesInfo?.().length ?? 0;
}

module.exports = { beforeCollections, nap, nextTurn, settle };
