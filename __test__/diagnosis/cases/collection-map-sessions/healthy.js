'use strict';

// A shop with sessions in memory.

const { randomUUID } = require('node:crypto');
const express = require('express');
const { client, drive, listening } = require('../../drive.js');

class Session {
  constructor(id) {
    this.id = id;
    this.startedAt = Date.now();
    this.basket = Array.from({ length: 20 }, (_, n) => ({ sku: `sku-${n}`, count: n }));
  }
}

const sessions = new Map();

const app = express();
app.use((req, res, next) => {
  const id = req.get('cookie') ?? randomUUID();
  let session = sessions.get(id);
  if (!session) {
    session = new Session(id);
    sessions.set(id, session);
    if (sessions.size > 60) sessions.delete(sessions.keys().next().value);
  }
  req.session = session;
  next();
});
app.get('/basket', (req, res) => {
  res.json(req.session.basket);
});

drive({
  units: 40,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get('/basket');
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
