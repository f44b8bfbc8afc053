'use strict';

const assert = require('node:assert');
const test = require('node:test');
const { assertLeaksLessThan, assertNoLeak } = require('heapwarden/testing');
const { Prices } = require('./service');

test('who stops watching leaves nothing behind', async () => {
  const prices = new Prices();
  await assertNoLeak(() => {
    const stop = prices.watch('ACME', () => {});
    prices.emit('price', 7);
    stop();
  });
});

test('who does not leaves a listener behind', async () => {
  const prices = new Prices();
  await assert.rejects(assertNoLeak(() => { prices.watch('ACME', () => {}); }), /listener/);
});

test('a budget is for what is known and accepted', async () => {
  const names = [];
  await assertLeaksLessThan((call) => { names.push(`customer ${call}`); }, { bytesPerIteration: 200 });
});
