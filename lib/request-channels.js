'use strict';

// Hears of this thread's requests by Node's diagnostics channels: of each, as long as there are few; where there are thousands a second, of
// those in a part of the time, which stands for the whole.
//
// What a request costs while somebody listens, some 0.3 us, is spent in Node and in Fastify before a listener is called. So a server that
// answers 50 000 a second, whom that would cost two hundredths, is listened to in windows, as long as it takes to hear of a thousand requests
// a second. A window has an end by the clock, not by a number: counted up to a number, requests that come in bursts would seem fewer than
// they are. What was counted in a window also stands for the gap before it.

// Called experimental by the first releases of 19 alone.
// eslint-disable-next-line n/no-unsupported-features/node-builtins
const { subscribe, unsubscribe } = require('node:diagnostics_channel');
const { performance } = require('node:perf_hooks');

// Taken once: what a program puts in their place later (fake timers) is not for us.
const now = performance.now.bind(performance);
const later = setTimeout;
const never = clearTimeout;

/** So many requests within a second are many: the listening has cost two thousandths of a core by then. */
const MANY = 5000;
/** So many a second are heard of where there are many ... */
const ENOUGH = 1000;
/** ... in windows of this length, and never so far apart that a figure is older than this, or than a twentieth of the time between two samples. */
const WINDOW_MS = 20;
const LONGEST_GAP_MS = 1000;
const OF_AN_INTERVAL = 20;

/**
 * What listens: `channels` with a function for each, and `pacedChannels` beside them while there are many; `opens()` at the begin of a window,
 * `closes(factor)` at its end: by what is to be multiplied that was counted in between.
 */
const listeners = new Set();
/** The times between two samples of those who read the counts. */
const intervals = [];
let isPaced = false;
let isOpen = false;
let timer;
/** When the window, the gap or the second began. */
let since = 0;
/** How long the gap before this window was. */
let gapMs = 0;
/** Heard of since then. */
let heard = 0;

const channelsOf = (listener) => [...Object.entries(listener.channels), ...(isPaced ? Object.entries(listener.pacedChannels ?? {}) : [])];

function open(listener) {
  for (const [name, onMessage] of channelsOf(listener)) subscribe(name, onMessage);
}

function close(listener) {
  for (const [name, onMessage] of channelsOf(listener)) unsubscribe(name, onMessage);
}

const longestGapMs = () => Math.min(LONGEST_GAP_MS, Math.min(...intervals) / OF_AN_INTERVAL);

/** To be called for each request, by one listener. */
function hear() {
  heard += 1;
  if (heard < MANY || isPaced) return;
  const at = now();
  const took = at - since;
  since = at;
  heard = 0;
  // Where samples are that close, the gaps would be shorter than the windows.
  if (took > 1000 || longestGapMs() < WINDOW_MS) return;
  // The next turn: a channel's subscribers are not to change while they are called.
  timer ??= later(pause, 0, longestGapMs());
  timer.unref();
}

function pause(ms) {
  for (const listener of listeners) close(listener);
  isPaced = true;
  isOpen = false;
  since = now();
  timer = later(listenAgain, ms);
  timer.unref();
}

function listenAgain() {
  const at = now();
  gapMs = at - since;
  since = at;
  heard = 0;
  isOpen = true;
  for (const listener of listeners) {
    listener.opens();
    open(listener);
  }
  timer = later(endOfWindow, WINDOW_MS);
  timer.unref();
}

function endOfWindow() {
  const ms = now() - since;
  const perSecond = (heard * 1000) / ms;
  for (const listener of listeners) listener.closes(1 + gapMs / ms);
  if (perSecond > MANY / 2) return pause(Math.min(longestGapMs(), ms * (perSecond / ENOUGH - 1)));
  const all = [...listeners];
  all.forEach(close);
  isPaced = false;
  isOpen = false;
  timer = undefined;
  since = now();
  heard = 0;
  all.forEach(open);
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
    listeners.add(listener);
    if (isPaced && !isOpen) return;
    if (isPaced) listener.opens();
    open(listener);
  },

  remove(listener) {
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
};

module.exports = { requestChannels };
