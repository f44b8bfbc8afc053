'use strict';

// Against what DevTools' own engine said of the same two snapshots, of two versions of Node, taken by golden/devtools/server.js:
// `node bench/devtools/oracle.js FILE BASE` made the golden files.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const zlib = require('node:zlib');
const { compare } = require('../bench/devtools/compare');
const { diffSnapshots, summarizeSnapshot } = require('..');

const FOLDER = path.join(__dirname, 'golden', 'devtools');
const golden = (name) => JSON.parse(zlib.gunzipSync(fs.readFileSync(path.join(FOLDER, `${name}.json.gz`))));
const named = ({ constructorName, ...row }) => ({ name: constructorName, ...row });

for (const name of ['node20', 'node24']) {
  test(`${name}: every class, the thousand largest objects and the Comparison are DevTools', exactly`, async () => {
    const [before, after] = ['a', 'b'].map((which) => path.join(FOLDER, `${name}.${which}.heapsnapshot.zst`));
    const expected = golden(name);
    for (const threads of [1, 2]) {
      const { constructors, objects, ...summary } = await summarizeSnapshot(after, { objects: 1000, threads });
      const diff = await diffSnapshots([before, after], { shallowSizes: 'devtools', culprits: false });
      assert.equal(diff.matchedBy, 'id');
      const ours = { ...summary, aggregates: constructors.map(named), top: objects, comparison: diff.constructors.map(named) };
      assert.deepEqual(compare(expected, ours), []);
    }
    assert.ok(expected.aggregates.length > 150 && expected.top.length === 1000 && expected.comparison.length > 30);
  });
}
