'use strict';

// What of a LeakReport or a verdict may leave the process, at a level (docs/redaction.md).

const native = require('./load');
const { redactionLevel } = require('./options');

const GONE = '(redacted)';

/**
 * By report: the names in it that the program's text spells, as the heap's graph told. A report without (one that was read from a file) has
 * no name of a property that may be told but those of JavaScript and Node.
 */
const spelledIn = new WeakMap();

/** Says which names of `report` the program's text spells. */
function noteSpelled(report, names = []) {
  spelledIn.set(report, new Set(names));
  return report;
}

/** Keys under which a name stands that data may have given: a property's, an event's, a class's. */
const NAMES = new Set(['edge', 'name', 'event', 'label', 'constructorName', 'functionName', 'properties']);
/** Keys of what lies in files: at `shape` the names of functions and files go, too. */
const PLACES = new Set(['location', 'reachedThrough', 'allocatedAt']);
/** Sentences of ours with names in them. */
const TEXTS = new Set(['advice', 'why', 'reason', 'message']);

/** One walk over a report. */
class Redaction {
  #level;
  #spelled;
  #own = new Map();
  /** Names that were taken away, so that they are taken out of sentences as well. */
  #gone = new Set();

  constructor(level, spelled) {
    this.#level = level;
    this.#spelled = spelled;
  }

  /** A copy without what may not be told. */
  copy(value) {
    const copied = this.#copy(value, undefined);
    return this.#gone.size === 0 ? copied : this.#rewritten(copied, undefined);
  }

  #copy(value, key) {
    if (Array.isArray(value)) return value.map((item) => this.#copy(item, key));
    if (value === null || typeof value !== 'object') return this.#value(value, key);
    return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, this.#field(name, inner)]));
  }

  #field(key, value) {
    if (this.#level === 'shape') {
      if (PLACES.has(key) || key === 'known' || key === 'fingerprint' || key === 'route') return null;
      if (key === 'files') return [];
    }
    // A path in words: what is on it was never judged name by name.
    if (key === 'holder' && typeof value === 'string') return this.#take(value);
    return this.#copy(value, key);
  }

  #value(value, key) {
    return typeof value === 'string' && NAMES.has(key) ? this.#name(value, key) : value;
  }

  #name(name, key) {
    // V8 has the names of functions from the program's text alone.
    const isFunction = key === 'functionName' || name.startsWith('(closure) ');
    if (isFunction && this.#level === 'names') return name;
    return this.#mayStay(name) ? name : this.#take(name);
  }

  #mayStay(name) {
    if (name === '' || /^\d+$/.test(name) && name.length <= 3 || this.#isOwn(name)) return true;
    return this.#level === 'names' && this.#spelled.has(name);
  }

  #isOwn(name) {
    let own = this.#own.get(name);
    if (own === undefined) this.#own.set(name, own = native.isOwnName(name));
    return own;
  }

  #take(name) {
    this.#gone.add(name);
    return GONE;
  }

  #rewritten(value, key) {
    if (Array.isArray(value)) return value.map((item) => this.#rewritten(item, key));
    if (value !== null && typeof value === 'object') {
      return Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, this.#rewritten(inner, name)]));
    }
    if (typeof value !== 'string' || !TEXTS.has(key)) return value;
    // The longest first: one may be a part of another.
    return [...this.#gone].sort((a, b) => b.length - a.length).reduce((text, name) => text.replaceAll(name, GONE), value);
  }
}

/** A copy of a report, a verdict or what is like them, with what may be told at `level`: `full`, `names` or `shape`. */
function redactReport(report, level = 'names') {
  if (redactionLevel('level', level) === 'full') return structuredClone(report);
  return new Redaction(level, spelledIn.get(report) ?? new Set()).copy(report);
}

module.exports = { noteSpelled, redactReport };
