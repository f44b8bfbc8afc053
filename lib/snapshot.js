'use strict';

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { threadId } = require('node:worker_threads');
const v8 = require('node:v8');
const native = require('./load');
const { bridge } = require('./bridge');
const { fromJson, invalidArg, translated, translatedAsync } = require('./errors');
const { analyse } = require('./job');
const { knowLineEnds } = require('./line-ends');
const {
  analysisOptions, diffOptions, pathOptions, snapshotOptions, snapshotSource, summaryOptions,
} = require('./options');

/**
 * Takes one snapshot of this thread's heap, which stops it meanwhile, and gives what native code made of it.
 *
 * `product` is `file`, `summary`, `baseline`, or `growth` since the capture `since`. The text goes from V8 to Rust in chunks:
 * through the bridge, or through a pipe that `v8.writeHeapSnapshot` takes for a file. Aborted, it rejects with the signal's
 * reason and leaves no file; this thread cannot be told of an abort before V8 is through.
 */
async function capture({ file, compress, product, since, signal }) {
  signal?.throwIfAborted();
  const taken = translated(() => new native.NativeCapture(file, product, since, compress || undefined));
  const started = performance.now();
  const preparedMs = timed(knowLineEnds);
  const pauseMs = preparedMs + translated(() => (bridge.snapshots ? taken.takeInline() : takeThroughPipe(taken)));
  const { fileError, ...result } = JSON.parse(await untilAborted(taken, signal, file));
  if (fileError) result.fileError = fromJson(fileError);
  return { ...result, capture: taken, pauseMs, durationMs: performance.now() - started };
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

/** A name that no other snapshot of this machine's life has, sorted by time. */
function snapshotName(compress = false, now = new Date()) {
  const time = now.toISOString().replace(/[-:]/g, '').replace('.', '-');
  return withExtension(`heapwarden-${time}-${process.pid}-${threadId}-${++written}.heapsnapshot`, compress);
}

const EXTENSIONS = { gzip: '.gz', zstd: '.zst' };

/** The name with the extension that its compression is known by, unless it has it. */
function withExtension(name, compress) {
  const extension = compress ? EXTENSIONS[compress] : '';
  return name.endsWith(extension) ? name : name + extension;
}

/** Writes a snapshot of this thread's heap and gives its path and summary. Stops the thread meanwhile. */
async function writeSnapshot(options) {
  const { path: given, directory, compress, summary, signal } = snapshotOptions(options);
  const file = given === undefined
    ? path.join(directory, snapshotName(compress))
    : withExtension(path.resolve(given), compress);
  const taken = await capture({ file, compress, product: summary ? 'summary' : 'file', signal });
  return {
    path: file,
    bytes: taken.bytes,
    fileBytes: taken.fileBytes,
    mode: 'inline',
    pauseMs: taken.pauseMs,
    durationMs: taken.durationMs,
    summary: taken.summary ?? null,
    ...(taken.problem === undefined ? {} : { summaryError: taken.problem }),
  };
}

/** The summary of this thread's heap, with nothing on disk. Stops the thread meanwhile. */
async function captureSummary(options) {
  const { signal } = snapshotOptions(options);
  const { summary, pauseMs, durationMs } = await capture({ product: 'summary', signal });
  return { summary, mode: 'inline', reason: null, pauseMs, durationMs };
}

/** What a snapshot contains, by constructor. */
async function summarizeSnapshot(source, options) {
  return analyse('summary', [snapshotSource('source', source)], summaryOptions(options));
}

/** How many objects of each class a snapshot contains, and their own bytes; a few megabytes of memory whatever its size. */
async function histogramSnapshot(source, options) {
  return analyse('histogram', [snapshotSource('source', source)], analysisOptions(options));
}

/** What keeps chosen objects of a snapshot alive. */
async function retainingPaths(source, options) {
  const { objects } = await analyse('paths', [snapshotSource('source', source)], pathOptions(options));
  return objects;
}

/** What grew from the first snapshot to the second, and to the third if there is one; largest growth first. */
async function diffSnapshots(sources, options) {
  if (!Array.isArray(sources) || sources.length < 2 || sources.length > 3) {
    throw invalidArg('paths', 'an array of two or three snapshots, the oldest first', sources);
  }
  return analyse('diff', sources.map((source, i) => snapshotSource(`paths[${i}]`, source)), diffOptions(options));
}

module.exports = {
  capture, snapshotName, writeSnapshot, captureSummary, summarizeSnapshot, histogramSnapshot, retainingPaths, diffSnapshots,
};
