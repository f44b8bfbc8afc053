'use strict';

// How many looks at the heap this thread has taken or refused, and what they cost.

const MODES = ['clone', 'inline', 'none'];
const OUTCOMES = ['taken', 'refused', 'aborted', 'failed'];

const counts = Object.fromEntries(MODES.map((mode) => [mode, Object.fromEntries(OUTCOMES.map((outcome) => [outcome, 0]))]));
const cost = { pauseMs: 0, cpuMs: 0 };

/** What became of a look that gave an error. */
function outcomeOf(error, signal) {
  if (signal?.aborted) return 'aborted';
  return ['HEAPWARDEN_ERR_NO_ROOM', 'HEAPWARDEN_ERR_BUSY', 'HEAPWARDEN_ERR_UNSUPPORTED'].includes(error?.code) ? 'refused' : 'failed';
}

/** Counts what becomes of a look: a promise of `{ mode, pauseMs, cpuMs }`, which it gives. */
async function counted(signal, look) {
  try {
    const taken = await look();
    counts[taken.mode].taken += 1;
    cost.pauseMs += taken.pauseMs ?? 0;
    cost.cpuMs += taken.cpuMs ?? 0;
    return taken;
  } catch (error) {
    counts.none[outcomeOf(error, signal)] += 1;
    throw error;
  }
}

const captures = {
  /** `{ clone: { taken, refused, aborted, failed }, ... }`; what gave nothing is under `none`. */
  get counts() {
    return structuredClone(counts);
  },

  /** How long they stopped this thread, and the processor time of clones, in milliseconds. */
  get cost() {
    return { ...cost };
  },

  /** Takes note that a look was not even asked for, because it would not have been allowed. */
  refused() {
    counts.none.refused += 1;
  },

  counted,
};

module.exports = { captures, outcomeOf };
