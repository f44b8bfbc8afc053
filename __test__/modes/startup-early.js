'use strict';

// Loads Heapwarden while a startup snapshot is built, and says what became of it.

const { createRequire } = require('node:module');

try {
  createRequire(`${process.cwd()}/__test__/modes/main.js`)('../..');
} catch ({ code, message }) {
  process.stdout.write(`${code}: ${message}\n`);
}
