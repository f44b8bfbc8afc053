'use strict';

const path = require('node:path');
const { threadId } = require('node:worker_threads');
const v8 = require('node:v8');
const native = require('./load');
const { bridge } = require('./bridge');
const { capture, snapshotName } = require('./snapshot');

/**
 * The largest heaps of which `evidence: 'auto'` takes an inline snapshot, at about 50 ms of pause a megabyte. A process that
 * is proven to leak will stop for good if nobody finds out why; one that has just warmed up, or is suspected, is most likely healthy.
 */
const AUTO_LIMIT_MB = { baseline: 128, suspect: 128, leak: 256 };
/** What a snapshot takes of memory, in times the heap: V8's graph at 350 to 540 bytes a node, and ours. */
const TIMES_THE_HEAP = 8;
/** See `#leastAgeMs`. */
const LEAST_AGE_INTERVALS = 2;
/** How old a look at a suspicion may be, in sampling intervals, to stand for the second look at the leak that it became. */
const FRESH_INTERVALS = 4;
const MB = 1024 * 1024;

/** Waits without keeping the process alive. */
const sleep = (ms) => (ms > 0 ? new Promise((resolve) => { setTimeout(resolve, ms).unref(); }) : undefined);

/** Takes the evidence for a monitor: a baseline early in life, and what has grown since when a leak is called. */
class Evidence {
  #mode;
  #directory;
  #baseline;
  #refused;
  #pauseMs = 0;
  #room;
  /** How much older than the baseline the second look has to be, so that there is growth to see. */
  #leastAgeMs;
  #freshMs;
  /** The baseline that is under way. */
  #pending;
  /** The look at a suspicion that is under way: a promise that never rejects, and what gives it up. */
  #looking;
  /** What the last look at a suspicion found, with the time at which it was taken. */
  #lastLook;
  /** Counts the releases, so that a baseline that was under way at one is not kept. */
  #released = 0;

  /** `room()` gives the bytes that the process can still take. */
  constructor({ evidence, directory, intervalMs = 30_000 }, room) {
    this.#mode = evidence;
    this.#directory = directory;
    this.#room = room;
    this.#leastAgeMs = LEAST_AGE_INTERVALS * intervalMs;
    this.#freshMs = FRESH_INTERVALS * intervalMs;
  }

  /** Whether there may be any at all. */
  get isWanted() {
    return this.#mode !== 'none';
  }

  /** Whether some is being taken. */
  get isBusy() {
    return this.#pending !== undefined || this.#looking !== undefined;
  }

  /** Takes the baseline, once the program is warm. */
  takeBaseline() {
    this.#pending = this.#takeBaseline().finally(() => { this.#pending = undefined; });
    return this.#pending;
  }

