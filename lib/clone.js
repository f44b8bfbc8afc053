'use strict';

// Whether a look at the heap is taken in a clone of the process, in the process itself, or not at all.

const { freemem } = require('node:os');
const v8 = require('node:v8');
const native = require('./load');
const { bridge } = require('./bridge');
const { HeapwardenError, translated } = require('./errors');
const { needed: lineEnds } = require('./line-ends');

const MB = 1024 * 1024;
/** When a clone has to be done: this, and as much for each megabyte of heap. Ten times what it takes on an idle machine. */
const DEADLINE_MS = 60_000;
const DEADLINE_MS_PER_MB = 500;
/** How long the thread may be held up for others to fall asleep; how long it then goes on with its work; how often. */
const PATIENCE_MS = 2;
const BREAK_MS = 10;
const ATTEMPTS_TO_BE_ALONE = 25;
/** A clone that came to grief is followed by another one, twice at most. */
const MOST_CLONES = 3;

const { reason: cannot, walk } = state();

function state() {
  if (process.env.HEAPWARDEN_CLONE === 'off') return { reason: 'switched off by HEAPWARDEN_CLONE=off', walk: false };
  if (!bridge.snapshots) return { reason: bridge.reason ?? 'this runtime\'s snapshots cannot be taken through the bridge to V8', walk: false };
  return native.cloneState();
}

/** `lastFailure`: why the last clone of this thread's came to nothing; nothing where it came to its end. What only a try can tell is told by that. */
const clones = { available: cannot === undefined || cannot === null, reason: cannot ?? undefined, walk, lastFailure: undefined };

function heapBytes() {
  return v8.getHeapStatistics().used_heap_size;
}

/** What is missing for `way` (`clone`, `inline`, `census`) to look at the heap, in words; and what a clone may take. */
function room(way) {
  const heap = heapBytes();
  const { shortage, memoryBytes } = native.roomFor(way, heap, freemem());
  return { heap, memoryBytes, shortage: shortage ? `${Math.round(heap / MB)} MB of heap: ${shortage}` : undefined };
}

/** The error of a look that there is no memory for. */
function noRoom(what, why) {
  return new HeapwardenError(
    'HEAPWARDEN_ERR_NO_ROOM', `too little memory for ${what}: ${why}; set mode to "inline" to take it all the same`);
}

/**
 * Has `make()`'s capture taken in a clone. Gives it with the pause and the processor time (`null` where it is not known), all attempts
 * together, the most memory that one took, and why there was more than one; throws HEAPWARDEN_ERR_CLONE where none gave a result.
 *
 * `finish(capture)` gives the promise of the result. As much as can be is done before the first `await`: what is alive now is in the clone.
 */
async function inClone(make, finish, { memoryBytes, heap, signal }) {
  let pauseMs = 0;
  let cpuMs = 0;
  let reason = null;
  for (let number = 1; ; number++) {
    const capture = make();
    const waited = takeWhenAlone(capture, { memoryBytes, heapBytes: heap }, signal);
    pauseMs += typeof waited === 'number' ? waited : await waited;
    try {
      const json = await finish(capture);
      const cost = capture.cloneCost();
      cpuMs = sum(cpuMs, cost?.cpuMs);
      return { capture, json, pauseMs, cpuMs, peakBytes: cost?.peakBytes ?? null, reason };
    } catch (error) {
      cpuMs = sum(cpuMs, capture.cloneCost()?.cpuMs);
      if (error.code !== 'HEAPWARDEN_ERR_CLONE' || number === MOST_CLONES) throw error;
      reason = `${number === 1 ? 'a second' : 'a third'} clone was needed: ${error.message}`;
    }
  }
}

/** A sum of which a part that is not known makes all unknown. */
function sum(a, b) {
  return a === null || b === undefined || b === null ? null : a + b;
}

/** Clones the process when it is this capture's turn and the other threads are asleep. The pause, at once if that is now. */
function takeWhenAlone(capture, given, signal) {
  const options = {
    ...given, lineEnds, patienceMs: PATIENCE_MS, insist: false,
    deadlineMs: DEADLINE_MS + (given.heapBytes / MB) * DEADLINE_MS_PER_MB,
  };
  const first = translated(() => capture.takeClone(options));
  return first.pauseMs ?? later(capture, options, first, signal);
}

async function later(capture, options, first, signal) {
  let { waitMs } = first;
  try {
    for (let attempts = 1; ; ) {
      await new Promise((resolve) => { setTimeout(resolve, waitMs ?? BREAK_MS); });
      signal?.throwIfAborted();
      if (waitMs === undefined || waitMs === null) attempts += 1;
      const next = translated(() => capture.takeClone({ ...options, insist: attempts >= ATTEMPTS_TO_BE_ALONE }));
      if (next.pauseMs !== undefined && next.pauseMs !== null) return next.pauseMs;
      ({ waitMs } = next);
    }
  } catch (error) {
    // Its place in the queue, or its turn, is another's.
    capture.cancel();
    throw error;
  }
}

module.exports = { clones, room, noRoom, inClone, MB };
