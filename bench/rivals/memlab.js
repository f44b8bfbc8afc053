'use strict';

// memlab, driven for the snapshot benchmark: node bench/rivals/memlab.js WORK ARGS...; JSON on stdout.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

// It is installed beside this file, on demand.
const requireRival = createRequire(path.join(__dirname, 'package.json'));
const { config, utils } = requireRival('@memlab/core');
const { getFullHeapFromFile } = requireRival('@memlab/heap-analysis');

config.muteConsole = true;

const TOP = 1000;

const NAMES = { closure: 'Function', code: '(compiled code)', hidden: '(system)' };

/** It has no classes of its own: these are DevTools'. */
const className = ({ type, name }) => (type === 'object' || type === 'native' ? name : (NAMES[type] ?? `(${type})`));

async function summary(file) {
  const heap = await getFullHeapFromFile(file);
  const classes = {};
  const largest = [];
  heap.nodes.forEach((node) => {
    const row = (classes[className(node)] ??= { count: 0, shallowSize: 0 });
    row.count++;
    row.shallowSize += node.self_size;
    largest.push({ id: node.id, retainedSize: node.retainedSize });
  });
  largest.sort((a, b) => b.retainedSize - a.retainedSize || a.id - b.id);
  return { nodeCount: heap.nodes.length, edgeCount: heap.edges.length, classes, top: largest.slice(0, TOP) };
}

/** Its own way: the ids of the older snapshot, read without a graph, and the newer one. It cannot say what went away. */
async function diff(before, after) {
  const old = await utils.getSnapshotNodeIdsFromFile(before, {});
  const heap = await getFullHeapFromFile(after);
  const classes = {};
  heap.nodes.forEach((node) => {
    if (old.has(node.id)) return;
    const row = (classes[className(node)] ??= { addedCount: 0, addedSize: 0 });
    row.addedCount++;
    row.addedSize += node.self_size;
  });
  return { classes };
}

async function paths(file, ...ids) {
  const heap = await getFullHeapFromFile(file);
  const found = {};
  for (const id of ids.map(Number)) {
    const steps = [];
    for (let node = heap.getNodeById(id); node; node = node.pathEdge?.fromNode) {
      steps.push(node.id);
      if (steps.length > heap.nodes.length) break;
    }
    if (steps.length > 0) found[id] = steps;
  }
  return { paths: found };
}

const [work, ...args] = process.argv.slice(2);
Promise.resolve(({ idle: () => ({}), histogram: summary, summary, diff, paths })[work](...args)).then((answer) => {
  fs.writeSync(1, JSON.stringify(answer));
  // It leaves handles open.
  process.exit(0);
});
