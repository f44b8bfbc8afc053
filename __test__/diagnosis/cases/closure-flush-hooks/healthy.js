'use strict';

// Reports: their names are written to the audit log when the process stops.

const express = require('express');
const { client, drive, listening } = require('../../drive.js');

const flushers = new Set();
const audited = [];

const auditor = (id) => () => audited.push(id);

const app = express();
app.post('/reports/:id', (req, res) => {
  const { id } = req.params;
  const rows = Array.from({ length: 120 }, (_, n) => ({ n, amount: n * 3, id }));
  const total = () => rows.reduce((sum, row) => sum + row.amount, 0);
  const flush = auditor(id);
  flushers.add(flush);
  res.on('close', () => flushers.delete(flush));
  res.json({ id, total: total() });
});
process.once('SIGTERM', () => {
  for (const flush of flushers) flush();
  process.exit(0);
});

drive({
  units: 30,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/reports/${i}`, { method: 'POST' });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
