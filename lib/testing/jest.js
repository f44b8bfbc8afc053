'use strict';

// heapwarden/jest: required, it adds the assertions to Jest's `expect`. In a setup file, from `setupFilesAfterEnv`, or from a test.

const { guardFile } = require('./per-file');
const { inspectLeaks } = require('./inspect');
const { matchers } = require('./matchers');

/** Adds the assertions, and with `perFile` reports what this file of tests leaves behind. */
function setup(options = {}) {
  expectOfJest().extend(matchers);
  if (options.perFile) guardFile(options.perFile === true ? {} : options.perFile);
}

/** Not a global where Jest was told so (`injectGlobals: false`); then this module is one of its own making. */
function expectOfJest() {
  // eslint-disable-next-line n/no-missing-require
  return globalThis.expect ?? require('@jest/globals').expect;
}

// Jest takes no options for a setup file: `globals: { heapwarden: { perFile: true } }` in its configuration stands for them.
setup(globalThis.heapwarden);

module.exports.setup = setup;
module.exports.matchers = matchers;
module.exports.inspectLeaks = inspectLeaks;
