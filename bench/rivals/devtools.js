'use strict';

// DevTools' engine, driven for the snapshot benchmark: node bench/rivals/devtools.js WORK ARGS...; JSON on stdout.

const fs = require('node:fs');
const { bundle, engine, load } = require('../devtools/engine');

const TOP = 100;

function classes(snapshot) {
  return Object.values(snapshot.getAggregatesByClassKey(true, 'allObjects'))
    .map(({ name, count, self, maxRet }) => ({ name, count, shallowSize: self, retainedSize: maxRet }));
}

/** Without what may have lost its own size to an owner: only there do its retained sizes follow another rule. */
function top(snapshot) {
  const { nodeCount, nodeFieldCount, retainedSizes } = snapshot;
  const threshold = Float64Array.from(retainedSizes).sort()[Math.max(0, nodeCount - 2 * TOP)];
  const largest = [];
  const node = snapshot.createNode(0);
  for (let i = 0; i < nodeCount; i++) {
    if (retainedSizes[i] < threshold) continue;
    node.nodeIndex = i * nodeFieldCount;
    if (node.type() === 'array' || node.type() === 'hidden') continue;
    largest.push({ id: node.id(), retainedSize: retainedSizes[i] });
  }
  return largest.sort((a, b) => b.retainedSize - a.retainedSize || a.id - b.id).slice(0, TOP);
}

async function summary(file) {
  const snapshot = await load(file);
  return {
    nodeCount: snapshot.nodeCount,
    edgeCount: snapshot.containmentEdges.length / snapshot.edgeFieldsCount,
    groups: classes(snapshot),
    top: top(snapshot),
  };
}

async function diff(before, after) {
  const base = await load(before);
  const snapshot = await load(after);
  const diffs = snapshot.calculateSnapshotDiff(1, base.aggregatesForDiff(snapshot.interfaceDefinitions()));
  return {
    groups: Object.values(diffs).map(({ name, addedCount, removedCount, addedSize, removedSize }) => (
      { name, addedCount, removedCount, addedSize, removedSize })),
  };
}

/** From each object to a retainer that is nearer to the root, by its distances, as its view of retainers opens them. */
async function paths(file, ...ids) {
  const snapshot = await load(file);
  const wanted = new Set(ids.map(Number));
  const { nodeCount, nodeFieldCount, nodeDistances, firstRetainerIndex, retainingNodes, rootNodeIndex } = snapshot;
  const node = snapshot.createNode(0);
  const found = {};
  for (let i = 0; i < nodeCount && wanted.size > 0; i++) {
    node.nodeIndex = i * nodeFieldCount;
    const id = node.id();
    if (!wanted.delete(id)) continue;
    found[id] = [id];
    // At a distance of 1 it is a root of the program's; V8's own have distances beyond all others.
    for (let at = i; nodeDistances[at] > 1 && at !== rootNodeIndex / nodeFieldCount;) {
      let best = -1;
      for (let k = firstRetainerIndex[at]; k < firstRetainerIndex[at + 1]; k++) {
        const from = retainingNodes[k] / nodeFieldCount;
        if (nodeDistances[from] >= 0 && (best < 0 || nodeDistances[from] < nodeDistances[best])) best = from;
      }
      if (best < 0 || found[id].length > nodeCount) break;
      at = best;
      node.nodeIndex = at * nodeFieldCount;
      found[id].push(node.id());
      if (node.type() === 'synthetic') break;
    }
  }
  return { paths: found };
}

const idle = async () => {
  await engine(await bundle());
  return {};
};

const [work, ...args] = process.argv.slice(2);
({ idle, histogram: summary, summary, diff, paths })[work](...args).then((answer) => fs.writeSync(1, JSON.stringify(answer)));
