'use strict';

// Heapwarden in the modes of Node, on this one; on all of them, as a table: npm run modes.

const assert = require('node:assert');
const { describe, test } = require('node:test');
const { judge } = require('./modes/judge');
const { fewer } = require('./modes/modes');

const major = Number(process.versions.node.split('.')[0]);

describe('modes', { concurrency: 2 }, () => {
  for (const mode of fewer(major)) {
    test(mode.name, { skip: mode.lacks?.(major) ?? false }, async () => {
      assert.deepEqual((await judge(process.execPath, major, mode)).misses, []);
    });
  }
});
