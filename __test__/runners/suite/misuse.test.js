'use strict';

const { take, takeAndShip } = require('./orders');

test('fails: Write `await expect(fn).not.toLeak()`', () => {
  expect(takeAndShip).not.toLeak({ iterations: 200 });
});

test('fails: Write `expect(() => work())`, not `expect(work())`', async () => {
  await expect(Promise.resolve()).not.toLeak();
});

test('fails: found "iteration"', async () => {
  await expect(takeAndShip).not.toLeak({ iteration: 200 });
});

test('fails: found 0', async () => {
  await expect(takeAndShip).not.toLeak({ iterations: 0 });
});

test('fails: Expected the function to leak, but it does not.', async () => {
  await expect(takeAndShip).toLeak({ iterations: 200 });
}, 120_000);

test('fails: Expected the function to leak less than 0.5 objects a call, but it leaks 1 object.', async () => {
  await expect(take).toLeakLessThan({ objectsPerIteration: 0.5, iterations: 200 });
}, 120_000);

test('fine: as expected', async () => {
  await expect(take).toLeak({ iterations: 200 });
}, 120_000);
