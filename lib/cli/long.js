'use strict';

// Work that takes its time: how far it is, where somebody looks on, and what ends it before its end.

const WIDTH = 24;
/** What a shell makes of a program that a signal ended. */
const CODES = { SIGINT: 130, SIGTERM: 143 };

const STAGES = {
  reading: 'reading', holding: 'what holds', distances: 'distances', dominators: 'dominators', retained: 'retained sizes', classes: 'classes',
  paths: 'paths', writing: 'writing', done: 'done', reports: 'reports', lives: 'recordings and series',
};

/** What was ended by a signal. */
class Interrupted extends Error {
  constructor(signal) {
    super(`ended by ${signal}; nothing was written`);
    this.exitCode = CODES[signal];
  }
}

/**
 * What `work({ signal, onProgress })` resolves to. A line on `stream` tells how far it is, if that is a terminal; SIGINT and SIGTERM end the
 * work with an {@link Interrupted}.
 */
async function atLength(work, stream = process.stderr) {
  const aborter = new AbortController();
  const handlers = Object.keys(CODES).map((name) => [name, () => aborter.abort(new Interrupted(name))]);
  for (const [name, handler] of handlers) process.once(name, handler);
  const bar = stream.isTTY ? new Bar(stream) : undefined;
  try {
    return await work({ signal: aborter.signal, onProgress: bar && ((progress) => bar.show(progress)) });
  } finally {
    for (const [name, handler] of handlers) process.off(name, handler);
    bar?.clear();
  }
}

/** One line that is written over. */
class Bar {
  #stream;
  #shown = false;

  constructor(stream) {
    this.#stream = stream;
  }

  show({ stage, bytes, totalBytes }) {
    this.#shown = true;
    this.#stream.write(`\r\x1b[2K${lineOf({ stage, bytes, totalBytes }).slice(0, (this.#stream.columns || 80) - 1)}`);
  }

  clear() {
    if (this.#shown) this.#stream.write('\r\x1b[2K');
  }
}

/** `[#####-----] 42 %  860 of 2048 MB  reading`. After the reading nobody knows how long a stage takes: its name is told. */
function lineOf({ stage, bytes, totalBytes }) {
  const mb = (count) => Math.round(count / 1048576);
  if (stage !== 'reading') return `${STAGES[stage]} ...`;
  if (totalBytes === null || totalBytes === 0) return `reading: ${mb(bytes)} MB`;
  const share = Math.min(bytes / totalBytes, 1);
  const filled = Math.round(share * WIDTH);
  return `[${'#'.repeat(filled)}${'-'.repeat(WIDTH - filled)}] ${Math.floor(share * 100)} %  ${mb(bytes)} of ${mb(totalBytes)} MB  reading`;
}

module.exports = { Interrupted, atLength, lineOf };
