'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { threadId } = require('node:worker_threads');
const v8 = require('node:v8');
const native = require('./load');
const { bridge } = require('./bridge');
const { captures } = require('./capture-counts');
const { clones, inClone, noRoom, room: roomFor } = require('./clone');
const { fromJson, invalidArg, translated, translatedAsync, unsupported } = require('./errors');
const { analyse } = require('./job');
const { knowLineEnds } = require('./line-ends');
const {
  analysisOptions, diffOptions, pathOptions, snapshotOptions, snapshotSource, summaryOptions,
} = require('./options');
const { Packages } = require('./packages');
const { assertWritable } = require('./permissions');
const { withDeclarations, withKnownLeaks, withPositions } = require('./told-with');

/**
 * Takes one snapshot of this thread's heap and gives what native code made of it, how (`mode`), and why not otherwise (`reason`); with what
 * it cost: `pauseMs`, `durationMs` and, of a clone, `cpuMs` and `peakBytes`, as far as they are known.
 *
 * `product` is `file`, `summary`, `census`, `audit`, `baseline`, or `growth` since the capture `since`; inline only, `graph`, or what is
 * `steady` since the graphs of `since` and `between`, with `calls` between each two and a `tally` that has measured beside each. In a clone of
 * the process if `mode` and memory allow, which stops this thread for the fork alone; or inline, which stops it until V8 is through. Aborted, it rejects with the
 * signal's reason and leaves no file. With a `file` there must be space for it; with a `budget` (`{ maxFiles, maxBytes }`) the oldest of
 * our own snapshots beside it make way, and `evicted` has their paths. What is redacted (`redact`) is so before it gets to a file or an analysis.
 */
function capture(options) {
  return captures.counted(options.signal, () => take(options));
}

async function take({ mode = 'auto', room = roomFor, inlineRefusal = shortageOf('inline'), ...given }) {
  given.signal?.throwIfAborted();
  const started = performance.now();
  const done = (taken) => ({ ...taken, durationMs: performance.now() - started });
  if (mode === 'inline') return done(await inline(given, null));
  let reason = clones.reason;
  if (clones.available) {
    const { shortage, ...limits } = room(given.product === 'census' && clones.walk ? 'census' : 'clone');
    reason = shortage && `a clone of the process would not fit: ${shortage}`;
    if (!shortage) {
      try {
        const taken = await cloned(given, limits);
        clones.lastFailure = undefined;
        return done(taken);
      } catch (error) {
        if (error.code === 'HEAPWARDEN_ERR_CLONE') clones.lastFailure = error.message;
        if (mode === 'clone' || error.code !== 'HEAPWARDEN_ERR_CLONE') throw error;
        reason = error.message;
      }
    } else if (mode === 'clone') throw noRoom('a clone of the process', shortage);
  } else if (mode === 'clone') throw unsupported('mode: "clone"', reason);
  const refusal = inlineRefusal(reason);
  if (refusal) throw refusal;
  return done(await inline(given, reason));
}

/** Why an inline snapshot may not be taken instead of a clone, as an error: by default, where it would certainly not fit. */
function shortageOf(way) {
  return (reason) => {
    const { shortage } = roomFor(way);
    return shortage && noRoom('a snapshot', `${shortage}${reason ? ` (no clone: ${reason})` : ''}`);
  };
}

function newCapture({ file, compress, product, since, between, calls, tally, budget, redact }) {
  if (file !== undefined) assertWritable(file);
  return translated(() => {
    const made = new native.NativeCapture(file, product, since, compress || undefined, between, calls, tally);
    if (redact && redact !== 'full') made.redact(redact);
    if (budget) made.keepWithin(budget.maxFiles, budget.maxBytes);
    made.checkSpace(v8.getHeapStatistics().used_heap_size);
    return made;
  });
}

/** What native code made of the capture. */
function finished(made, json) {
  const { fileError, ...result } = JSON.parse(json);
  const { evicted, problem: evictionError } = JSON.parse(made.swept() ?? '{"evicted":[]}');
  return { ...result, fileError: fileError && fromJson(fileError), evicted, evictionError, capture: made };
}

async function cloned(given, { heap, memoryBytes }) {
  const { signal, file } = given;
  const finish = (taken) => untilAborted(taken, signal, file);
  const { capture: taken, json, ...cost } = await inClone(() => newCapture(given), finish, { heap, memoryBytes, signal });
  return { ...finished(taken, json), mode: 'clone', ...cost };
}

async function inline(given, reason) {
  const taken = newCapture(given);
  const walkMs = given.product === 'census' && bridge.available ? taken.takeWalk() : undefined;
  const pauseMs = walkMs ?? takeSnapshot(taken);
  const json = await untilAborted(taken, given.signal, given.file);
  return { ...finished(taken, json), mode: 'inline', reason, pauseMs };
}

/** The text goes from V8 to Rust in chunks: through the bridge, or through a pipe that `v8.writeHeapSnapshot` takes for a file. */
function takeSnapshot(taken) {
  const preparedMs = timed(knowLineEnds);
  return preparedMs + translated(() => (bridge.snapshots ? taken.takeInline() : takeThroughPipe(taken)));
}

