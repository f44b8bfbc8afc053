'use strict';

// Heapwarden, driven for the snapshot benchmark: node bench/rivals/ours.js WORK ARGS...; the answer as JSON on stdout.
// The calls that are measured are here and nowhere else.

const fs = require('node:fs');
const heapwarden = require('../..');

const threads = process.env.HEAPWARDEN_BENCH_THREADS;
const options = threads === undefined ? {} : { threads: Number(threads) };

const works = {
  idle: () => ({}),
  histogram: (file) => heapwarden.histogramSnapshot(fs.createReadStream(file, { highWaterMark: 256 * 1024 }), options),
  summary: (file) => heapwarden.summarizeSnapshot(file, options),
  diff: (before, after) => heapwarden.diffSnapshots([before, after], { ...options, culprits: false }),
  paths: (file, ...ids) => heapwarden.retainingPaths(file, { ...options, ids: ids.map(Number) }),
};

/** Works whose function this version of the package lacks. */
const missing = Object.entries({ histogram: 'histogramSnapshot', paths: 'retainingPaths' })
  .filter(([, name]) => typeof heapwarden[name] !== 'function')
  .map(([work]) => work);

/** The same shape for every tool. */
function answer(work, result) {
  const byName = (list, pick) => Object.fromEntries(list.map((entry) => [entry.constructorName, pick(entry)]));
  if (work === 'paths') {
    // Node ids from the object out to the root, by the id that was asked for.
    const paths = (result.paths ?? result).map((path) => [path.id, [path.id, ...(path.path ?? path.steps ?? []).map(({ id }) => id)]]);
    return { paths: Object.fromEntries(paths) };
  }
  if (work === 'diff') {
    return {
      classes: byName(result.constructors, ({ addedCount, removedCount, addedSize, removedSize }) => (
        { addedCount, removedCount, addedSize, removedSize })),
    };
  }
  if (work === 'idle') return result;
  const top = result.top ?? result.largest;
  return {
    nodeCount: result.nodeCount,
    edgeCount: result.edgeCount,
    classes: byName(result.constructors, ({ count, shallowSize, retainedSize }) => ({ count, shallowSize, retainedSize })),
    ...(top && { top: top.map(({ id, retainedSize }) => ({ id, retainedSize })) }),
  };
}

module.exports = { missing };

if (require.main === module) {
  const [work, ...args] = process.argv.slice(2);
  Promise.resolve(works[work](...args)).then((result) => fs.writeSync(1, JSON.stringify(answer(work, result))));
}
