'use strict';

// How many listeners an emitter or an event target has, by event; asked so that code of the program hardly ever runs, and never throws.

const { EventEmitter, getEventListeners } = require('node:events');

// Taken once: a subclass may have its own, which may throw, and a test may put spies in their place.
const { eventNames, listenerCount, listeners } = EventEmitter.prototype;
const { getOwnPropertyDescriptor, getOwnPropertySymbols, getPrototypeOf } = Object;

/** Under which Node keeps a target's listeners: a Map of events, each with a `size`. The same from Node 18 to 26. */
const kEvents = getOwnPropertySymbols(new EventTarget()).find(({ description }) => description === 'kEvents');
/** What is looked at where Node keeps them otherwise: all that can then be asked is an event by name. */
const KNOWN_EVENTS = ['abort', 'message', 'messageerror', 'error', 'open', 'close', 'change'];

/** `emitter`, `target`, or nothing where `value` is neither. */
function kindOf(value) {
  try {
    // Some targets of Node's (MessagePort) have the methods of an emitter as well.
    if (value instanceof EventTarget) return 'target';
    if (value instanceof EventEmitter) return 'emitter';
    // An emitter of another realm or package, or one that was copied into a function, as Express does.
    if (typeof value?.on === 'function' && typeof value.listenerCount === 'function') return 'emitter';
  } catch {
    // A Proxy that refuses to be asked.
  }
  return undefined;
}

/** Calls `visit(event, count)` for each event that somebody listens to. What cannot be asked has none. */
function visitCounts(target, kind, visit) {
  try {
    if (kind === 'emitter') {
      for (const event of eventNames.call(target)) {
        const count = listenerCount.call(target, event);
        // Other packages' emitters keep theirs otherwise, under the same name.
        visit(event, Number.isInteger(count) ? count : Number(target.listenerCount(event)) || 0);
      }
      return;
    }
    const events = target[kEvents];
    if (typeof events?.forEach === 'function') {
      for (const [event, { size }] of events) visit(event, size);
      return;
    }
    for (const event of KNOWN_EVENTS) visit(event, getEventListeners(target, event).length);
  } catch {
    // A Proxy, or something that only looks like an emitter.
  }
}

/** The functions that listen to an event, `once` seen through, listeners that were collected left out: `[{ name, count }]`. */
function functionsOf(target, kind, event) {
  const counts = new Map();
  try {
    const all = kind === 'emitter' ? listeners.call(target, event) : getEventListeners(target, event);
    for (const listener of all) {
      if (listener === undefined || listener === null) continue;
      const name = typeof listener === 'function' ? nameOf(listener) : constructorNameOf(listener);
      counts.set(name, (counts.get(name) ?? 0) + 1);
    }
  } catch {
    // As above.
  }
  return [...counts].map(([name, count]) => ({ name, location: null, count })).sort((a, b) => b.count - a.count);
}

/** The class of an object, without asking a getter for it. */
function constructorNameOf(value) {
  try {
    for (let at = value; at !== null; at = getPrototypeOf(at)) {
      const constructor = dataOf(at, 'constructor');
      const name = typeof constructor === 'function' ? nameOf(constructor) : '';
      if (name !== '') return name;
    }
  } catch {
    // A Proxy.
  }
  return 'Object';
}

function nameOf(fn) {
  const name = dataOf(fn, 'name');
  return typeof name === 'string' ? name : '';
}

/** An object's own property, unless it is a getter. */
function dataOf(object, name) {
  return getOwnPropertyDescriptor(object, name)?.value;
}

/** How many resources keep the loop alive, by type; empty where Node does not tell. */
function resourceCounts() {
  const counts = new Map();
  try {
    // Called experimental before 22, and there in all versions that are supported.
    // eslint-disable-next-line n/no-unsupported-features/node-builtins
    for (const type of process.getActiveResourcesInfo()) counts.set(type, (counts.get(type) ?? 0) + 1);
  } catch {
    // Something of the host's in its place.
  }
  return counts;
}

module.exports = { kindOf, visitCounts, functionsOf, constructorNameOf, resourceCounts };
