'use strict';

const os = require('node:os');
const path = require('node:path');
const { threadId } = require('node:worker_threads');
const native = require('./load');
const { bridge } = require('./bridge');
const { captures } = require('./capture-counts');
const { MB, clones, room } = require('./clone');
const { decided, doubt, haste, waitMs } = require('./confirmation');
const { HeapwardenError } = require('./errors');
const { Ladder, isoTime } = require('./ladder');
const { Packages } = require('./packages');
const { noteSpelled } = require('./redact');
const { capture, snapshotName } = require('./snapshot');
const { OFF } = require('./suspect-sites');
const { withDeclarations, withFirstSeen, withKnownLeaks, withPositions } = require('./told-with');
const { MOST_MS, within } = require('./within');

/**
 * The largest heaps, in megabytes, of which `evidence: 'auto'` takes a snapshot: in a clone, which takes processor time, and inline, at
 * about 50 ms of pause a megabyte. A process that is proven to leak will stop for good if nobody finds out why; one that has just
 * warmed up, or is suspected, is most likely healthy.
 */
const AUTO_LIMIT_MB = {
  clone: { baseline: 512, suspect: 1024, leak: Infinity, container: Infinity },
  inline: { baseline: 128, suspect: 128, leak: 256 },
};
/** What asks for the looks that are always taken. */
const WHY = {
  baseline: 'the warm-up is over: growth is measured from here',
  late: 'a suspicion, with nothing to measure growth from',
  suspect: 'the counters suspect a leak: is there one?',
  leak: 'a leak was called: what has grown since the baseline?',
  container: 'the container is about to be full: what has grown since the baseline?',
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
  #intervalMs;
  #ladder = new Ladder();
  /** The baseline that is under way. */
  #pending;
  /** The look at a suspicion that is under way: a promise that never rejects, and what gives it up. */
  #looking;
  /** What the last look at a suspicion found, with the time at which it was taken. */
  #lastLook;
  /** Told of each look that was taken. */
  #onLook;
  /** Counts the releases, so that a baseline that was under way at one is not kept. */
  #released = 0;
  /** Told of the capture that growth is measured from, with its rung; and, with nothing, that there is none any more. */
  onBaseline = () => {};

  /** `roomFor(way)` says whether there is memory for a way to look at the heap: see `room` in `clone.js`; `onLook(when, looked)` is told of each. */
  constructor({ evidence, directory, maxFiles, maxBytes, intervalMs = 30_000 }, roomFor = room, onLook = () => {}) {
    this.#mode = evidence;
    this.#directory = directory;
    if (maxFiles !== undefined) this.#budget = { maxFiles, maxBytes };
    this.#room = roomFor;
    this.#onLook = onLook;
    this.#leastAgeMs = LEAST_AGE_INTERVALS * intervalMs;
    this.#freshMs = FRESH_INTERVALS * intervalMs;
    this.#intervalMs = intervalMs;
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
      if (this.isWanted) captures.refused();
      const census = await this.#countObjects();
      if (released !== this.#released) return;
      this.#census = census && { constructors: JSON.stringify(census.constructors), at };
      if (census) this.#ladder.begin('census', at, this.#refused, census);
      return;
    }
    const looked = await this.#capture('baseline', { product: 'baseline' });
    if (released === this.#released) this.#keep(looked, at, WHY.baseline);
    this.#pauseMs += looked.pauseMs;
  }

  /** Has growth measured from this look on. */
  #keep(looked, at, why) {
    this.#baseline = { taken: looked.capture, at, mode: looked.mode, pauseMs: looked.pauseMs };
    this.#census = { constructors: JSON.stringify(looked.constructors), at };
    this.#ladder.begin('graph', at, why, looked);
    this.onBaseline(looked.capture, this.#ladder.baseline);
  }

  /** Has a snapshot taken in a clone, or inline where that may be. */
  async #capture(when, given) {
    const looked = await capture({
      ...given, room: this.#room, mode: this.#clones(when) ? 'auto' : 'inline',
      inlineRefusal: () => {
        const why = this.#inlineRefusal(when);
        return why && new HeapwardenError('HEAPWARDEN_ERR_NO_ROOM', why);
      },
    });
    this.#onLook(when, looked);
    return looked;
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
      const looked = await this.#capture('suspect', { ...what, signal });
      this.#pauseMs += looked.pauseMs;
      if (released !== this.#released) return undefined;
      const { growth, spelled, matchedByReason, mode, pauseMs } = looked;
      if (growth) {
        const told = { ...growth, constructors: growth.constructors.slice(0, MOST_COUNTED) };
        // As text, which is one object: what we keep is not for the next look to find.
        this.#lastLook = { at, mode, pauseMs, matchedByReason, spelled: JSON.stringify(spelled), text: JSON.stringify(told) };
        this.#ladder.add('graph', at, WHY.suspect, looked);
      } else this.#keep(looked, at, WHY.late);
      return looked.capture;
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
    this.#ladder.clear();
    this.onBaseline();
    this.#looking?.aborter.abort();
  }

  /**
   * The LeakReport of a verdict. Evidence that cannot be taken (a full disk, a folder that may not be written to) goes to
   * `onError`, and the report says so: the leak itself is told in any case. `sampled`: what `SuspectSites` found; `counters()`: what
   * sampling has cost (see `Ladder`). `container`: the container's limit where it is near (`{ usedBytes, limitBytes }`); then nobody has time
   * to wait, and what does not fit beside the process is not tried.
   */
  async report(verdict, onError, sampled = OFF, counters = () => undefined, container = undefined) {
    // An urgent leak may be called at the end of the warm-up, together with the baseline.
    await this.#pending?.catch(() => {});
    await this.#looking?.done;
    const released = this.#released;
    const baseline = this.#baseline;
    const when = container ? 'container' : 'leak';
    let found = (container ? undefined : this.#known(verdict)) ?? {};
    const isKnown = found.growth !== undefined;
    if (baseline && !isKnown && !container) await sleep(baseline.at + this.#leastAgeMs - Date.now());
    let refused = (isKnown ? undefined : this.refusal(when)) ?? (baseline ? undefined : this.#refused ?? 'no baseline was taken before the verdict');
    if (refused && this.isWanted) captures.refused();
    try {
      if (!refused && !isKnown) found = await this.#growth(baseline, onError, when);
    } catch (error) {
      refused = `the evidence could not be taken: ${error.message}`;
      onError(error);
    }
    if (container && refused && this.#lastLook) {
      found = { ...this.#recalled(), reason: `as of ${isoTime(this.#lastLook.at)}: ${refused}` };
      refused = undefined;
    }
    const census = refused ? await this.#counted(refused) : undefined;
    const sure = refused || container ? undefined : await this.#confirmed(verdict, { baseline, found, released }, onError);
    return this.describe({
      schemaVersion: native.LEAK_REPORT_SCHEMA_VERSION,
      reason: container ? 'container-limit' : 'verdict',
      reportedAt: new Date().toISOString(),
      pid: process.pid,
      threadId,
      node: process.version,
      host: os.hostname(),
      verdict,
      ...(container && { containerLimit: container }),
      culprits: sure?.culprits ?? found.growth?.culprits ?? [],
      constructors: found.growth?.constructors.slice(0, MOST_COUNTED) ?? [],
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
        ladder: this.#ladder.take(counters(), isKnown),
        confirmation: sure?.note ?? null,
      },
    }, [...JSON.parse(found.spelled ?? '[]'), ...sure?.spelled ?? []]);
  }

  /**
   * The report with what only files can tell: where places are in the sources, whose they are, and what is known of the leaks. `spelled`:
   * which of its names may be told at `names`.
   */
  async describe(report, spelled) {
    noteSpelled(report, spelled);
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
    return isFresh || verdict.evidence?.confirmedBy ? this.#recalled() : undefined;
  }

  /** The last look at a suspicion, with its growth as it was found. */
  #recalled() {
    const { text, ...look } = this.#lastLook;
    return { ...look, growth: JSON.parse(text) };
  }

  async #growth({ taken }, onError, when) {
    const file = this.#mode === 'snapshot' && when === 'leak' ? path.join(this.#directory, snapshotName()) : undefined;
    const at = Date.now();
    const looked = await this.#capture(when, { file, budget: this.#budget, product: 'growth', since: taken });
    const { growth, spelled, matchedByReason, mode, reason, pauseMs, fileError } = looked;
    this.#pauseMs += pauseMs;
    this.#ladder.add('graph', at, WHY[when], looked);
    if (fileError) onError(fileError);
    return { at, pauseMs, growth, spelled: JSON.stringify(spelled), matchedByReason, mode, reason, files: file && !fileError ? [file] : [] };
  }

  /**
   * Where the growth found leaves it open who is to blame: the culprits of a second look, if one may be taken, and a note of what was
   * decided. Nothing where there is no doubt.
   */
  async #confirmed(verdict, { baseline, found, released }, onError) {
    // A look that stops the thread stops the growth as well.
    const sinceMs = found.at - baseline.at - baseline.pauseMs;
    const wentOnAt = found.at + found.pauseMs;
    const why = doubt(verdict, found.growth.culprits, sinceMs);
    if (!why) return undefined;
    const refused = (reason) => ({ note: { why, reason, at: null, afterMs: null, decisions: [] } });
    const wait = waitMs(this.#intervalMs, sinceMs);
    const hurry = haste(verdict, wait) ?? this.refusal('leak');
    if (hurry) return refused(hurry);
    // As text meanwhile, which is one object: what we keep is not for the second look to find.
    const first = JSON.stringify(found.growth);
    found.growth = undefined;
    try {
      await sleep(wentOnAt + wait - Date.now());
      // Meanwhile the monitor may have been stopped, and the program has grown.
      const late = released === this.#released ? this.refusal('leak') : 'the monitor was stopped meanwhile';
      if (late) return refused(late);
      const at = Date.now();
      const looked = await this.#capture('leak', { product: 'growth', since: baseline.taken });
      this.#pauseMs += looked.pauseMs;
      this.#ladder.add('confirmation', at, why, looked);
      const { culprits, decisions } = decided(
        JSON.parse(first).culprits, looked.growth.culprits,
        { beforeMs: sinceMs, betweenMs: at - wentOnAt, floorBytesPerSecond: verdict.growthBytesPerSecond ?? 0 });
      return { culprits, spelled: looked.spelled, note: { why, reason: null, at: isoTime(at), afterMs: at - found.at, decisions } };
    } catch (error) {
      onError(error);
      return refused(`the second look could not be taken: ${error.message}`);
    } finally {
      found.growth = JSON.parse(first);
    }
  }

  /** The constructors of which there are more objects than at the baseline, most growth first; nothing where nobody has counted. */
  async #counted(why) {
    const before = this.#census;
    const at = Date.now();
    const now = before && await this.#countObjects();
    if (!now) return undefined;
    this.#ladder.add('census', at, why, now);
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
    if (this.#mode !== 'auto' && when !== 'container') return undefined;
    const { heap, shortage } = this.#room('inline');
    const heapMB = Math.round(heap / MB);
    const noClone = clones.available ? this.#room('clone').shortage : clones.reason;
    const why = noClone ? ` (not in a clone: ${noClone})` : '';
    if (when === 'container') return `a container that is nearly full has no room for a snapshot in the process itself${why}`;
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

module.exports = { Evidence };
