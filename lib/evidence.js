'use strict';

const path = require('node:path');
const { threadId } = require('node:worker_threads');
const native = require('./load');
const { bridge } = require('./bridge');
const { MB, clones, room } = require('./clone');
const { withDeclarations } = require('./declarations');
const { HeapwardenError } = require('./errors');
const { withFirstSeen } = require('./first-seen');
const { withKnownLeaks } = require('./known-leaks');
const { Packages } = require('./packages');
const { MOST_MS, withPositions, within } = require('./positions');
const { capture, snapshotName } = require('./snapshot');
const { OFF } = require('./suspect-sites');

/**
 * The largest heaps, in megabytes, of which `evidence: 'auto'` takes a snapshot: in a clone, which takes processor time, and inline, at
 * about 50 ms of pause a megabyte. A process that is proven to leak will stop for good if nobody finds out why; one that has just
 * warmed up, or is suspected, is most likely healthy.
 */
const AUTO_LIMIT_MB = {
  clone: { baseline: 512, suspect: 1024, leak: Infinity },
  inline: { baseline: 128, suspect: 128, leak: 256 },
};
/** See `#leastAgeMs`. */
const LEAST_AGE_INTERVALS = 2;
/** How old a look at a suspicion may be, in sampling intervals, to stand for the second look at the leak that it became. */
const FRESH_INTERVALS = 4;
/** Growth of a constructor below this is what two ways of counting may differ by. */
const LEAST_COUNTED = 100;
const MOST_COUNTED = 20;

/** Waits without keeping the process alive. */
const sleep = (ms) => (ms > 0 ? new Promise((resolve) => { setTimeout(resolve, ms).unref(); }) : undefined);

/** Takes the evidence for a monitor: a baseline early in life, and what has grown since when a leak is called. */
class Evidence {
  #mode;
  #directory;
  /** What the snapshots in the directory may come to. */
  #budget;
  #baseline;
  #refused;
  #pauseMs = 0;
  #room;
  /** Objects by constructor, as of the baseline: all that is compared where a second snapshot does not fit. As text, which is one object. */
  #census;
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

