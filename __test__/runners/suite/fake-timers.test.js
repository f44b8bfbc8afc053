'use strict';

const { take, takeAndShip } = require('./orders');

class Reminder {
  constructor() {
    this.isDue = false;
  }
}

/** Under the fake clock all timers are in its own table. */
function remind() {
  const reminder = new Reminder();
  setInterval(() => { reminder.isDue = true; }, 1000);
}

async function wait() {
  const waited = new Promise((resolve) => { setTimeout(resolve, 1000); });
  jest.advanceTimersByTime(1000);
  await waited;
}

beforeEach(() => jest.useFakeTimers());
afterEach(() => jest.useRealTimers());

test('leaks: 1 Order, written at orders.js', async () => {
  await expect(take).not.toLeak({ iterations: 200 });
}, 120_000);

// The fake clock's own record of a timer.
test('leaks: Object, in clock|timers', async () => {
  await expect(remind).not.toLeak({ iterations: 200 });
}, 120_000);

test('fine', async () => {
  await expect(takeAndShip).not.toLeak({ iterations: 200 });
}, 120_000);

test('fine: timers that the fake clock has fired', async () => {
  await expect(wait).not.toLeak({ iterations: 200 });
}, 120_000);
