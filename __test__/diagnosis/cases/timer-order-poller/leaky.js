'use strict';

// Orders: each is polled until it ships, which half of them never do.

const express = require('express');
const { client, drive, listening } = require('../../drive.js');

class Poller { // <-- leak
  constructor(order) { // <-- leak
    this.order = order;
    this.answers = [];
    this.timer = setInterval(() => this.poll(), 50); // <-- leak
  }

  poll() {
    this.answers = [...this.answers, { at: Date.now(), shipped: this.order.shipped }].slice(-20);
    if (this.order.shipped) this.stop();
  }

  stop() {
    clearInterval(this.timer);
  }
}

const app = express();
app.post('/orders/:id', (req, res) => {
  const lines = Array.from({ length: 40 }, (_, n) => ({ n, sku: `sku-${n}` }));
  const order = { id: req.params.id, lines, shipped: Number(req.params.id) % 2 === 0 };
  new Poller(order).poll();
  res.json({ id: order.id });
});

drive({
  units: 20,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/orders/${i}`, { method: 'POST' });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
