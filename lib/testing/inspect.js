'use strict';

// A leak test: calls a function in rounds and tells what grows in proportion to the calls.
//
//   warm-up | round | round |                    counts after each: objects by constructor, bytes after a collection
//                           S round # round S    more objects each time? Snapshots around the other two: whose, and who holds them
//                           | round   round |    else they end with one more count. Nothing then, and bytes did not rise each time? That is that.
//                                           S round S round S
//
// At # all objects are numbered, which tells those of the one round from those of the other. What comes to nothing but bytes, a text that gets
// longer, needs a snapshot there as well.
//
// What the counts are kept in is native, and our own objects do not grow with the rounds: what is found is the function's.

const { performance } = require('node:perf_hooks');
const v8 = require('node:v8');
const native = require('../load');
const { bridge } = require('../bridge');
const { withDeclarations } = require('../declarations');
const { invalidArg, translated } = require('../errors');
const { jsonForNative } = require('../plain');
const { withKnownLeaks } = require('../known-leaks');
const { leakCheckOptions } = require('../options');
const { Packages } = require('../packages');
const { withPositions } = require('../positions');
const { capture } = require('../snapshot');
const { loadedMaps } = require('./loaded-maps');
const { nextTurn, settle } = require('./settle');

/** Rounds that are looked at in snapshots. */
const DEEP = 2;
/** Calls of each of these at least: of fewer objects nobody can say how they come. */
const LEAST_DEEP_CALLS = 25;
/** After so many calls that never waited, the loop has a turn: what they have started wants to go on. */
const CALLS_A_TURN = 100;
/** Bytes per call, and in a round, from which on a floor that rises by so much in every round is looked into. */
const RISING_BYTES_A_CALL = 8;
const RISING_BYTES = 2048;
/**
 * What gets hot is compiled, for longer than any warm-up lasts. V8 says how large code is; what it keeps beside, of which it does not say that, was
 * 0.45 to 0.56 of it in services on Node 22 to 26.
 */
const BESIDE_CODE = 0.5;
/** What stands for the entries of collections among the constructors that are counted. */
const ENTRIES = '(entry ';
/** More entries than that for each object are not those of the objects. */
const ENTRIES_AN_OBJECT = 1.1;
/** What keeps objects because a test runs at all: the console of Jest remembers what was written until the file is done. */
const RUNNERS = new Set(['BufferedConsole']);

/**
 * Whether what `fn` leaves behind grows with the number of its calls, and what that is: see `LeakCheck` in index.d.ts. Rejects with what `fn`,
 * `setup` or `teardown` throw. One at a time: the next waits.
 */
function inspectLeaks(fn, options) {
  if (typeof fn !== 'function') return Promise.reject(invalidArg('fn', 'a function', fn));
  let check;
  try {
    check = new Check(fn, leakCheckOptions(options));
  } catch (error) {
    return Promise.reject(error);
  }
  const result = underWay.then(() => {
    current.add(check);
    return check.run();
  });
  const over = () => { current.delete(check); };
  underWay = result.then(over, over);
  return result;
}

/**
 * The check under way. From here what the function holds has a path like that of a program's own variables; from the stack of a test that waits
 * it would have none that V8's tables of strings do not cross.
 */
const current = new Set();

/** The check before, which has to be over: it counts all of the heap. */
let underWay = Promise.resolve();

class Check {
  #fn;
  #given;
  #tally = bridge.available ? new native.NativeTally() : undefined;
  #isCounted = false;
  #calm = 0;
  #called = 0;
  #callsMs = 0;
  /** Calls of each counted round, and after each the bytes that are in use. */
  #rounds = [];
  #floors = [];

  constructor(fn, given) {
    this.#fn = fn;
    this.#given = given;
  }

  async run() {
    const started = performance.now();
    const { iterations, rounds, warmup } = this.#given;
    const sizes = shares(iterations, rounds);
    // The snapshots' own machinery is warm, too, before anything is counted.
    await this.#round(warmup);
    this.#called = 0;
    this.#callsMs = 0;
    await this.#count();
    for (const calls of sizes.slice(0, -DEEP)) await this.#counted(calls);
    let found = this.#hasMore() ? await this.#deep(sizes.slice(-DEEP)) : undefined;
    if (!found) {
      await this.#counted(...sizes.slice(-DEEP));
      if (this.#hasMore() || this.#isRising()) found = await this.#deep(sizes.slice(-DEEP));
    }
    return this.#result(found, started);
  }

  /** Calls the function `calls` times, between `setup` and `teardown`, and waits until all that is over. */
  async #round(calls) {
    const { setup, teardown, settleMs } = this.#given;
    if (setup) await setup();
    try {
      await this.#call(calls);
    } finally {
      if (teardown) await teardown();
    }
    this.#calm = await settle(this.#calm, settleMs);
  }

  async #call(calls) {
    const fn = this.#fn;
    const started = performance.now();
    let idle = 0;
    for (let call = 0; call < calls; call++) {
      const result = fn(this.#called);
      this.#called += 1;
      if (typeof result?.then === 'function') await result;
      if (++idle === CALLS_A_TURN) {
        idle = 0;
        await nextTurn();
      }
    }
    this.#callsMs += performance.now() - started;
  }

