'use strict';

// V8 before version 12 (Node 18 and 20) looks up the place of each function in a snapshot by a scan from the start of its
// script, unless the script's line ends are known. With one script of nine megabytes loaded, a snapshot of a 50 MB heap then
// takes sixteen seconds instead of one.

const native = require('./load');
const { bridge } = require('./bridge');
const { ask } = require('./inspector-session');

/** Whether line ends have to be made known before a snapshot; in a clone, native code does that. */
const needed = parseInt(process.versions.v8, 10) < 12;

let isEnabled = false;

/**
 * Makes the line ends of all scripts known where a snapshot would suffer without. Called before each snapshot: scripts may have
 * been loaded since the last one, and a second call costs only a walk over the heap.
 *
 * Through the bridge a profiler is created and disposed of, unseen by others. Elsewhere an inspector session starts and stops
 * one. Its profiler is never disabled, which would switch off the precise coverage that a test runner has asked for in another
 * session. Where no session can be had the snapshot is slow.
 */
function knowLineEnds() {
  if (!needed) return;
  if (bridge.snapshots && native.makeLineEndsKnown()) return;
  try {
    if (!isEnabled) {
      ask('Profiler.enable');
      isEnabled = true;
    }
    ask('Profiler.start');
    ask('Profiler.stop');
  } catch {
    // Built without an inspector, or refused by a policy.
  }
}

module.exports = { knowLineEnds, needed };
