'use strict';

// An app that meant to put something on res.locals.

const express = require('express');
const { client, drive, listening } = require('../../drive.js');

class AuditEntry {
  constructor(req) {
    this.at = new Date();
    this.path = req.path;
    this.headers = Object.entries(req.headers);
  }
}

const app = express();
app.use((req, res, next) => {
  res.locals.audit = [new AuditEntry(req)];
  next();
});
app.get('/pages/:id', (req, res) => {
  res.json({ id: req.params.id });
});

drive({
  units: 60,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/pages/${i % 30}`);
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
