'use strict';

// An API that answers at once when it is told to stop.

const express = require('express');
const { client, drive, listening, sleep } = require('../../drive.js');

const waiting = new Set();
process.once('SIGTERM', () => {
  for (const stop of waiting) stop('stopping');
  setImmediate(() => process.exit(0));
});

async function prepare(id) {
  await sleep(1);
  return { id, rows: Array.from({ length: 60 }, (_, n) => ({ n, id })) };
}

function untilStopped(work) {
  let stop;
  const stopped = new Promise((resolve) => {
    stop = resolve;
  });
  waiting.add(stop);
  return Promise.race([stopped, work]).finally(() => waiting.delete(stop));
}

const app = express();
app.get('/reports/:id', async (req, res) => {
  const result = await untilStopped(prepare(req.params.id));
  res.json(result);
});

drive({
  units: 40,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/reports/${i}`);
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
