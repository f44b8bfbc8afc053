'use strict';

// Heapwarden, driven for the snapshot benchmark: node bench/rivals/ours.js WORK ARGS...; the answer as JSON on stdout.
// The calls that are measured are here and nowhere else.

const fs = require('node:fs');
const heapwarden = require('../..');

const threads = process.env.HEAPWARDEN_BENCH_THREADS;
const options = threads === undefined ? {} : { threads: Number(threads) };

const works = {
  idle: () => ({}),
  // One pass over the bytes, without a seek: what a pipe gives as well.
  histogram: (file) => heapwarden.histogramSnapshot(file),
  // The same by way of JavaScript, which makes a Buffer of every piece.
  readable: (file) => heapwarden.histogramSnapshot(fs.createReadStream(file, { highWaterMark: 256 * 1024 })),
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
    return { paths: Object.fromEntries(result.map(({ id, pathIds }) => [id, [id, ...pathIds]])) };
  }
  if (work === 'diff') {
    return {
      classes: byName(result.constructors, ({ addedCount, removedCount, addedSize, removedSize }) => (
        { addedCount, removedCount, addedSize, removedSize })),
    };
  }
  if (work === 'idle') return result;
  if (work === 'histogram' || work === 'readable') {
    return { nodeCount: result.nodeCount, classes: byName(result.constructors, ({ count, shallowSize }) => ({ count, shallowSize })) };
  }
  const groups = result.constructors.map(({ constructorName: name, count, retainedSize }) => ({ name, count, retainedSize }));
  return { nodeCount: result.nodeCount, edgeCount: result.edgeCount, groups };
}

module.exports = { missing };

if (require.main === module) {
  const [work, ...args] = process.argv.slice(2);
  Promise.resolve(works[work](...args)).then((result) => fs.writeSync(1, JSON.stringify(answer(work, result))));
}
