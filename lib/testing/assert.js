'use strict';

// heapwarden/testing: assertions for node:test, or for any runner that takes an exception for a failure.

const { AssertionError } = require('node:assert');
const { matchers } = require('./matchers');
const { inspectLeaks } = require('./inspect');

/** Rejects with an AssertionError that names what leaks, if `fn` does. */
async function assertNoLeak(fn, options) {
  const { pass, message } = await matchers.toLeak(fn, options);
  if (pass) fail(message(), assertNoLeak);
}

/** Rejects with an AssertionError if `fn` leaks as much as `bytesPerIteration` or `objectsPerIteration`. */
async function assertLeaksLessThan(fn, options) {
  const { pass, message } = await matchers.toLeakLessThan(fn, options);
  if (!pass) fail(message(), assertLeaksLessThan);
}

function fail(message, stackStartFn) {
  throw new AssertionError({ message, stackStartFn });
}

module.exports.assertNoLeak = assertNoLeak;
module.exports.assertLeaksLessThan = assertLeaksLessThan;
module.exports.inspectLeaks = inspectLeaks;
