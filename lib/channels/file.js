'use strict';

const fs = require('node:fs');
const { openToAppend } = require('../own-files');

/** Alerts that wait for the disk; then the oldest is dropped. */
const MOST_WAITING = 64;

/** Appends each alert as a line of JSON to a file that only its owner may read; at `maxBytes` the file becomes `path.1`, over the one before. */
class FileChannel {
  #path;
  #maxBytes;
  #queue = [];
  #writing;

  constructor({ path: file, maxBytes }) {
    this.#path = file;
    this.#maxBytes = maxBytes;
  }

  get waiting() {
    return this.#queue.length + (this.#writing ? 1 : 0);
  }

  send(alert) {
    if (this.#queue.length === MOST_WAITING) {
      this.#queue.shift();
      this.onOutcome('dropped');
    }
    this.#queue.push(`${JSON.stringify(alert)}\n`);
    this.#writing ??= this.#write();
  }

  /** One after the other: two appends at a time could come in any order, and both might rename the file. */
  async #write() {
    // The first line, too, is written after `send` is over.
    await undefined;
    while (this.#queue.length > 0) {
      const line = this.#queue.shift();
      try {
        await this.#append(line);
        this.onOutcome('sent');
      } catch (error) {
        this.onOutcome('failed', error?.code ?? 'an error');
      }
    }
    this.#writing = undefined;
  }

  async #append(line) {
    const opened = await openToAppend(this.#path);
    let { handle } = opened;
    try {
      if (opened.size > 0 && opened.size + Buffer.byteLength(line) > this.#maxBytes) {
        await handle.close();
        await fs.promises.rename(this.#path, `${this.#path}.1`);
        ({ handle } = await openToAppend(this.#path));
      }
      await handle.appendFile(line);
    } finally {
      await handle.close();
    }
  }

  /** Whatever waits is written within the process's own time: a write to a disk keeps it alive by itself. */
  async drain(timeoutMs) {
    if (timeoutMs === 0) {
      this.#queue.length = 0;
      return;
    }
    await this.#writing;
  }
}

module.exports = { FileChannel };
