'use strict';

const path = require('node:path');
const { threadId } = require('node:worker_threads');
const v8 = require('node:v8');
const native = require('./load');
const { bridge } = require('./bridge');
const { capture, snapshotName } = require('./snapshot');

/**
 * The largest heap of which `evidence: 'auto'` takes an inline snapshot: about 50 ms of pause a megabyte, and four to
 * seven times the heap in memory. Above it the report goes without culprits and says so.
 */
const AUTO_LIMIT_MB = 128;
const MB = 1024 * 1024;

/** Takes the evidence for a monitor: a baseline early in life, and what has grown since when a leak is called. */
class Evidence {
  #mode;
  #directory;
  #baseline;
  #refused;
  #pauseMs = 0;
  /** Counts the releases, so that a baseline that was under way at one is not kept. */
  #released = 0;

  constructor({ evidence, directory }) {
    this.#mode = evidence;
    this.#directory = directory;
  }

  /** Takes the baseline, once the program is warm. */
  async takeBaseline() {
    this.#refused = this.#refusal();
    if (this.#refused) return;
    const released = this.#released;
    const { capture: taken, pauseMs } = await capture({ product: 'baseline' });
    if (released !== this.#released) return;
    this.#baseline = { taken, at: new Date().toISOString() };
    this.#pauseMs += pauseMs;
  }

  /** Forgets the baseline. */
  release() {
    this.#baseline = undefined;
    this.#released += 1;
  }

  /**
   * The LeakReport of a verdict. Evidence that cannot be taken (a full disk, a folder that may not be written to) goes to
   * `onError`, and the report says so: the leak itself is told in any case.
   */
  async report(verdict, onError) {
    const baseline = this.#baseline;
    let refused = this.#refusal() ?? (baseline ? undefined : this.#refused ?? 'no baseline was taken before the verdict');
    let found = {};
    try {
      if (!refused) found = await this.#growth(baseline);
    } catch (error) {
      refused = `the evidence could not be taken: ${error.message}`;
      onError(error);
    }
    return {
      schemaVersion: native.LEAK_REPORT_SCHEMA_VERSION,
      reportedAt: new Date().toISOString(),
      pid: process.pid,
      threadId,
      node: process.version,
      verdict,
      culprits: found.growth?.culprits ?? [],
      constructors: found.growth?.constructors.slice(0, 20) ?? [],
      allocationSites: [],
      files: found.files ?? [],
      pauseMs: this.#pauseMs,
      evidence: {
        mode: refused ? 'none' : 'inline',
        reason: refused ?? null,
        baselineAt: refused ? null : baseline.at,
        matchedBy: found.growth?.matchedBy ?? null,
        heapSource: bridge.available ? 'bridge' : 'node:v8',
      },
    };
  }

  async #growth({ taken }) {
    const file = this.#mode === 'snapshot' ? path.join(this.#directory, snapshotName()) : undefined;
    const { growth, pauseMs } = await capture({ file, product: 'growth', since: taken });
    this.#pauseMs += pauseMs;
    return { growth, files: file ? [file] : [] };
  }

  /** Why no snapshot may be taken now, if so. */
  #refusal() {
    if (this.#mode === 'none') return 'evidence is switched off';
    if (this.#mode !== 'auto') return undefined;
    const heapMB = Math.round(v8.getHeapStatistics().used_heap_size / MB);
    if (heapMB <= AUTO_LIMIT_MB) return undefined;
    return `the heap is ${heapMB} MB: an inline snapshot would stop the process for about ${Math.ceil(heapMB / 20)} s; ` +
      'set evidence to "summary" or "snapshot" to allow it';
  }
}

module.exports = { Evidence };
