'use strict';

// Each leak of diagnosis/cases: whether two looks at its heap name what a human would; and whether its healthy twin is left alone.

const assert = require('node:assert');
const { describe, test } = require('node:test');
const { ownCases, prepareOwn, runCase } = require('./diagnosis/run.js');

// What the packages ask for.
const isTooOld = Number(process.versions.node.split('.')[0]) < 20;

describe('diagnosis', { concurrency: 2, skip: isTooOld && 'the packages need Node 20' }, () => {
  if (isTooOld) return;
  prepareOwn();
  for (const given of ownCases()) {
    test(given.name, async () => {
      for (const { program, misses } of await runCase(given, { node: process.execPath, isFull: false, kinds: ['leaky', 'healthy'] })) {
        assert.deepEqual(misses, [], program);
      }
    });
  }
});
