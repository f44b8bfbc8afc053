'use strict';

// The timers that the functions of a file of tests have started and that are still to fire: which, and where they were started.

/** The globals that start one. */
const STARTERS = ['setTimeout', 'setInterval', 'setImmediate'];
/** Those that are over are let go of when there are so many more. */
const SWEEP_EVERY = 64;
/** Frames of a stack that are kept: the place is the first above ours. */
const FRAMES = 4;

/**
 * Has timers that are started from here on noted, by the globals: what a file takes from `node:timers` is not seen, nor what a fake clock has.
 * Gives a function for the places of those that still keep the process alive, a Map from place to count, and one that lets go of the others.
 */
function watchTimers(target = globalThis) {
  const started = new Map();
  let sweepAt = SWEEP_EVERY;
  const sweep = () => {
    for (const timer of started.keys()) if (isOver(timer)) started.delete(timer);
    sweepAt = started.size + SWEEP_EVERY;
  };
  const note = (timer) => {
    // An environment with a window has numbers for timers, and ends them itself.
    if (typeof timer?.hasRef !== 'function') return timer;
    if (started.size >= sweepAt) sweep();
    started.set(timer, originOf(note));
    return timer;
  };
  for (const name of STARTERS) {
    const original = target[name];
    if (typeof original !== 'function') continue;
    const starter = function (...args) { return note(Reflect.apply(original, this, args)); };
    // Its promisified form, its name.
    Object.defineProperties(starter, Object.getOwnPropertyDescriptors(original));
    target[name] = starter;
  }
  const left = () => {
    sweep();
    const places = new Map();
    for (const [timer, origin] of started) {
      const place = timer.hasRef() && placeOf(origin);
      if (place) places.set(place, (places.get(place) ?? 0) + 1);
    }
    return places;
  };
  return { left, sweep };
}

/** Whether a timer has fired for the last time or was cleared. Node says so by this name alone, from 11 on. */
function isOver(timer) {
  return timer._destroyed !== false;
}

/** The stack above the caller of `fn`; V8 makes a text of it when that is asked for. */
function originOf(fn) {
  const { stackTraceLimit } = Error;
  Error.stackTraceLimit = FRAMES;
  try {
    const origin = {};
    Error.captureStackTrace(origin, fn);
    return origin;
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
  }
}

/** Where the program or a test started a timer, as `file:line`; undefined where Node or a package did. */
function placeOf({ stack }) {
  const frames = String(stack).split('\n').filter((line) => /^\s+at /.test(line) && !line.includes(__filename));
  const [, file, line] = /(?:\(|at (?:async )?)((?:file:\/\/)?[^()]*?):(\d+)(?::\d+)?\)?$/.exec(frames[0] ?? '') ?? [];
  if (file === undefined || /^node:|[\\/]node_modules[\\/]/.test(file)) return undefined;
  return `${file.replace(/^file:\/\//, '')}:${line}`;
}

module.exports = { watchTimers };
