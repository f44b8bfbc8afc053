'use strict';

const os = require('node:os');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { threadId } = require('node:worker_threads');
const v8 = require('node:v8');
const native = require('./load');
const { bridge } = require('./bridge');
const { fromJson, invalidArg, translated, translatedAsync } = require('./errors');
const { snapshotOptions } = require('./options');

/**
 * Takes one snapshot of this thread's heap, which stops it meanwhile, and gives what native code made of it.
 *
 * `product` is `file`, `summary`, `baseline`, or `growth` since the capture `since`. The text goes from V8 to Rust in chunks:
 * through the bridge, or through a pipe that `v8.writeHeapSnapshot` takes for a file.
 */
async function capture({ file, product, since }) {
  const taken = translated(() => new native.NativeCapture(file ?? null, product, since ?? null));
  const started = performance.now();
  const pauseMs = translated(() => (bridge.snapshots ? taken.takeInline() : takeThroughPipe(taken)));
  const { fileError, ...result } = JSON.parse(await translatedAsync(taken.finish()));
  if (fileError) result.fileError = fromJson(fileError);
  return { ...result, capture: taken, pauseMs, durationMs: performance.now() - started };
}

function takeThroughPipe(taken) {
  const pipe = taken.openPipe(os.tmpdir());
  const started = performance.now();
  let complete = false;
  try {
    v8.writeHeapSnapshot(pipe);
    complete = true;
  } finally {
    taken.closePipe(complete);
  }
  return performance.now() - started;
}

let written = 0;

/** A name that no other snapshot of this machine's life has, sorted by time. */
function snapshotName(now = new Date()) {
  const time = now.toISOString().replace(/[-:]/g, '').replace('.', '-');
  return `heapwarden-${time}-${process.pid}-${threadId}-${++written}.heapsnapshot`;
}

/** Writes a snapshot of this thread's heap and gives its path and summary. Stops the thread meanwhile. */
async function writeSnapshot(options) {
  const { path: given, directory, summary } = snapshotOptions(options);
  const file = given === undefined ? path.join(directory, snapshotName()) : path.resolve(given);
  const taken = await capture({ file, product: summary ? 'summary' : 'file' });
  return {
    path: file,
    bytes: taken.bytes,
    mode: 'inline',
    pauseMs: taken.pauseMs,
    durationMs: taken.durationMs,
    summary: taken.summary ?? null,
    ...(taken.problem === undefined ? {} : { summaryError: taken.problem }),
  };
}

/** The summary of this thread's heap, with nothing on disk. Stops the thread meanwhile. */
async function captureSummary(options) {
  snapshotOptions(options);
  const { summary, pauseMs, durationMs } = await capture({ product: 'summary' });
  return { summary, mode: 'inline', reason: null, pauseMs, durationMs };
}

/** What a snapshot file contains, by constructor. */
async function summarizeSnapshot(file, options = {}) {
  if (typeof file !== 'string') throw invalidArg('path', 'a string', file);
  const { chunkBytes } = options ?? {};
  if (chunkBytes !== undefined && !(Number.isInteger(chunkBytes) && chunkBytes > 0 && chunkBytes < 2 ** 32)) {
    throw invalidArg('chunkBytes', 'a whole number above 0', chunkBytes);
  }
  return JSON.parse(await translatedAsync(native.summarizeFile(file, chunkBytes)));
}

/** What grew from the first snapshot file to the second, largest growth first. */
async function diffSnapshots(files) {
  if (!Array.isArray(files) || files.length !== 2 || !files.every((file) => typeof file === 'string')) {
    throw invalidArg('paths', 'an array of two paths, the older first', files);
  }
  return JSON.parse(await translatedAsync(native.diffFiles(files[0], files[1])));
}

module.exports = { capture, snapshotName, writeSnapshot, captureSummary, summarizeSnapshot, diffSnapshots };
