'use strict';

const { take, takeAndShip } = require('./orders');

test('leaks: 1 Order, written at orders.js', async () => {
  await expect(take).not.toLeak({ iterations: 200 });
}, 120_000);

test('fine', async () => {
  await expect(takeAndShip).not.toLeak({ iterations: 200 });
}, 120_000);
