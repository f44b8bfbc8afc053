'use strict';

// What DevTools says of a snapshot, as JSON: node bench/devtools/oracle.js FILE [BASE] > oracle.json
//
// With BASE, the older snapshot, the Comparison view too. The shape is documented in compare.js, which reads it.

const fs = require('node:fs');
const { load } = require('./engine');

const TOP = 1000;
const byKey = (a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0);

function aggregates(snapshot) {
  return Object.entries(snapshot.getAggregatesByClassKey(true, 'allObjects'))
    .map(([key, { name, count, distance, self, maxRet }]) => ({ key, name, count, distance, shallowSize: self, retainedSize: maxRet }))
    .sort(byKey);
}

/** The objects that retain most; of equal ones those with the lower id. */
function top(snapshot) {
  const { nodeCount, nodeFieldCount, retainedSizes } = snapshot;
  const node = snapshot.createNode(0);
  const idOf = (ordinal) => {
    node.nodeIndex = ordinal * nodeFieldCount;
    return node.id();
  };
  const threshold = Float64Array.from(retainedSizes).sort()[Math.max(0, nodeCount - TOP)];
  const ordinals = [];
  for (let i = 0; i < nodeCount; i++) if (retainedSizes[i] >= threshold) ordinals.push(i);
  ordinals.sort((a, b) => retainedSizes[b] - retainedSizes[a] || idOf(a) - idOf(b));
  return ordinals.slice(0, TOP).map((ordinal) => {
    node.nodeIndex = ordinal * nodeFieldCount;
    return {
      id: node.id(),
      type: node.type(),
      name: node.name(),
      constructorName: node.className(),
      shallowSize: node.selfSize(),
      retainedSize: node.retainedSize(),
      distance: node.distance(),
    };
  });
}

/** The Comparison view: the older snapshot's classes by the interface definitions of the newer one, as the view asks for them. */
function comparison(snapshot, base) {
  const diffs = snapshot.calculateSnapshotDiff(1, base.aggregatesForDiff(snapshot.interfaceDefinitions()));
  return Object.entries(diffs)
    .map(([key, { name, addedCount, removedCount, countDelta, addedSize, removedSize, sizeDelta }]) => (
      { key, name, addedCount, removedCount, countDelta, addedSize, removedSize, sizeDelta }))
    .sort(byKey);
}

async function oracle(file, baseFile) {
  const snapshot = await load(file);
  const { nodeCount, totalSize } = snapshot;
  const result = {
    nodeCount,
    edgeCount: snapshot.containmentEdges.length / snapshot.edgeFieldsCount,
    totalShallowSize: totalSize,
    interfaces: JSON.parse(snapshot.interfaceDefinitions()).map(({ name, properties }) => ({ name, properties })),
    statistics: snapshot.getStatistics(),
    aggregates: aggregates(snapshot),
    top: top(snapshot),
  };
  if (baseFile) result.comparison = comparison(snapshot, await load(baseFile));
  return result;
}

module.exports = { oracle, aggregates, top, comparison };

if (require.main === module) {
  const [file, base] = process.argv.slice(2);
  if (!file) throw new Error('usage: oracle.js FILE [BASE]');
  oracle(file, base).then((result) => fs.writeSync(1, `${JSON.stringify(result, null, 1)}\n`));
}
