'use strict';

const { assertNoLeak } = require('heapwarden/testing');
const { take, takeAndShip } = require('./orders');

// Mocha's is a global.
const test = globalThis.it ?? require('node:test').test;

test('leaks: 1 Order, written at orders.js', async function () {
  this?.timeout?.(120_000);
  await assertNoLeak(take, { iterations: 200 });
});

test('fine', async function () {
  this?.timeout?.(120_000);
  await assertNoLeak(takeAndShip, { iterations: 200 });
});
