'use strict';

// An API that answers at once when it is told to stop.

const express = require('express');
const { client, drive, listening, sleep } = require('../../drive.js');

let stop;
const stopping = new Promise((resolve) => { // <-- leak
  stop = resolve;
});
process.once('SIGTERM', () => {
  stop('stopping');
  setImmediate(() => process.exit(0));
});

async function prepare(id) {
  await sleep(1);
  return { id, rows: Array.from({ length: 60 }, (_, n) => ({ n, id })) };
}

const app = express();
app.get('/reports/:id', async (req, res) => { // <-- leak
  const result = await Promise.race([stopping, prepare(req.params.id)]); // <-- leak
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
