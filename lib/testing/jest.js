'use strict';

// heapwarden/jest: required, it adds the assertions to Jest's `expect`. In a setup file, from `setupFilesAfterEnv`, or from a test.

const { guardFile } = require('./per-file');
const { inspectLeaks } = require('./inspect');
const { matchers } = require('./matchers');

/** Checks under way, each with the name of its test. */
const underWay = new Map();

/** The assertions, whose checks are followed until they are over. */
const followed = Object.fromEntries(Object.entries(matchers).map(([name, matcher]) => [name, function (fn, options) {
  const check = matcher(fn, options);
  underWay.set(check, this.currentTestName);
  const over = () => { underWay.delete(check); };
  check.then(over, over);
  return check;
}]));

/** Adds the assertions, and with `perFile` reports what this file of tests leaves behind. */
function setup(options = {}) {
  ofJest('expect').extend(followed);
  if (options.perFile) guardFile(options.perFile === true ? {} : options.perFile);
}

/** Jest would let a test pass whose check has not told anything yet. */
function failIfForgotten() {
  const { currentTestName } = ofJest('expect').getState();
  if (![...underWay.values()].includes(currentTestName)) return;
  const error = new Error('heapwarden: a leak check was still under way when its test ended. Write `await expect(fn).not.toLeak()`, and give the test more time if that ran out.');
  // The place is of no use: it is here.
  error.stack = error.message;
  throw error;
}

/** Not a global where Jest was told so (`injectGlobals: false`); then this module is one of its own making. */
function ofJest(name) {
  // eslint-disable-next-line n/no-missing-require
  return globalThis[name] ?? require('@jest/globals')[name];
}

try {
  ofJest('afterEach')(failIfForgotten);
} catch {
  // Required from within a test, where no hook can be added any more.
}

// Jest takes no options for a setup file: `globals: { heapwarden: { perFile: true } }` in its configuration stands for them.
setup(globalThis.heapwarden);

module.exports.setup = setup;
module.exports.matchers = matchers;
module.exports.inspectLeaks = inspectLeaks;
