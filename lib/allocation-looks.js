'use strict';

// What V8's sampling heap profiler shows, look after look: which stacks have more alive each time.

const path = require('node:path');
const { fileURLToPath } = require('node:url');

/** How many sites are told. */
const MOST_SITES = 10;
/** Looks without which nothing is said: two intervals are what growth has to hold over. */
const LEAST_LOOKS = 3;
/** Sampled objects of a site below which its growth may be chance. */
const LEAST_SAMPLES = 8;
/** What of a site's share by time must have been allocated, and have survived, in each half of the time: a leak's is 1 in both. */
const LEAST_OF_SHARE = 0.5;

/** A function that V8 has inlined is named, and not its caller, where so much of the site's samples are from before that. */
const LEAST_NAMED = 1 / 8;

/** Sizes that objects have. */
const SMALLEST_BYTES = 16;
const WORD_BYTES = 8;
/** An object of so many sampling intervals is sampled in any case, and stands for itself. */
const CERTAIN_INTERVALS = 4;

/** Our own code: what it allocates is not the program's. */
const OWN_FOLDER = __dirname + path.sep;

const ROOT = 0;

/** The looks of one run. Holds numbers and stacks, no objects of the program. */
class Looks {
  #startedAt;
  #objectsIn;
  #looks = [];
  /** The stacks seen, as chains: `{ parent, frame }`, the root first. */
  #stacks = [undefined];
  #stackIds = new Map();
  #frames = [];
  #frameIds = new Map();
  /** Of the last look: what is alive, sample by sample. */
  #samples = [];
  /** V8's numbers of all samples that the last look showed. */
  #ordinals = new Set();

  constructor(startedAt, intervalBytes) {
    this.#startedAt = startedAt;
    this.#objectsIn = objectCounter(intervalBytes);
  }

  get count() {
    return this.#looks.length;
  }

