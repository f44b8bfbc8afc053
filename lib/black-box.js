'use strict';

// What JavaScript adds to a recording: how the thread ended, what nobody caught, the last report and the last look at the heap.

const path = require('node:path');
const { inspect, types } = require('node:util');
const { threadId } = require('node:worker_threads');

/** What is kept of an exception's text; the recording has room for some bytes more. */
const MOST_TEXT = 3000;
/** Constructors in a summary of a look at the heap. */
const MOST_CONSTRUCTORS = 50;

/** The monitors of this thread that record. One listener each for all of them. */
const recording = new Set();

function onExit(code) {
  for (const native of recording) native.recordExit(Number.isInteger(code) ? code : 0);
}

function onUncaught(error, origin) {
  const text = textOf(error);
  for (const native of recording) native.recordException(String(origin), text);
}

/** Has the end of this thread recorded, and what nobody caught. */
function watch(native) {
  if (recording.size === 0) {
    process.on('exit', onExit);
    process.on('uncaughtExceptionMonitor', onUncaught);
  }
  recording.add(native);
}

function unwatch(native) {
  if (!recording.delete(native) || recording.size > 0) return;
  process.removeListener('exit', onExit);
  process.removeListener('uncaughtExceptionMonitor', onUncaught);
}

/** What is thrown may be anything, and may throw when it is looked at. */
function textOf(error) {
  try {
    const text = types.isNativeError(error) ? error.stack : inspect(error, { customInspect: false, getters: false, depth: 1 });
    return String(text).slice(0, MOST_TEXT);
  } catch {
    return `a ${typeof error} that cannot be shown`;
  }
}

/** Where the native half is to record, for `start`; nothing where it is not. */
function place({ blackBox, directory }) {
  if (blackBox === undefined) return undefined;
  return { ...blackBox, directory, node: process.version, title: title(), threadId };
}

/** What the process was started as. Without the arguments, in which there may be secrets. */
function title() {
  const script = process.argv[1];
  return script === undefined ? String(process.title) : `${process.title} ${path.basename(script)}`;
}

/** Ways to make a report shorter, each more than the one before. */
const SHORTER = [
  (report) => report,
  ({ constructors, census, ...report }) => ({
    ...report, constructors: constructors?.slice(0, 5), census: census?.slice(0, 5), evidence: { ...report.evidence, ladder: undefined },
  }),
  ({ culprits, ...report }) => ({
    ...report, constructors: [], census: [], allocationSites: [], evidence: undefined, culprits: culprits.slice(0, 3).map(shortCulprit),
  }),
  ({ schemaVersion, reportedAt, reason, verdict, culprits: [first] }) => ({
    schemaVersion, reportedAt, reason, verdict, culprits: first ? [shortCulprit(first, 2)] : [],
  }),
];

function shortCulprit(culprit, steps = 8) {
  return { ...culprit, retainerPath: culprit.retainerPath?.slice(0, steps), advice: culprit.advice?.slice(0, 500) };
}

/** Records the last report, as much of it as there is room for. */
function recordReport(native, report) {
  for (const shorter of SHORTER) {
    // Nothing: it fits, or nobody records.
    if ((native.recordText('report', JSON.stringify(shorter(report))) ?? null) === null) return;
  }
}

/** Records what a look at the heap has found: the classes that take most, or grow most. */
function recordLook(native, when, { constructors, growth, mode, pauseMs, durationMs }) {
  native.recordCapture(`${when}, ${mode}`, pauseMs, durationMs);
  const found = (growth?.constructors ?? constructors ?? []).slice(0, MOST_CONSTRUCTORS);
  native.recordText('summary', JSON.stringify({ at: new Date().toISOString(), when, mode, constructors: found }));
}

/** Records the numbers of listeners and resources, whenever they are others than before. */
class CountRecord {
  #native;
  #last = new Map();

  constructor(native) {
    this.#native = native;
  }

  /** `counts`: by what is counted. */
  take(counts) {
    for (const [what, count] of Object.entries(counts)) {
      const before = this.#last.get(what) ?? 0;
      if (count === before) continue;
      this.#last.set(what, count);
      this.#native.recordCount(what, count, count - before);
    }
  }
}

module.exports = { CountRecord, place, recordLook, recordReport, unwatch, watch };
