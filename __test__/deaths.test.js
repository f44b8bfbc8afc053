'use strict';

// A sample of `npm run deaths`: what becomes of a process is on record, and is what it would have been without us.

const assert = require('node:assert');
const { test } = require('node:test');
const { CASES } = require('./deaths/cases');
const { core, die, kill } = require('./deaths/child');

const linux = { skip: process.platform !== 'linux' };
const SAMPLE = [
  'process.exit(3)', 'uncaught exception', 'exception that somebody hears', 'process.abort()', 'abort on uncaught', 'heap limit, report',
  'SIGSEGV', 'stack overflow in native', 'WebAssembly trap', 'SIGTERM',
];

for (const name of SAMPLE) {
  const given = CASES.find((one) => one.name === name);
  test(`${name}: recorded right, and the same with and without`, linux, async () => {
    assert.deepStrictEqual((await die(process.execPath, given)).misses, []);
  });
}

for (const name of ['process.abort()', 'SIGSEGV', 'stack overflow in native']) {
  test(`${name}: the system dumps core with Heapwarden where it does without`, linux, async () => {
    const { without, beside } = await core(process.execPath, CASES.find((one) => one.name === name));
    assert.strictEqual(beside, without);
    assert.match(without, /^code (134|139),/);
  });
}

for (const blocked of [false, true]) {
  test(`killed at a random moment${blocked ? ' with a blocked loop' : ''}: the last sample is an interval old at most`, linux, async () => {
    // The slack is for a machine that runs many tests at a time.
    const { misses } = await kill(process.execPath, { intervalMs: 100, slackMs: 1000, blocked });
    assert.deepStrictEqual(misses, []);
  });
}