  /** `roomFor(way)` says whether there is memory for a way to look at the heap: see `room` in `clone.js`. */
  constructor({ evidence, directory, maxFiles, maxBytes, intervalMs = 30_000 }, roomFor = room) {
    this.#mode = evidence;
    this.#directory = directory;
    if (maxFiles !== undefined) this.#budget = { maxFiles, maxBytes };
    this.#room = roomFor;
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
    const released = this.#released;
    const at = Date.now();
    if (this.#refused) {
      const census = await this.#countObjects();
      if (released === this.#released) this.#census = census && { constructors: JSON.stringify(census.constructors), at };
      return;
    }
    const { capture: taken, constructors, mode, pauseMs } = await this.#capture('baseline', { product: 'baseline' });
    if (released !== this.#released) return;
    this.#baseline = { taken, at, mode };
    this.#census = { constructors: JSON.stringify(constructors), at };
    this.#pauseMs += pauseMs;
  }

  /** Has a snapshot taken in a clone, or inline where that may be. */
  #capture(when, given) {
    return capture({
      ...given, room: this.#room, mode: this.#clones(when) ? 'auto' : 'inline',
      inlineRefusal: () => {
        const why = this.#inlineRefusal(when);
        return why && new HeapwardenError('HEAPWARDEN_ERR_NO_ROOM', why);
      },
    });
  }

  /** Objects by constructor, where there is memory for that; nothing where there is not. */
  async #countObjects() {
    if (this.#mode === 'none' || !clones.walk || this.#room('census').shortage) return undefined;
    try {
      const counted = await capture({ product: 'census', mode: 'clone', room: this.#room });
      this.#pauseMs += counted.pauseMs;
      return counted;
    } catch {
      // The last rung: what it cannot tell, nobody can.
      return undefined;
    }
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
      const { capture: taken, growth, constructors, matchedByReason, mode, pauseMs } =
        await this.#capture('suspect', { ...what, signal });
      this.#pauseMs += pauseMs;
      if (released !== this.#released) return undefined;
      if (growth) {
        this.#lastLook = { at, mode, growth: { ...growth, constructors: growth.constructors.slice(0, MOST_COUNTED) }, matchedByReason };
      } else {
        this.#baseline = { taken, at, mode };
        this.#census = { constructors: JSON.stringify(constructors), at };
      }
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
    this.#census = undefined;
    this.#lastLook = undefined;
    this.#looking?.aborter.abort();
  }

  /**
   * The LeakReport of a verdict. Evidence that cannot be taken (a full disk, a folder that may not be written to) goes to
   * `onError`, and the report says so: the leak itself is told in any case. `sampled`: what `SuspectSites` found.
   */
  async report(verdict, onError, sampled = OFF) {
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
    const census = refused ? await this.#counted() : undefined;
    return this.#described({
      schemaVersion: native.LEAK_REPORT_SCHEMA_VERSION,
      reportedAt: new Date().toISOString(),
      pid: process.pid,
      threadId,
      node: process.version,
      verdict,
      // A copy: the look may be told of once more.
      culprits: structuredClone(found.growth?.culprits ?? []),
      constructors: structuredClone(found.growth?.constructors.slice(0, MOST_COUNTED) ?? []),
      ...(census && { census: census.grown }),
      allocationSites: sampled.sites,
      files: [...found.files ?? [], ...await sampled.files],
      pauseMs: this.#pauseMs + sampled.pauseMs,
      evidence: {
        mode: census ? 'clone' : refused ? 'none' : found.mode,
        rung: census ? 'census' : refused ? 'none' : 'snapshot',
        reason: refused ?? found.reason ?? null,
        baselineAt: isoTime(refused ? census?.since : baseline.at),
        matchedBy: found.growth?.matchedBy ?? null,
        matchedByReason: found.matchedByReason ?? null,
        heapSource: bridge.available ? 'bridge' : 'node:v8',
        allocationSitesReason: sampled.reason,
        allocationSitesAt: isoTime(sampled.at),
      },
    });
  }

  /** The report with what only files can tell: where places are in the sources, whose they are, and what is known of the leaks. */
  async #described(report) {
    const packages = new Packages();
    await withPositions(report, packages);
    await withDeclarations(report.culprits);
    await within(withKnownLeaks(report.culprits, packages), MOST_MS);
    await within(withFirstSeen(report.culprits, this.#directory, report.reportedAt), MOST_MS);
    return report;
  }

  /** The look that confirmed the verdict, or was taken a moment ago: no need to stop the program again, unless a file is wanted. */
  #known(verdict) {
    if (!this.#lastLook || this.#mode === 'snapshot') return undefined;
    const isFresh = Date.now() - this.#lastLook.at <= this.#freshMs;
    return isFresh || verdict.evidence?.confirmedBy ? this.#lastLook : undefined;
  }

  async #growth({ taken }, onError) {
    const file = this.#mode === 'snapshot' ? path.join(this.#directory, snapshotName()) : undefined;
    const { growth, matchedByReason, mode, reason, pauseMs, fileError } =
      await this.#capture('leak', { file, budget: this.#budget, product: 'growth', since: taken });
    this.#pauseMs += pauseMs;
    if (fileError) onError(fileError);
    return { growth, matchedByReason, mode, reason, files: file && !fileError ? [file] : [] };
  }

  /** The constructors of which there are more objects than at the baseline, most growth first; nothing where nobody has counted. */
  async #counted() {
    const before = this.#census;
    const now = before && await this.#countObjects();
    if (!now) return undefined;
    const were = byConstructor(JSON.parse(before.constructors));
    const grown = [...byConstructor(now.constructors)]
      .map(([constructorName, count]) => ({ constructorName, count, countDelta: count - (were.get(constructorName) ?? 0) }))
      .filter(({ countDelta }) => countDelta >= LEAST_COUNTED)
      .sort((a, b) => b.countDelta - a.countDelta)
      .slice(0, MOST_COUNTED);
    return { grown, since: before.at };
  }

  /** Why no snapshot may be taken now, if so. */
  refusal(when) {
    if (this.#mode === 'none') return 'evidence is switched off';
    if (this.#clones(when) && !this.#room('clone').shortage) return undefined;
    return this.#inlineRefusal(when);
  }

  /** Whether a clone may be made for a look at a heap of this size. */
  #clones(when) {
    return clones.available && (this.#mode !== 'auto' || this.#room('clone').heap <= AUTO_LIMIT_MB.clone[when] * MB);
  }

  /** Why no snapshot may be taken that stops the process, if so. */
  #inlineRefusal(when) {
    if (this.#mode !== 'auto') return undefined;
    const { heap, shortage } = this.#room('inline');
    const heapMB = Math.round(heap / MB);
    const noClone = clones.available ? this.#room('clone').shortage : clones.reason;
    const why = noClone ? ` (not in a clone: ${noClone})` : '';
    if (shortage) return `too little memory for a snapshot of ${shortage}${why}; set evidence to "summary" or "snapshot" to take it all the same`;
    if (heapMB <= AUTO_LIMIT_MB.inline[when]) return undefined;
    return `the heap is ${heapMB} MB: an inline snapshot would stop the process for about ${Math.ceil(heapMB / 20)} s${why}; ` +
      'set evidence to "summary" or "snapshot" to take it all the same';
  }
}

/** Counts by constructor. A walk tells functions apart by kind, a snapshot does not. */
function byConstructor(constructors) {
  const counts = new Map();
  for (const { constructorName, count } of constructors) {
    const name = /^(Async)?(Generator)?Function$/.test(constructorName) ? 'Function' : constructorName;
    counts.set(name, (counts.get(name) ?? 0) + count);
  }
  return counts;
}

function isoTime(ms) {
  return ms === undefined ? null : new Date(ms).toISOString();
}

module.exports = { Evidence };
