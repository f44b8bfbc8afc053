'use strict';

const { bridge } = require('../../lib/bridge');
const native = require('../../lib/load');

/** By how much the objects per call may be off: what was made during the snapshots themselves. */
const TOLERANCE = 0.05;

/** Whether V8 says how many entries a collection has: not on Node 18, nor without the bridge. */
function canCount() {
  return bridge.available && new native.NativeTally().measure() !== null;
}

/** What is wrong with the answer about a function that leaks as `expected` says, in words; empty where all is right. */
function judgeLeak({ constructorName, pattern, countPerIteration, isCounted }, { leaked, culprits }) {
  if (isCounted && !canCount()) return [];
  if (!leaked) return ['not found'];
  const [first] = culprits;
  if (!first) return ['no culprit named'];
  const wrong = [];
  const names = [constructorName].flat();
  if (!names.includes(first.constructorName)) wrong.push(`constructor ${first.constructorName}, not ${names.join(' or ')}`);
  if (pattern && first.pattern !== pattern) wrong.push(`pattern ${first.pattern}, not ${pattern}`);
  const off = countPerIteration === undefined ? 0 : Math.abs(first.countPerIteration - countPerIteration);
  if (off > TOLERANCE) wrong.push(`${first.countPerIteration} objects a call, not ${countPerIteration}`);
  if (!(first.bytesPerIteration > 0)) wrong.push(`${first.bytesPerIteration} bytes a call`);
  if (first.retainerPath.length === 0) wrong.push('no retaining path');
  if (first.retainerPath.some(({ location }) => /[\\/]lib[\\/]testing[\\/]/.test(location?.file))) wrong.push('we are on the path');
  // Of a class that is written in JavaScript, and of functions, it is known where.
  const isOfNode = ['Buffer', 'Float64Array', '(string)', '(number)', '(entry)', 'WeakRef'].includes(names[0]);
  if (!isOfNode && !/leaks\.js$/.test(first.location?.file ?? '')) wrong.push(`at ${first.location?.file}`);
  return wrong;
}

/** The same for a function that is healthy. */
function judgeHealth({ leaked, message }) {
  return leaked ? [message] : [];
}

module.exports = { canCount, judgeLeak, judgeHealth };
