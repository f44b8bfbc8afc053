'use strict';

// The two assertions, as test runners want them: `{ pass, message }`.

const { invalidArg, HeapwardenError } = require('../errors');
const { leakBudgetOptions } = require('../options');
const { inspectLeaks } = require('./inspect');

/** `await expect(fn).not.toLeak(options)` */
async function toLeak(fn, options) {
  callable(fn);
  const { leaked, message } = await inspectLeaks(fn, options);
  const expected = leaked ? 'Expected the function not to leak, but it does.' : 'Expected the function to leak, but it does not.';
  return { pass: leaked, message: () => `${expected}\n\n${message}` };
}

/** `await expect(fn).toLeakLessThan({ bytesPerIteration, objectsPerIteration, ...options })` */
async function toLeakLessThan(fn, options) {
  callable(fn);
  const { limits, check } = leakBudgetOptions(options);
  const result = await inspectLeaks(fn, check);
  const over = excess(limits, result);
  const pass = over.length === 0;
  const budget = Object.entries(limits).flatMap(([name, limit]) => (limit === undefined ? [] : [inWords(name, limit)])).join(pass ? ' or ' : ' and ');
  const found = over.length > 0 ? over.join(' and ') : 'less';
  const expected = `Expected the function ${pass ? 'to leak at least' : 'to leak less than'} ${budget} a call, but it leaks ${found}.`;
  return { pass, message: () => `${expected}\n\n${result.message}` };
}

/** What is most often given by mistake is told how to be written. */
function callable(fn) {
  if (typeof fn === 'function') return;
  if (typeof fn?.then !== 'function') throw invalidArg('what is expected not to leak', 'a function', fn);
  // Whatever it was: that it fails is not the point.
  fn.then(undefined, () => {});
  const how = 'it is called many times. Write `expect(() => work())`, not `expect(work())`';
  throw new HeapwardenError('HEAPWARDEN_ERR_INVALID_ARG', `what is expected not to leak: expected a function, found a promise; ${how}`);
}

const UNITS = { bytesPerIteration: 'byte', objectsPerIteration: 'object' };
const FOUND = { bytesPerIteration: 'growthBytesPerIteration', objectsPerIteration: 'growthObjectsPerIteration' };

function inWords(name, count) {
  const rounded = Math.round(count * 100) / 100;
  return `${rounded} ${UNITS[name]}${rounded === 1 ? '' : 's'}`;
}

/** The limits that are reached, in words. Where only counts are known, bytes are not, and a leak is over any limit. */
function excess(limits, result) {
  if (result.leaked && result.culprits.length === 0) return ['an amount that could not be told'];
  return Object.entries(limits)
    .filter(([name, limit]) => limit !== undefined && result[FOUND[name]] >= limit)
    .map(([name]) => inWords(name, result[FOUND[name]]));
}

module.exports = { matchers: { toLeak, toLeakLessThan }, excess };
