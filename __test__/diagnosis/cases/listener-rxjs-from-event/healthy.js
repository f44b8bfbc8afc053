'use strict';

// Limit orders: each follows the price feed until the price is right.

const { EventEmitter } = require('node:events');
const express = require('express');
const { filter, fromEvent, map } = require('rxjs');
const { client, drive, listening } = require('../../drive.js');

class PriceFeed extends EventEmitter {}

const feed = new PriceFeed().setMaxListeners(0);
let filled = 0;

function follow(limit) {
  const order = { limit, quotes: new Array(50).fill(limit) };
  return fromEvent(feed, 'tick')
    .pipe(map((tick) => tick.price), filter((price) => price <= order.limit))
    .subscribe(function fill() {
      filled += 1;
    });
}

const app = express();
app.post('/orders/:limit', (req, res) => {
  const subscription = follow(Number(req.params.limit));
  res.on('close', () => subscription.unsubscribe());
  feed.emit('tick', { price: 1000 });
  res.json({ filled });
});

drive({
  units: 12,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/orders/${i % 90}`, { method: 'POST' });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
