'use strict';

const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { evidenceName } = require('./snapshot');

/** How long sampling rests after a run, in lengths of one: a process that is suspected again and again is sampled a sixth of the time. */
const REST = 5;

/** What there is to tell without sampling. */
const OFF = { sites: [], files: [], pauseMs: 0, reason: 'allocation sites are switched off' };

/** Samples allocations while a suspicion is young, and keeps what was found for the report of the leak that it may become. */
class SuspectSites {
  #options;
  #directory;
  #budget;
  #run;
  #found;
  #endedAt;
  #foundAt;
  #hasCollected = false;
  #reason = 'there was no suspicion before the leak was called, and so nothing was sampled';

  constructor({ allocationSites, directory, maxFiles, maxBytes }) {
    this.#options = allocationSites;
    this.#directory = directory;
    this.#budget = { maxFiles, maxBytes };
  }

  /** Begins to sample, where that is wanted and the last run was long enough ago. */
  begin() {
    const options = this.#options;
    if (!options || this.#run?.isRunning || this.#isResting()) return;
    this.#keep();
    this.#found = undefined;
    this.#hasCollected = false;
    try {
      const { AllocationProfile } = require('./allocation-sites');
      this.#run = new AllocationProfile(options, () => this.#takeCollected(), () => this.#keep());
    } catch (error) {
      this.#reason = error.message;
    }
  }

  #isResting() {
    return this.#endedAt !== undefined && performance.now() - this.#endedAt < REST * this.#options.maxMs;
  }

  #takeCollected() {
    const collected = this.#hasCollected;
    this.#hasCollected = false;
    return collected;
  }

  /** To be called after each sample: how many major collections there were since the last. */
  sampled(majors) {
    if (majors > 0) this.#hasCollected = true;
    this.#run?.poll();
  }

  /** What a run found, once it is over. */
  #keep() {
    if (!this.#run) return;
    this.#found = this.#run.stop();
    this.#run = undefined;
    this.#endedAt = performance.now();
    this.#foundAt = Date.now();
    if (!this.#options.files) this.#found.forgetProfile();
  }

  /**
   * Ends the run and gives what is told of it in a LeakReport; `files` may be a promise, which does not reject. A file that cannot be
   * written goes to `onError`.
   */
  end(onError) {
    if (!this.#options) return OFF;
    this.#keep();
    const found = this.#found;
    if (!found) return { ...OFF, reason: this.#reason };
    const { sites, pauseMs, reason, looks } = found;
    const files = this.#options.files && looks > 0 ? this.#write(found, onError) : [];
    return { sites, pauseMs, reason, files, at: this.#foundAt };
  }

  async #write(found, onError) {
    const name = path.join(this.#directory, evidenceName());
    const files = [];
    for (const [method, extension] of [['writeHeapProfile', '.heapprofile'], ['writePprof', '.pb.gz']]) {
      try {
        const { path: file } = await found[method](name + extension, this.#budget);
        files.push(file);
      } catch (error) {
        onError(error);
      }
    }
    return files;
  }

  /** Stops sampling and forgets what was found. */
  release() {
    this.#run?.cancel();
    this.#run = undefined;
    this.#found = undefined;
  }
}

module.exports = { OFF, SuspectSites };
