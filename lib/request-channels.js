'use strict';

// Hears of this thread's requests by Node's diagnostics channels: of each, as long as there are few; where there are very many, of those in a
// part of the time, which stands for the whole.
//
// A server that answers 50 000 a second pays two hundredths for being listened to: some 0.3 us a request, spent in Node and in Fastify before a
// listener is called. So it is listened to in windows, and what a request takes in Node's async ids is measured in them: each request, and most
// of what it does, takes one from a counter that can be read at any time. By what that counter has gone on, the requests between two windows
// are told. An app that is idle, or has ten times as much to do, is so told apart from one that is as busy as in the window.
//
// Windows are far apart, since each of them costs 20 ms of a processor, whatever its length: to listen, and to stop it, changes the channel's
// prototype, for which V8 throws away Node's compiled functions around requests and compiles them anew.

const { AsyncResource } = require('node:async_hooks');
// Called experimental by the first releases of 19 alone.
// eslint-disable-next-line n/no-unsupported-features/node-builtins
const { subscribe, unsubscribe } = require('node:diagnostics_channel');
const { performance } = require('node:perf_hooks');

// Taken once: what a program puts in their place later (fake timers) is not for us.
const now = performance.now.bind(performance);
const later = setTimeout;
const never = clearTimeout;

/** So many requests within a second are very many: the listening has cost three thousandths of a core by then. */
const MANY = 10_000;
const WINDOW_MS = 50;
/** From the end of a window to the next: two thirds of the time between two samples, within these. */
const LONGEST_GAP_MS = 20_000;
const SHORTEST_GAP_MS = 2000;
const OF_AN_INTERVAL = 2 / 3;
/** Where samples are closer than this, somebody wants to know exactly. */
const LEAST_INTERVAL_MS = 1000;
/** A window in which fewer async ids were taken has nothing to say. */
const LEAST_IDS = 100;
/** Between windows there are not more than so many times the requests a second that there were in the last. */
const MOST_TIMES = 2;

/** What listens: `channels` with a function for each, and `pacedChannels` beside them while there are very many; `counts`, a Float64Array that these add to. */
class Heard {
  /** What `counts` was when the window, or the second, began. */
  #before;
  /** By count: how many an async id stands for, as of the last window, and what of the estimates is not yet a whole one. */
  #rates;
  #rest;

  constructor(listener) {
    this.listener = listener;
    const { length } = listener.counts;
    this.#before = listener.counts.slice();
    this.#rates = new Float64Array(length);
    this.#rest = new Float64Array(length);
  }

  begin() {
    this.#before.set(this.listener.counts);
  }

  /** At the end of a window in which `ids` were taken. */
  learn(ids) {
    const { counts } = this.listener;
    for (let i = 0; i < counts.length; i++) this.#rates[i] = (counts[i] - this.#before[i]) / ids;
  }

  /** Adds what there were while `ids` were taken. */
  estimate(ids) {
    const { counts } = this.listener;
    for (let i = 0; i < counts.length; i++) {
      const sum = this.#rates[i] * ids + this.#rest[i];
      const whole = Math.floor(sum);
      counts[i] += whole;
      this.#rest[i] = sum - whole;
    }
  }
}

/** By listener. */
const listeners = new Map();
/** The times between two samples of those who read the counts. */
const intervals = [];
let isPaced = false;
let isOpen = false;
let timer;
/** When the window, the gap, what was estimated of it, or the second began; and the async id at that time. */
let since = 0;
let sinceId = 0;
/** Heard of since then. */
let heard = 0;
/** The same of the end of the last window, and the async ids a millisecond that there were in it. */
let closedAt = 0;
let closedId = 0;
let idsPerMs = 0;

/** The async id that is next. */
const asyncId = () => new AsyncResource('HeapwardenRequests').asyncId();

const channelsOf = (listener) => [...Object.entries(listener.channels), ...(isPaced ? Object.entries(listener.pacedChannels ?? {}) : [])];

function open(listener) {
  for (const [name, onMessage] of channelsOf(listener)) subscribe(name, onMessage);
}

function close(listener) {
  for (const [name, onMessage] of channelsOf(listener)) unsubscribe(name, onMessage);
}

/** Begins the window, the gap, or the second. */
function begin() {
  since = now();
  sinceId = asyncId();
  heard = 0;
}

/** To be called for each request, by one listener. */
function hear() {
  heard += 1;
  if (heard < MANY || isPaced || timer !== undefined) return;
  if (now() - since <= 1000 && Math.min(...intervals) >= LEAST_INTERVAL_MS) {
    // The next turn: a channel's subscribers are not to change while they are called.
    timer = later(endOfWindow, 0);
    timer.unref();
    return;
  }
  beginSecond();
}

function beginSecond() {
  begin();
  for (const one of listeners.values()) one.begin();
}

/** Closes what is open, after a window or the first second, and tells the gap before it by what it has found. */
function endOfWindow() {
  const [at, id] = [now(), asyncId()];
  const [ms, ids] = [at - since, id - sinceId];
  // Few in the window alone may be a pause between two bursts.
  const isQuiet = () => ids >= LEAST_IDS || (id - closedId) / (at - closedAt) < idsPerMs / 2;
  if (isPaced && (heard * 1000) / ms < MANY / 2 && isQuiet()) return hearAll();
  for (const one of listeners.values()) {
    close(one.listener);
    if (ids >= LEAST_IDS) one.learn(ids);
  }
  if (ids >= LEAST_IDS) idsPerMs = ids / ms;
  isPaced = true;
  isOpen = false;
  begin();
  [closedAt, closedId] = [since, sinceId];
  timer = later(listenAgain, Math.min(LONGEST_GAP_MS, Math.max(SHORTEST_GAP_MS, Math.min(...intervals) * OF_AN_INTERVAL)));
  timer.unref();
}

function listenAgain() {
  settle();
  isOpen = true;
  for (const one of listeners.values()) {
    one.begin();
    open(one.listener);
  }
  begin();
  timer = later(endOfWindow, WINDOW_MS);
  timer.unref();
}

/** Each request is heard of again. */
function hearAll() {
  for (const { listener } of listeners.values()) close(listener);
  isPaced = false;
  isOpen = false;
  timer = undefined;
  for (const { listener } of listeners.values()) open(listener);
  beginSecond();
}

/** Brings the counts up to now, where not all requests are heard of. */
function settle() {
  if (!isPaced || isOpen) return;
  const id = asyncId();
  const at = now();
  const ids = Math.min(id - sinceId, (at - since) * idsPerMs * MOST_TIMES);
  since = at;
  sinceId = id;
  for (const one of listeners.values()) one.estimate(ids);
}

const requestChannels = {
  /** Whether it is a part of the requests that is heard of. */
  get isPaced() {
    return isPaced;
  },

  /** Takes note of one more who reads the counts each `intervalMs`. */
  addReader(intervalMs) {
    intervals.push(intervalMs);
  },

  removeReader(intervalMs) {
    const at = intervals.indexOf(intervalMs);
    if (at >= 0) intervals.splice(at, 1);
  },

  /** Begins to listen. */
  add(listener) {
    settle();
    listeners.set(listener, new Heard(listener));
    if (!isPaced || isOpen) open(listener);
    if (!isPaced) beginSecond();
  },

  remove(listener) {
    settle();
    if (!listeners.delete(listener)) return;
    if (!isPaced || isOpen) close(listener);
    if (listeners.size > 0) return;
    never(timer);
    timer = undefined;
    isPaced = false;
    isOpen = false;
    heard = 0;
  },

  hear,
  settle,
};

module.exports = { requestChannels };