function takeThroughPipe(taken) {
  const pipe = taken.openPipe(os.tmpdir());
  let complete = false;
  try {
    return timed(() => {
      v8.writeHeapSnapshot(pipe);
      complete = true;
    });
  } finally {
    taken.closePipe(complete);
  }
}

function timed(fn) {
  const started = performance.now();
  fn();
  return performance.now() - started;
}

/** What native code makes of the capture, or the signal's reason once it has let go of everything. */
async function untilAborted(taken, signal, file) {
  const abort = () => taken.cancel();
  signal?.addEventListener('abort', abort, { once: true });
  let written = false;
  try {
    const json = await translatedAsync(taken.finish());
    written = file !== undefined;
    signal?.throwIfAborted();
    return json;
  } catch (error) {
    if (!signal?.aborted) throw error;
    // The abort may have come when there was nothing left to stop.
    if (written) await fs.promises.rm(file, { force: true });
    throw signal.reason;
  } finally {
    signal?.removeEventListener('abort', abort);
  }
}

let written = 0;

/** A name that no other file of this machine's life has, sorted by time; what the file is called by comes after it. */
function evidenceName(now = new Date()) {
  const time = now.toISOString().replace(/[-:]/g, '').replace('.', '-');
  return `heapwarden-${time}-${process.pid}-${threadId}-${++written}`;
}

/** The same for a snapshot. */
function snapshotName(compress = false, now = new Date()) {
  return withExtension(`${evidenceName(now)}.heapsnapshot`, compress);
}

const EXTENSIONS = { gzip: '.gz', zstd: '.zst' };

/** The name with the extension that its compression is known by, unless it has it. */
function withExtension(name, compress) {
  const extension = compress ? EXTENSIONS[compress] : '';
  return name.endsWith(extension) ? name : name + extension;
}

/** Writes a snapshot of this thread's heap and gives its path and summary. */
async function writeSnapshot(options) {
  const { path: given, directory, compress, summary, mode, sourceMaps, signal, budget, redact } = snapshotOptions(options);
  const file = given === undefined
    ? path.join(directory, snapshotName(compress))
    : withExtension(path.resolve(given), compress);
  const product = summary ? 'summary' : 'file';
  // A file that somebody named is theirs to look after, and so is what stands beside it.
  const taken = await capture({ file, compress, product, mode, signal, redact, budget: given === undefined ? budget : undefined });
  return {
    path: file,
    bytes: taken.bytes,
    fileBytes: taken.fileBytes,
    mode: taken.mode,
    reason: taken.reason,
    pauseMs: taken.pauseMs,
    durationMs: taken.durationMs,
    summary: await placed(taken.summary ?? null, sourceMaps),
    evicted: taken.evicted,
    ...(taken.problem === undefined ? {} : { summaryError: taken.problem }),
    ...(taken.evictionError === undefined ? {} : { evictionError: taken.evictionError }),
  };
}

/** The summary of this thread's heap, with nothing on disk. */
async function captureSummary(options) {
  const { mode, sourceMaps, signal, redact } = snapshotOptions(options);
  const { summary, mode: used, reason, pauseMs, durationMs } = await capture({ product: 'summary', mode, signal, redact });
  return { summary: await placed(summary, sourceMaps), mode: used, reason, pauseMs, durationMs };
}

/** How many objects each constructor has made that are alive in this thread. */
async function captureCensus(options) {
  const { mode, signal } = snapshotOptions(options);
  const { constructors, mode: used, reason, pauseMs, durationMs } = await capture({ product: 'census', mode, signal });
  return { constructors, mode: used, reason, pauseMs, durationMs };
}

/** What a snapshot contains, by constructor. */
async function summarizeSnapshot(source, options) {
  const { sourceMaps, ...how } = summaryOptions(options);
  return placed(await analyse('summary', [snapshotSource('source', source)], how), sourceMaps);
}

/** How many objects of each class a snapshot contains, and their own bytes; a few megabytes of memory whatever its size. */
async function histogramSnapshot(source, options) {
  return analyse('histogram', [snapshotSource('source', source)], analysisOptions(options));
}

/** What keeps chosen objects of a snapshot alive. */
async function retainingPaths(source, options) {
  const { sourceMaps, ...how } = pathOptions(options);
  const { objects } = await analyse('paths', [snapshotSource('source', source)], how);
  return placed(objects, sourceMaps);
}

/** What grew from the first snapshot to the second, and to the third if there is one; largest growth first. */
async function diffSnapshots(sources, options) {
  if (!Array.isArray(sources) || sources.length < 2 || sources.length > 3) {
    throw invalidArg('paths', 'an array of two or three snapshots, the oldest first', sources);
  }
  const { sourceMaps, ...how } = diffOptions(options);
  const diff = await analyse('diff', sources.map((source, i) => snapshotSource(`paths[${i}]`, source)), how);
  if (!sourceMaps) return diff;
  const packages = new Packages();
  await withPositions(diff, packages);
  await withDeclarations(diff.culprits);
  await withKnownLeaks(diff.culprits, packages);
  return diff;
}

/** The result with places as its user has them, if that is wanted. */
async function placed(result, sourceMaps) {
  return sourceMaps && result !== null ? withPositions(result) : result;
}

module.exports = {
  capture, evidenceName, snapshotName, writeSnapshot, captureSummary, captureCensus, summarizeSnapshot, histogramSnapshot, retainingPaths, diffSnapshots,
};
