'use strict';

// Garbage collection on demand, without a flag on the command line.

const v8 = require('node:v8');
const vm = require('node:vm');

let collectNow;

/**
 * Collects all garbage of this thread. V8's own function for it, of `--expose-gc` where that was given; else the flag is set for as long as it
 * takes to make a context, and the function kept.
 */
function collect() {
  collectNow ??= find();
  collectNow();
}

function find() {
  if (typeof globalThis.gc === 'function') return globalThis.gc;
  v8.setFlagsFromString('--expose-gc');
  try {
    return vm.runInNewContext('gc');
  } finally {
    // What the program makes of contexts later is not for us to change.
    v8.setFlagsFromString('--no-expose-gc');
  }
}

module.exports = { collect };
