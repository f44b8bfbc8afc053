'use strict';

// Each leak of diagnosis/cases: whether two looks at its heap name what a human would; and whether its healthy twin is left alone.

const assert = require('node:assert');
const { describe, test } = require('node:test');
const { ownCases, prepareOwn, runCase } = require('./diagnosis/run.js');

const major = Number(process.versions.node.split('.')[0]);
/** The Node on which all cases run; on the others it is one leak of each pattern. All on any: `npm run diagnosis -- --node PATH`. */
const WHOLE = 22;

/** Why not here, if so. */
function refusal() {
  if (major < 20) return 'the packages need Node 20';
  // What is found does not depend on where the figures of the heap come from.
  return process.env.HEAPWARDEN_BRIDGE === 'off' && 'with the bridge';
}

const pattern = (name) => name.split('-', 1)[0];
const cases = (all) => (major === WHOLE ? all : all.filter(({ name }, at) => all.findIndex((other) => pattern(other.name) === pattern(name)) === at));

describe('diagnosis', { concurrency: 2, skip: refusal() }, () => {
  if (refusal()) return;
  prepareOwn();
  const kinds = major === WHOLE ? ['leaky', 'healthy'] : ['leaky'];
  for (const given of cases(ownCases())) {
    test(given.name, async () => {
      for (const { program, misses } of await runCase(given, { node: process.execPath, isFull: false, kinds })) {
        assert.deepEqual(misses, [], program);
      }
    });
  }
});
