'use strict';

// The figures of all threads of the process, as metrics tell them.

const { threadId } = require('node:worker_threads');
const native = require('../load');
const { monitorOr } = require('../running');

/**
 * What the monitor's own thread counts, now, and what the monitors of other threads showed at their last sample: `{ own, all }`. Other
 * threads begin to show theirs once somebody asks.
 */
function readFigures(monitor) {
  const own = monitorOr(monitor).metrics();
  const others = native.readBoard(threadId).map((text) => JSON.parse(text));
  return { own, all: [own, ...others] };
}

module.exports = { readFigures };
