'use strict';

// One analysis off this thread: what goes in (paths, streams), what is told meanwhile, and the ways in which it ends.

const { clearInterval, setInterval } = require('node:timers');
const native = require('./load');
const { invalidArg, fromNative, translated } = require('./errors');
const { assertReadable } = require('./permissions');

/** How often `onProgress` is told of bytes; changes of stage are told with them, each by itself. */
const PROGRESS_MS = 100;
/** Bytes handed over at a time: a larger chunk is cut, so that each is copied only when there is room for it. */
const SLICE_BYTES = 256 * 1024;

/**
 * The answer that the product named `product` gives of `sources`, each a path or an async iterable of bytes.
 *
 * Ends in one of these ways, whichever comes first: the answer, an error of the analysis or of a source, an exception of
 * `onProgress`, an abort of `signal` (with its reason). After that nothing of it is left behind: `onProgress` is not called, no
 * listener is on the signal, sources are closed, and the thread stops at its next look.
 */
function analyse(product, sources, { signal, onProgress, pieceBytes, settings } = {}) {
  if (signal?.aborted) {
    sources.forEach(abandon);
    return Promise.reject(signal.reason);
  }
  return new Promise((resolve, reject) => {
    const paths = sources.map((source) => (typeof source === 'string' ? source : null));
    paths.filter((file) => file !== null).forEach(assertReadable);
    const job = translated(() => new native.NativeJob(product, paths, settings && JSON.stringify(settings), pieceBytes));
    let settled = false;
    const settle = (how, value) => {
      if (settled) return;
      settled = true;
      clearInterval(timer);
      signal?.removeEventListener('abort', abort);
      job.cancel();
      sources.forEach(abandon);
      how(value);
    };
    const fail = (error) => settle(reject, fromNative(error));
    const abort = () => settle(reject, signal.reason);
    const tell = onProgress && teller(job, onProgress, () => settled, fail);
    const timer = tell && setInterval(tell, PROGRESS_MS, false);
    signal?.addEventListener('abort', abort, { once: true });
    job.result().then((json) => {
      tell?.(true);
      if (!settled) settle(resolve, JSON.parse(json));
    }).catch(fail);
    pump(job, sources, () => settled).catch(fail);
  });
}

/** What tells `onProgress` of each stage that was entered and, between two of them, of how far the reading is. */
function teller(job, onProgress, isSettled, fail) {
  let told;
  const tell = (progress) => {
    if (isSettled()) return;
    told = progress;
    try {
      // A promise that is rejected is an exception of the same function.
      onProgress({ ...progress })?.then?.(undefined, fail);
    } catch (error) {
      fail(error);
    }
  };
  return (atTheEnd) => {
    const { changes, now } = JSON.parse(job.progress());
    changes.forEach(tell);
    const news = now.stage !== told?.stage || now.bytes !== told.bytes;
    if (changes.length === 0 && !atTheEnd && news) tell(now);
  };
}

/** Hands over what the sources that have no path give, one source after the other. */
async function pump(job, sources, isSettled) {
  for (const source of sources) {
    if (typeof source === 'string') continue;
    for await (const chunk of source) {
      if (isSettled()) return;
      const bytes = bytesOf(chunk);
      for (let at = 0; at < bytes.length; at += SLICE_BYTES) {
        if (!job.write(bytes.subarray(at, at + SLICE_BYTES))) await job.drained();
        if (isSettled()) return;
      }
    }
    job.endInput();
  }
}

function bytesOf(chunk) {
  if (Buffer.isBuffer(chunk)) return chunk;
  if (ArrayBuffer.isView(chunk)) return Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
  if (typeof chunk === 'string') return Buffer.from(chunk);
  throw invalidArg('a chunk of the snapshot', 'a Buffer, a Uint8Array or a string', chunk);
}

/**
 * Closes a source that may not have been read to its end. A stream that waits for data would otherwise keep the loop in `pump`,
 * and itself, for ever; one that fails while it is closed has nobody left to tell.
 */
function abandon(source) {
  if (typeof source.destroy !== 'function' || source.destroyed) return;
  source.on?.('error', () => {});
  source.destroy();
}

module.exports = { analyse };
