'use strict';

const fs = require('node:fs');
const path = require('node:path');

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
    const size = await fs.promises.stat(this.#path).then((stat) => stat.size, () => 0);
    if (size > 0 && size + line.length > this.#maxBytes) await fs.promises.rename(this.#path, `${this.#path}.1`);
    if (size === 0) await fs.promises.mkdir(path.dirname(this.#path), { recursive: true });
    await fs.promises.appendFile(this.#path, line, { mode: 0o600 });
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
