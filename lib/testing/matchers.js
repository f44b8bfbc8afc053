'use strict';

// The two assertions, as test runners want them: `{ pass, message }`.

const { leakBudgetOptions } = require('../options');
const { inspectLeaks } = require('./inspect');

/** `await expect(fn).not.toLeak(options)` */
async function toLeak(fn, options) {
  const { leaked, message } = await inspectLeaks(fn, options);
  const expected = leaked ? 'Expected the function not to leak, but it does.' : 'Expected the function to leak, but it does not.';
  return { pass: leaked, message: () => `${expected}\n\n${message}` };
}

/** `await expect(fn).toLeakLessThan({ bytesPerIteration, objectsPerIteration, ...options })` */
async function toLeakLessThan(fn, options) {
  const { limits, check } = leakBudgetOptions(options);
  const result = await inspectLeaks(fn, check);
  const over = excess(limits, result);
  const pass = over.length === 0;
  const budget = Object.entries(limits).flatMap(([name, limit]) => (limit === undefined ? [] : [`${limit} ${UNITS[name]}`])).join(' and ');
  const found = over.length > 0 ? over.join(' and ') : 'less';
  const expected = `Expected the function ${pass ? 'to leak at least' : 'to leak less than'} ${budget} a call, but it leaks ${found}.`;
  return { pass, message: () => `${expected}\n\n${result.message}` };
}

const UNITS = { bytesPerIteration: 'bytes', objectsPerIteration: 'objects' };
const FOUND = { bytesPerIteration: 'growthBytesPerIteration', objectsPerIteration: 'growthObjectsPerIteration' };

/** The limits that are reached, in words. Where only counts are known, bytes are not, and a leak is over any limit. */
function excess(limits, result) {
  if (result.leaked && result.culprits.length === 0) return ['an amount that could not be told'];
  return Object.entries(limits)
    .filter(([name, limit]) => limit !== undefined && result[FOUND[name]] >= limit)
    .map(([name]) => `${Math.round(result[FOUND[name]] * 100) / 100} ${UNITS[name]}`);
}

module.exports = { matchers: { toLeak, toLeakLessThan }, excess };
