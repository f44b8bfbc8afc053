'use strict';

// Where what survives was allocated: V8's sampling heap profiler, for a bounded time, looked at after major collections.

// Taken once: what a program puts in their place later (spies, fake timers) is not for the profile.
const { cpuUsage } = process;
const { clearTimeout, setTimeout } = require('node:timers');
const { performance } = require('node:perf_hooks');
const path = require('node:path');
const native = require('./load');
const { bridge } = require('./bridge');
const { LEAST_LOOKS, Looks, pprofInput } = require('./allocation-looks');
const { HeapwardenError, translatedAsync, unsupported } = require('./errors');
const { ask } = require('./inspector-session');
const { allocationOptions, filePath } = require('./options');
const { assertWritable } = require('./permissions');

/** When looks are taken, as shares of the time: whenever it is ended, one was taken near the middle. */
const SCHEDULE = [1 / 32, 1 / 16, 1 / 8, 1 / 4, 1 / 2, 3 / 4, 1];

/** The profile that runs in this thread: V8 has one sampler, and whoever stops it stops it for all. */
let running;

/**
 * Samples this thread's allocations until `stop()` or the end of `maxMs`, whichever is first. Never keeps the process alive.
 *
 * Before each look V8 collects the whole heap; unless the caller knows when there was a collection, and the bridge can start the sampler:
 * V8's inspector always has it collect.
 */
class AllocationProfile {
  #intervalBytes;
  #maxMs;
  #looks;
  #startedAt = Date.now();
  #started = performance.now();
  #timer;
  #due = false;
  #last;
  #pauseMs = 0;
  #result;
  #hasCollected;
  /** Whether there was a collection since the last look. */
  #isFresh = false;
  #onEnd;

  /**
   * `hasCollected()`: whether there was a major collection since it last said so; without it V8 collects before each look. `onEnd()` is
   * called once it is over.
   */
  constructor({ samplingIntervalBytes, maxMs }, hasCollected, onEnd = () => {}) {
    if (running) throw busy('an allocation profile of Heapwarden\'s runs in this thread');
    this.#intervalBytes = samplingIntervalBytes;
    this.#maxMs = maxMs;
    this.#onEnd = onEnd;
    this.#looks = new Looks(cpuMs(), samplingIntervalBytes);
    const isThroughBridge = startSampler(samplingIntervalBytes, hasCollected === undefined);
    this.#hasCollected = isThroughBridge ? hasCollected : undefined;
    running = this;
    this.#schedule();
  }

  /** Whether it samples. */
  get isRunning() {
    return running === this;
  }

  /** Takes a look now. */
  look() {
    if (!this.isRunning) return this;
    this.#due = false;
    this.#isFresh = false;
    const started = performance.now();
    const profile = currentProfile();
    if (profile && this.#looks.add(profile, cpuMs())) this.#last = profile;
    else this.#lose();
    this.#pauseMs += performance.now() - started;
    return this;
  }

  #lose() {
    this.#finish('other-profiler', 'another heap profiler of this thread ended it');
  }

  /** Takes a look that was due and had to wait for a collection. To be called now and then where there is `hasCollected`. */
  poll() {
    if (!this.isRunning || this.#hasCollected === undefined || !this.#hasCollected()) return;
    this.#isFresh = true;
    if (this.#due) this.look();
  }

  /** Ends it, with a last look, and gives what was found; the same again if it has ended. */
  stop() {
    this.#end('stop');
    return this.#result;
  }

  #schedule() {
    const elapsed = performance.now() - this.#started;
    const next = SCHEDULE.map((share) => share * this.#maxMs).find((at) => at > elapsed);
    this.#timer = setTimeout(() => this.#onTime(next), Math.max(1, (next ?? elapsed) - elapsed)).unref();
  }

  #onTime(at) {
    if (at === undefined || at >= this.#maxMs) {
      this.#end('time');
      return;
    }
    if (this.#hasCollected === undefined) this.look();
    else this.#due = true;
    if (this.isRunning) this.#schedule();
  }

  #end(endedBy) {
    if (!this.isRunning) return;
    this.poll();
    if (this.#hasCollected === undefined || this.#isFresh) this.look();
    else this.#checkSampler();
    this.#stopSampler(endedBy);
  }

  /** Ends it without a last look. */
  cancel() {
    this.#checkSampler();
    this.#stopSampler('stop');
  }

  /** What was started by somebody else after ours was ended is not for us to end. */
  #checkSampler() {
    if (!this.isRunning) return;
    const profile = currentProfile();
    if (!profile || !this.#looks.continues(profile.samples)) this.#lose();
  }

  #stopSampler(endedBy) {
    if (!this.isRunning) return;
    ask('HeapProfiler.stopSampling');
    this.#finish(endedBy, null);
  }

  #finish(endedBy, reason) {
    clearTimeout(this.#timer);
    running = undefined;
    const durationMs = performance.now() - this.#started;
    const sites = this.#looks.sites();
    const looks = this.#looks.count;
    const few = looks < LEAST_LOOKS
      ? `${looks} looks after major collections, ${LEAST_LOOKS} are needed`
      : 'nothing that was sampled grows steadily';
    const run = { startedAt: this.#startedAt, durationMs, intervalBytes: this.#intervalBytes };
    this.#result = new AllocationSites({
      sites, looks, durationMs, pauseMs: this.#pauseMs, endedBy, reason: reason ?? (sites.length > 0 ? null : few),
    }, this.#last, run);
    this.#looks = undefined;
    this.#last = undefined;
    this.#onEnd();
  }
}

/** What an allocation profile found, and the last look in full for files. */
class AllocationSites {
  /** As text outside the heap: it would be growth otherwise. */
  #profile;
  #run;

