'use strict';

// Whether DevTools' own engine opens what was redacted, and says of it what we say: node bench/devtools/redacted.js
//
// Takes snapshots of a heap with a thousand secrets at each level and compares every class and the thousand largest objects.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { summarizeSnapshot, writeSnapshot } = require('../..');
const secrets = require('../../__test__/fixtures/secrets');
const { compare } = require('./compare');
const { oracle } = require('./oracle');

const made = secrets.make(1000);
globalThis.heldForTheSnapshot = secrets.keep(made);

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'redacted-'));
  try {
    for (const redact of ['full', 'names', 'shape']) {
      const file = path.join(folder, `${redact}.heapsnapshot`);
      const { bytes } = await writeSnapshot({ path: file, redact, summary: false });
      const expected = await oracle(file);
      const { constructors, objects, ...summary } = await summarizeSnapshot(file, { objects: 1000 });
      const aggregates = constructors.map(({ constructorName, ...row }) => ({ name: constructorName, ...row }));
      // DevTools has one key for functions and for an object that is no function but of a class `Function`: the last one counts.
      const differences = compare(expected, { ...summary, aggregates, top: objects }).filter((line) => !line.includes('name "Function"'));
      assert.deepEqual(differences, []);
      const told = JSON.stringify(expected);
      const leaked = made.filter((secret) => told.includes(secret)).length;
      console.log(`${redact}: ${bytes} bytes, ${expected.nodeCount} nodes, ${expected.aggregates.length} classes in DevTools as in ours; ${leaked} secrets in its tables`);
      assert.equal(leaked > 0, redact === 'full');
    }
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
}

main();
