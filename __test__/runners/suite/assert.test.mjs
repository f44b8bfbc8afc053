import { assertNoLeak } from 'heapwarden/testing';
import { take, takeAndShip } from './orders.mjs';

const test = globalThis.it ?? (await import('node:test')).test;

test('leaks: 1 Order, written at orders.mjs', async function () {
  this?.timeout?.(120_000);
  await assertNoLeak(take, { iterations: 200 });
});

test('fine', async function () {
  this?.timeout?.(120_000);
  await assertNoLeak(takeAndShip, { iterations: 200 });
});
