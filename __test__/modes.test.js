'use strict';

// Heapwarden in the modes of Node, on this one; on all of them, as a table: npm run modes.

const assert = require('node:assert');
const path = require('node:path');
const { describe, test } = require('node:test');
const { judge } = require('./modes/judge');
const { fewer } = require('./modes/modes');
const { folder, run } = require('./support');

const major = Number(process.versions.node.split('.')[0]);

test('while a startup snapshot is built, loading it is an error that names the cure', { skip: major < 20 && 'Node 18 cannot load files then' }, async (t) => {
  const blob = path.join(folder(t), 'startup.blob');
  const { code, stdout, stderr } = await run(['--snapshot-blob', blob, '--build-snapshot', path.join(__dirname, 'modes', 'startup-early.js')]);
  assert.equal(code, 0, stderr);
  assert.match(stdout, /^HEAPWARDEN_ERR_LOAD: .*\.setDeserializeMainFunction\(\) or by --require heapwarden\/register\.$/m);
});

describe('modes', { concurrency: 2 }, () => {
  for (const mode of fewer(major)) {
    test(mode.name, { skip: mode.lacks?.(major) ?? false }, async () => {
      assert.deepEqual((await judge(process.execPath, major, mode)).misses, []);
    });
  }
});