  /**
   * Adds a profile as the inspector gives it, taken at `at`, in milliseconds of any clock that tells the program's work. False where it
   * is not of the same run of the sampler: it shows samples that are older than the last look and were not in it. It is not added then.
   */
  add({ head, samples }, at) {
    if (!this.continues(samples)) return false;
    const before = this.#looks.at(-1)?.lastOrdinal ?? 0;
    this.#ordinals = new Set(samples.map(({ ordinal }) => ordinal));
    const stackOf = new Map();
    // A node's size is nearer to the truth than the sum of its samples', of which each is rounded.
    const bytes = new Map();
    this.#walk(head, (node, stack) => {
      stackOf.set(node.id, stack);
      if (node.selfSize > 0) bytes.set(stack, (bytes.get(stack) ?? 0) + node.selfSize);
    });
    this.#samples = [];
    let lastOrdinal = before;
    for (const { size, nodeId, ordinal } of samples) {
      lastOrdinal = Math.max(lastOrdinal, ordinal);
      const stack = stackOf.get(nodeId);
      if (stack === undefined) continue;
      this.#samples.push({ stack, size, ordinal });
    }
    this.#looks.push({ at, lastOrdinal, bytes });
    return true;
  }

  /** Whether the samples are of the same run of the sampler, as far as can be told. */
  continues(samples) {
    const before = this.#looks.at(-1)?.lastOrdinal ?? 0;
    return samples.every(({ ordinal }) => ordinal > before || this.#ordinals.has(ordinal));
  }

  /** Tells `visit` each node of the tree and its stack, but for those where our own code allocated. */
  #walk(head, visit) {
    const waiting = [{ node: head, user: ROOT, all: ROOT, own: false }];
    while (waiting.length > 0) {
      const { node, user, all, own } = waiting.pop();
      if (!own) visit(node, user === ROOT ? all : user);
      for (const child of node.children) {
        const { callFrame } = child;
        const file = fileOf(callFrame.url);
        const isUser = isUserCode(callFrame, file);
        const frame = this.#frame(callFrame, file);
        waiting.push({
          node: child,
          user: isUser ? this.#stack(user, frame) : user,
          all: this.#stack(all, frame),
          own: isUser ? file.startsWith(OWN_FOLDER) : own,
        });
      }
    }
  }

  #frame({ functionName, lineNumber, columnNumber }, file) {
    const key = `${functionName}\n${file}\n${lineNumber}\n${columnNumber}`;
    let id = this.#frameIds.get(key);
    if (id === undefined) {
      id = this.#frames.length;
      this.#frames.push(frameOf(functionName, file, lineNumber, columnNumber));
      this.#frameIds.set(key, id);
    }
    return id;
  }

  /** The stack with one frame more; a function that calls itself is one frame. */
  #stack(parent, frame) {
    if (this.#stacks[parent]?.frame === frame) return parent;
    const key = `${parent}:${frame}`;
    let id = this.#stackIds.get(key);
    if (id === undefined) {
      id = this.#stacks.length;
      this.#stacks.push({ parent, frame });
      this.#stackIds.set(key, id);
    }
    return id;
  }

  /** The frames of a stack, innermost first. */
  #framesOf(stack) {
    const frames = [];
    for (let id = stack; id !== ROOT; id = this.#stacks[id].parent) frames.push(this.#frames[this.#stacks[id].frame]);
    return frames;
  }

  /**
   * The stacks whose allocations pile up, largest growth first, ten at most.
   *
   * Each stack is tried alone, then with what is left of those that it called: V8 tells nothing of a function that it has
   * inlined, and as it inlines while the program runs, one site's samples begin in the function and go on in its caller.
   */
  sites() {
    if (this.#looks.length < LEAST_LOOKS) return [];
    const own = this.#samplesByStack();
    const left = new Map();
    const found = [];
    // A stack has a higher number than the one that it is a part of.
    for (const stack of [...this.#withCallers(own.keys())].sort((a, b) => b - a)) {
      const alone = { stacks: [stack], samples: own.get(stack) ?? [] };
      const called = left.get(stack) ?? [];
      const all = called.reduce(joined, alone);
      const site = [alone, ...called.map((group) => joined(alone, group)), all].find((group) => this.#growsSteadily(group));
      if (site) {
        found.push(site);
        continue;
      }
      const { parent } = this.#stacks[stack];
      if (parent !== ROOT) left.set(parent, [...left.get(parent) ?? [], all]);
    }
    return found.map((group) => this.#site(group)).sort((a, b) => b.growthBytes - a.growthBytes).slice(0, MOST_SITES);
  }

  /** What is alive at the last look, by stack. */
  #samplesByStack() {
    const byStack = new Map();
    for (const sample of this.#samples) {
      if (sample.stack === ROOT) continue;
      if (!byStack.has(sample.stack)) byStack.set(sample.stack, []);
      byStack.get(sample.stack).push(sample);
    }
    return byStack;
  }

  #withCallers(stacks) {
    const all = new Set();
    for (const stack of stacks) {
      for (let id = stack; id !== ROOT && !all.has(id); id = this.#stacks[id].parent) all.add(id);
    }
    return all;
  }

  /**
   * Whether more and more of it is alive: in both halves of the time it grew, and of what is alive at the last look each half has
   * allocated its part. What is replaced before long is all of late; what was filled and is full is all of early, or has not grown
   * since; what was seen once has not grown.
   */
  #growsSteadily({ stacks, samples }) {
    if (samples.length < LEAST_SAMPLES) return false;
    const last = this.#looks.at(-1);
    const middle = this.#middle();
    const early = (middle.at - this.#startedAt) / (last.at - this.#startedAt);
    const isEnough = (part, share, whole) => part > 0 && part >= LEAST_OF_SHARE * share * whole;
    const bornEarly = samples.filter(({ ordinal }) => ordinal <= middle.lastOrdinal).length;
    const [first, then, now] = [this.#looks[0], middle, last].map((look) => bytesAt(look, stacks));
    return isEnough(bornEarly, early, samples.length)
      && isEnough(samples.length - bornEarly, 1 - early, samples.length)
      && isEnough(then - first, early - (this.#looks[0].at - this.#startedAt) / (last.at - this.#startedAt), now - first)
      && isEnough(now - then, 1 - early, now - first);
  }

  #site({ stacks, samples }) {
    const counts = new Map();
    for (const { stack } of samples) counts.set(stack, (counts.get(stack) ?? 0) + 1);
    const [top, ...inner] = stacks;
    // The function itself says more than a caller into which it was inlined.
    const named = inner.filter((stack) => counts.get(stack) >= LEAST_NAMED * samples.length)
      .reduce((best, stack) => (best === top || counts.get(stack) > counts.get(best) ? stack : best), top);
    const frames = this.#framesOf(named);
    const at = this.#looks.map((look) => bytesAt(look, stacks));
    return {
      ...frames[0],
      stack: frames,
      liveBytes: at.at(-1),
      liveCount: samples.reduce((sum, { size }) => sum + this.#objectsIn(size), 0),
      growthBytes: at.at(-1) - at[0],
      looks: at.filter((bytes) => bytes > 0).length,
    };
  }

  /** The look nearest to the middle of the time, neither the first nor the last. */
  #middle() {
    const half = (this.#startedAt + this.#looks.at(-1).at) / 2;
    return this.#looks.slice(1, -1).reduce((a, b) => (Math.abs(b.at - half) < Math.abs(a.at - half) ? b : a));
  }
}

function joined(a, b) {
  return { stacks: [...a.stacks, ...b.stacks], samples: [...a.samples, ...b.samples] };
}

function bytesAt(look, stacks) {
  return stacks.reduce((sum, stack) => sum + (look.bytes.get(stack) ?? 0), 0);
}

function isUserCode({ url, scriptId }, file) {
  // What is compiled from text has no file and yet a script; V8's own, such as (PARSER), has neither.
  if (url === '') return scriptId !== '0';
  return !file.startsWith('node:') && !file.startsWith('internal/') && !file.startsWith('evalmachine.');
}

function frameOf(functionName, file, lineNumber, columnNumber) {
  const location = file && lineNumber >= 0 ? { file, line: lineNumber + 1, column: columnNumber + 1 } : null;
  return { functionName, location };
}

function fileOf(url) {
  if (!url.startsWith('file://')) return url;
  try {
    return fileURLToPath(url);
  } catch {
    return url;
  }
}

/**
 * What says how many objects a sample stands for. V8 gives their bytes: the size, times how many of that size there are on average for
 * one that is sampled, rounded to a whole number. Of the sizes that give just these bytes the smallest is taken, as the most common.
 */
function objectCounter(intervalBytes) {
  const known = new Map();
  return (bytes) => {
    let count = known.get(bytes);
    if (count === undefined) {
      count = objectsIn(bytes, intervalBytes);
      known.set(bytes, count);
    }
    return count;
  };
}

function objectsIn(bytes, intervalBytes) {
  if (bytes > CERTAIN_INTERVALS * intervalBytes) return 1;
  for (let size = SMALLEST_BYTES; size < bytes; size += WORD_BYTES) {
    const count = bytes / size;
    if (Number.isInteger(count) && count === Math.floor(1 / (1 - Math.exp(-size / intervalBytes)) + 0.5)) return count;
  }
  return 1;
}

/** What pprof is made of: the last look in full, Node's own functions too. */
function pprofInput({ head, samples }, { intervalBytes, startedAt, durationMs }) {
  const objectsIn = objectCounter(intervalBytes);
  const counts = new Map();
  for (const { nodeId, size } of samples) counts.set(nodeId, (counts.get(nodeId) ?? 0) + objectsIn(size));
  const frames = [];
  const frameIds = new Map();
  const frameId = ({ functionName, url, lineNumber, columnNumber }) => {
    const key = `${functionName}\n${url}\n${lineNumber}\n${columnNumber}`;
    if (!frameIds.has(key)) {
      frameIds.set(key, frames.length);
      frames.push({ functionName, file: fileOf(url), line: Math.max(0, lineNumber + 1), column: Math.max(0, columnNumber + 1) });
    }
    return frameIds.get(key);
  };
  const stacks = [];
  const waiting = head.children.map((node) => ({ node, outer: [] }));
  while (waiting.length > 0) {
    const { node, outer } = waiting.pop();
    const stack = [frameId(node.callFrame), ...outer];
    if (node.selfSize > 0) stacks.push({ stack, count: counts.get(node.id) ?? 0, bytes: node.selfSize });
    for (const child of node.children) waiting.push({ node: child, outer: stack });
  }
  return { frames, samples: stacks, periodBytes: intervalBytes, timeMs: Math.round(startedAt), durationMs: Math.round(durationMs) };
}

module.exports = { Looks, LEAST_LOOKS, objectCounter, pprofInput };
