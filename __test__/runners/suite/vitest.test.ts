import { expect, test } from 'vitest';
import { take, takeAndShip } from './orders';

test('leaks: 1 Order, written at orders.ts', async () => {
  await expect(take).not.toLeak({ iterations: 200 });
}, 120_000);

test('fine', async (): Promise<void> => {
  await expect(takeAndShip).not.toLeak({ iterations: 200 });
}, 120_000);