  /** One round or more, with a count at the end. */
  async #counted(...sizes) {
    for (const calls of sizes) await this.#round(calls);
    await this.#count();
    this.#rounds.push(sizes.reduce((sum, calls) => sum + calls, 0));
  }

  /** Objects by constructor, where they can be counted, and bytes in use. */
  async #count() {
    if (this.#tally) this.#isCounted = translated(() => this.#tally.count()) !== null;
    const { used_heap_size: used } = v8.getHeapStatistics();
    const { code_and_metadata_size: code, bytecode_and_metadata_size: bytecode } = v8.getHeapCodeStatistics();
    const { arrayBuffers, external } = process.memoryUsage();
    this.#floors.push({ heap: used - bytecode - code * (1 + BESIDE_CODE), arrayBuffers, external });
  }

  /** Whether there were more objects of some constructor after each of the rounds. Where they cannot be counted, that is not known. */
  #hasMore() {
    return !this.#isCounted || this.#grown().length > 0;
  }

  #grown() {
    return this.#isCounted ? JSON.parse(translated(() => this.#tally.steady(this.#rounds))) : [];
  }

  /** By how many the constructor has grown that has grown most, or the entries of a kind of collection. */
  #grownBy(isEntries) {
    const of = this.#grown().filter(({ constructorName }) => constructorName.startsWith(ENTRIES) === isEntries);
    return Math.max(0, ...of.map(({ counts }) => counts.at(-1) - counts[0]));
  }

  /**
   * Whether the bytes in use, of code apart, rose in all rounds: texts, and numbers under the names of properties. Outside of the heap the first
   * round may be without: small buffers are parts of one that Node has in store.
   */
  #isRising() {
    const rises = (what, from) => this.#rounds.every((calls, i) => (
      i < from || this.#floors[i + 1][what] - this.#floors[i][what] >= Math.max(RISING_BYTES, RISING_BYTES_A_CALL * calls)));
    return rises('heap', 0) || rises('arrayBuffers', 1) || rises('external', 1);
  }

  /** What has grown by as much in both of two rounds, each between two snapshots; where these cannot be taken, why. */
  async #deep(sizes) {
    const calls = sizes.map((size) => Math.max(size, LEAST_DEEP_CALLS));
    const objects = this.#grownBy(false);
    const hasEntries = !this.#isCounted || this.#grownBy(true) > objects * ENTRIES_AN_OBJECT;
    const found = await this.#looked(calls, { isMarked: objects > 0, hasEntries });
    if (objects === 0 || found.reason !== null || found.culprits.length > 0) return found;
    // What has grown is not among what is counted by its constructor.
    return this.#looked(calls, { isMarked: false, hasEntries });
  }

  async #looked(calls, { isMarked, hasEntries }) {
    let first;
    try {
      first = await capture({ product: 'graph', mode: 'inline' });
    } catch (error) {
      // With counts there is still something to tell; without them nobody knows.
      if (error.code !== 'HEAPWARDEN_ERR_NO_ROOM' || !this.#isCounted) throw error;
      return { culprits: [], reason: error.message };
    }
    // Lengths are told by the numbers that the first snapshot gives, growth at the mark by the last count, just before it.
    const tally = this.#tally;
    const measure = () => translated(() => (hasEntries ? tally?.measure() : undefined));
    measure();
    await this.#round(calls[0]);
    const between = isMarked && translated(() => tally.mark()) ? undefined : await capture({ product: 'graph', mode: 'inline' });
    measure();
    await this.#round(calls[1]);
    measure();
    const { steady } = await capture({ product: 'steady', since: first.capture, between: between?.capture, calls, tally, mode: 'inline' });
    return steady;
  }

  async #result(found, started) {
    const culprits = found ? found.culprits.filter((culprit) => !isOfRunner(culprit)).map(withoutUs) : [];
    const constructors = found?.reason ? this.#grown() : [];
    const packages = new Packages();
    await withPositions({ culprits }, packages, loadedMaps);
    await withDeclarations(culprits);
    await withKnownLeaks(culprits, packages);
    const reason = found?.reason ?? null;
    const sum = (what) => culprits.reduce((all, culprit) => all + culprit[what], 0);
    const iterations = this.#called;
    const told = { iterations, culprits, constructors, countedCalls: this.#rounds, reason };
    return {
      leaked: culprits.length + constructors.length > 0,
      culprits,
      iterations,
      growthBytesPerIteration: sum('bytesPerIteration'),
      growthObjectsPerIteration: sum('countPerIteration'),
      constructors,
      rung: found ? 'snapshots' : 'counts',
      reason,
      callsMs: this.#callsMs,
      durationMs: performance.now() - started,
      message: translated(() => native.renderLeakCheck(jsonForNative(told))),
    };
  }
}

/** `iterations` in `rounds` parts, those that come first by one larger. */
function shares(iterations, rounds) {
  return Array.from({ length: rounds }, (_, i) => Math.floor(iterations / rounds) + (i < iterations % rounds ? 1 : 0));
}

/** The path as far as it is the program's: what is only held by the function under test is held by us in the end, and we say nothing of that. */
function withoutUs(culprit) {
  const { retainerPath } = culprit;
  const at = retainerPath.findIndex(({ name, edge, location }) => (name === 'Check' && edge === '#fn') || location?.file.startsWith(__dirname));
  return at < 0 ? culprit : { ...culprit, retainerPath: retainerPath.slice(0, at) };
}

function isOfRunner({ retainerPath }) {
  return retainerPath.some(({ name }) => RUNNERS.has(name));
}

module.exports = { inspectLeaks };
