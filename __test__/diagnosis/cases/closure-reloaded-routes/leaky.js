'use strict';

// A gateway that reloads its routes, and counts how often a reload changed where the health check goes.

const express = require('express');
const { client, drive, listening } = require('../../drive.js');

class RouteTable { // <-- leak
  constructor(version) { // <-- leak
    this.version = version;
    this.targets = new Map(Array.from({ length: 60 }, (_, i) => [`/route/${i}`, { host: `10.0.0.${i}`, version }]));
  }
}

let match;
let moved = 0;

function reload(version) {
  const table = new RouteTable(version);
  const previous = match; // <-- leak
  const hasMoved = () => previous?.('/route/0').host !== table.targets.get('/route/0').host;
  if (hasMoved()) moved += 1;
  match = (path) => table.targets.get(path); // <-- leak
}

const app = express();
app.post('/reload/:version', (req, res) => {
  reload(Number(req.params.version));
  res.json({ moved });
});
app.get('/route/:n', (req, res) => {
  res.json(match(req.path));
});

drive({
  units: 40,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    await get(`/reload/${i}`, { method: 'POST' });
    const { status } = await get(`/route/${i % 60}`);
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