  async #takeBaseline() {
    this.#refused = this.refusal('baseline');
    if (this.#refused) return;
    const released = this.#released;
    const { capture: taken, pauseMs } = await capture({ product: 'baseline' });
    if (released !== this.#released) return;
    this.#baseline = { taken, at: Date.now() };
    this.#pauseMs += pauseMs;
  }

  /**
   * Takes a look at the heap of a suspected process: the growth since the baseline or, where there is none, the baseline. Gives the
   * capture, or nothing where it was given up by `release`.
   */
  look() {
    const aborter = new AbortController();
    const looking = this.#look(aborter.signal);
    this.#looking = { aborter, done: looking.then(() => {}, () => {}) };
    return looking.finally(() => { this.#looking = undefined; });
  }

  async #look(signal) {
    const released = this.#released;
    const baseline = this.#baseline;
    const at = Date.now();
    try {
      const what = baseline ? { product: 'growth', since: baseline.taken } : { product: 'baseline' };
      const { capture: taken, growth, matchedByReason, pauseMs } = await capture({ ...what, signal });
      this.#pauseMs += pauseMs;
      if (released !== this.#released) return undefined;
      if (growth) this.#lastLook = { at, growth: { ...growth, constructors: growth.constructors.slice(0, 20) }, matchedByReason };
      else this.#baseline = { taken, at };
      return taken;
    } catch (error) {
      if (released !== this.#released) return undefined;
      throw error;
    }
  }

  /** Forgets the baseline and gives up what is under way. */
  release() {
    this.#released += 1;
    this.#baseline = undefined;
    this.#lastLook = undefined;
    this.#looking?.aborter.abort();
  }

  /**
   * The LeakReport of a verdict. Evidence that cannot be taken (a full disk, a folder that may not be written to) goes to
   * `onError`, and the report says so: the leak itself is told in any case.
   */
  async report(verdict, onError) {
    // An urgent leak may be called at the end of the warm-up, together with the baseline.
    await this.#pending?.catch(() => {});
    await this.#looking?.done;
    const baseline = this.#baseline;
    const known = this.#known(verdict);
    if (baseline && !known) await sleep(baseline.at + this.#leastAgeMs - Date.now());
    let refused = (known ? undefined : this.refusal('leak')) ?? (baseline ? undefined : this.#refused ?? 'no baseline was taken before the verdict');
    let found = {};
    try {
      if (!refused) found = known ?? await this.#growth(baseline, onError);
    } catch (error) {
      refused = `the evidence could not be taken: ${error.message}`;
      onError(error);
    }
    return {
      schemaVersion: native.LEAK_REPORT_SCHEMA_VERSION,
      reportedAt: new Date().toISOString(),
      pid: process.pid,
      threadId,
      node: process.version,
      verdict,
      culprits: found.growth?.culprits ?? [],
      constructors: found.growth?.constructors.slice(0, 20) ?? [],
      allocationSites: [],
      files: found.files ?? [],
      pauseMs: this.#pauseMs,
      evidence: {
        mode: refused ? 'none' : 'inline',
        reason: refused ?? null,
        baselineAt: refused ? null : new Date(baseline.at).toISOString(),
        matchedBy: found.growth?.matchedBy ?? null,
        matchedByReason: found.matchedByReason ?? null,
        heapSource: bridge.available ? 'bridge' : 'node:v8',
      },
    };
  }

  /** The look that confirmed the verdict, or was taken a moment ago: no need to stop the program again, unless a file is wanted. */
  #known(verdict) {
    if (!this.#lastLook || this.#mode === 'snapshot') return undefined;
    const isFresh = Date.now() - this.#lastLook.at <= this.#freshMs;
    return isFresh || verdict.evidence?.confirmedBy ? this.#lastLook : undefined;
  }

  async #growth({ taken }, onError) {
    const file = this.#mode === 'snapshot' ? path.join(this.#directory, snapshotName()) : undefined;
    const { growth, matchedByReason, pauseMs, fileError } = await capture({ file, product: 'growth', since: taken });
    this.#pauseMs += pauseMs;
    if (fileError) onError(fileError);
    return { growth, matchedByReason, files: file && !fileError ? [file] : [] };
  }

  /** Why no snapshot may be taken now, if so. */
  refusal(when) {
    if (this.#mode === 'none') return 'evidence is switched off';
    if (this.#mode !== 'auto') return undefined;
    const heap = v8.getHeapStatistics().used_heap_size;
    const heapMB = Math.round(heap / MB);
    const room = this.#room();
    if (heap * TIMES_THE_HEAP > room) {
      return `an inline snapshot of ${heapMB} MB of heap may need ${TIMES_THE_HEAP} times as much memory, and ` +
        `${Math.round(room / MB)} MB are left; set evidence to "summary" or "snapshot" to take it all the same`;
    }
    if (heapMB <= AUTO_LIMIT_MB[when]) return undefined;
    return `the heap is ${heapMB} MB: an inline snapshot would stop the process for about ${Math.ceil(heapMB / 20)} s; ` +
      'set evidence to "summary" or "snapshot" to take it all the same';
  }
}

module.exports = { Evidence };