  constructor(found, profile, run) {
    Object.assign(this, found);
    this.#profile = profile && Buffer.from(JSON.stringify(profile));
    this.#run = run;
  }

  /** Writes the last look for DevTools. `budget`: what such files beside it may come to. */
  async writeHeapProfile(file, budget) {
    return this.#write(file, 'heapprofile', (profile) => {
      const { startedAt, durationMs } = this.#run;
      return { ...profile, startTime: startedAt / 1000, endTime: (startedAt + durationMs) / 1000 };
    }, budget);
  }

  /** The same for pprof, compressed with gzip. */
  async writePprof(file, budget) {
    return this.#write(file, 'pprof', (profile) => pprofInput(profile, this.#run), budget);
  }

  /** Lets go of the last look: no file can be written then. */
  forgetProfile() {
    this.#profile = undefined;
  }

  async #write(file, format, content, budget) {
    const target = path.resolve(filePath('path', file));
    if (!this.#profile) throw unsupported('a file of this profile', this.reason);
    assertWritable(target);
    const text = JSON.stringify(content(JSON.parse(this.#profile.toString())));
    const json = await translatedAsync(native.writeAllocationProfile(target, format, text, budget?.maxFiles, budget?.maxBytes));
    return { path: target, bytes: JSON.parse(json).bytes };
  }
}

/**
 * Starts the sampler and says whether it was started through the bridge. Somebody else's (another inspector session, `--heap-prof`) is
 * left alone: V8 would not say no, but show us theirs, and have us end it.
 */
function startSampler(intervalBytes, collectsFirst) {
  try {
    const started = bridge.available ? native.startAllocationSampling(intervalBytes, collectsFirst) : null;
    if (started === false || (started === null && isSampling())) throw taken();
    adopt(intervalBytes, started === true);
    return started === true;
  } catch (error) {
    if (error instanceof HeapwardenError) throw error;
    throw unsupported('an allocation profile', `no inspector: ${error.message}`);
  }
}

/**
 * Has the inspector start the sampler. One that runs is left as it is, and stopped by the inspector when the thread ends: V8 would crash
 * at the end of the process (Node 24) if nobody did.
 */
function adopt(intervalBytes, isRunning) {
  try {
    ask('HeapProfiler.startSampling', {
      samplingInterval: intervalBytes, includeObjectsCollectedByMajorGC: false, includeObjectsCollectedByMinorGC: false,
    });
  } catch (error) {
    if (isRunning) native.stopAllocationSampling();
    throw error;
  }
}

/** What V8 samples at the moment; nothing where it does not. */
function currentProfile() {
  try {
    return ask('HeapProfiler.getSamplingProfile').profile;
  } catch {
    return undefined;
  }
}

/** Whether somebody samples already. Where so, V8 collects the whole heap before it answers; where not, it only says no. */
function isSampling() {
  // Throws where there is no inspector at all.
  ask('Runtime.getIsolateId');
  return currentProfile() !== undefined;
}

/** What growth is held against: a program that is given no time, or no work, leaks nothing. */
function cpuMs() {
  const { user, system } = cpuUsage();
  return (user + system) / 1000;
}

const taken = () => busy('another sampling heap profiler runs in this thread (an inspector session, or --heap-prof), and is left alone');

function busy(why) {
  return new HeapwardenError('HEAPWARDEN_ERR_BUSY', why);
}

/** Starts to sample this thread's allocations. */
function startAllocationProfile(options) {
  return new AllocationProfile(allocationOptions(options));
}

module.exports = { AllocationProfile, startAllocationProfile };
