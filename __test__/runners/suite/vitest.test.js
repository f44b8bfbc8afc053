import { expect, test } from 'vitest';
import { take, takeAndShip } from './orders.mjs';

test('leaks: 1 Order, written at orders.mjs', async () => {
  await expect(take).not.toLeak({ iterations: 200 });
}, 120_000);

test('fine', async () => {
  await expect(takeAndShip).not.toLeak({ iterations: 200 });
}, 120_000);
