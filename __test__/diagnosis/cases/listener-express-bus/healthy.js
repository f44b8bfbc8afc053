'use strict';

// A shop: a quote says whether the price changed while it was being prepared.

const { EventEmitter } = require('node:events');
const express = require('express');
const { client, drive, listening } = require('../../drive.js');

const catalog = new EventEmitter().setMaxListeners(0);
const prices = new Map(Array.from({ length: 50 }, (_, i) => [`item-${i}`, 100 + i]));

const app = express();
app.get('/quotes/:item', (req, res) => {
  const { item } = req.params;
  const quote = { item, price: prices.get(item), rates: Array.from({ length: 80 }, (_, day) => ({ day, rate: day * 0.01 })), stale: false };
  function onChanged(changed) {
    if (changed === item) quote.stale = true;
  }
  catalog.on('changed', onChanged);
  res.on('close', () => catalog.off('changed', onChanged));
  res.json(quote);
});

drive({
  units: 40,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/quotes/item-${i % 50}`);
    if (status !== 200) throw new Error(`status ${status}`);
    if (i % 200 === 0) catalog.emit('changed', 'item-7');
  },
});
