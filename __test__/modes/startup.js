'use strict';

// A program that is kept as a startup snapshot: `--build-snapshot` runs all of this, the snapshot that is started only `main`.

const v8 = require('node:v8');

function main() {
  // `require` knows Node's own modules alone, here.
  const { createRequire } = require('node:module');
  const load = createRequire(`${process.cwd()}/__test__/modes/main.js`);
  void load('./probe.js').probe(load('../..'));
}

v8.startupSnapshot.setDeserializeMainFunction(main);
