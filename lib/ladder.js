'use strict';

// What was done for a report, cheapest first, with what each step has cost.

/** Looks that are told of besides the baseline: those that the report rests on, and what led to it. */
const MOST_LOOKS = 8;

/** The rungs that were taken for the next report. The baseline's stays, for the one after it rests on it as well. */
class Ladder {
  #baseline;
  #looks = [];

  /** Takes down a rung: `taken` is what `capture` gave, `at` when it began, `why` what asked for it. */
  add(rung, at, why, taken) {
    this.#looks.push(rungOf(rung, at, why, taken));
    if (this.#looks.length > MOST_LOOKS) this.#looks.shift();
  }

  /** The rung that the next reports are compared with, if there is one. */
  get baseline() {
    return this.#baseline;
  }

  /** The same for what is compared with from now on. */
  begin(rung, at, why, taken) {
    this.#baseline = rungOf(rung, at, why, taken);
  }

  /**
   * The rungs since the report before. `counters` is what sampling has cost (`{ at, pauseMs, durationMs }`), if anybody counts;
   * `areKept`: whether another report may rest on the same looks.
   */
  take(counters, areKept) {
    const looks = this.#looks;
    if (!areKept) this.#looks = [];
    const first = counters && {
      rung: 'counters', mode: 'inline', at: isoTime(counters.at), pauseMs: counters.pauseMs, durationMs: counters.durationMs,
      cpuMs: null, peakBytes: null, why: 'always: a sample an interval, and each collection',
    };
    return [first, this.#baseline, ...looks].filter(Boolean).map((rung) => ({ ...rung }));
  }

  /** Forgets all. */
  clear() {
    this.#baseline = undefined;
    this.#looks = [];
  }
}

function rungOf(rung, at, why, { mode, pauseMs, durationMs, cpuMs = null, peakBytes = null }) {
  return { rung, mode, at: isoTime(at), pauseMs, durationMs, cpuMs, peakBytes, why };
}

/** ISO 8601; nothing where there is no time. */
function isoTime(ms) {
  return ms === undefined ? null : new Date(ms).toISOString();
}

module.exports = { Ladder, isoTime };
