'use strict';

// A client that measures how long its requests take, for a mean that nobody asks for.

const { createServer } = require('node:http');
const { request } = require('undici');
const { drive, listening } = require('../../drive.js');

class Recorder {
  constructor() {
    this.samples = [];
  }

  record(path, tookMs, headers) {
    this.samples.push({ path, tookMs, at: new Date(), headers });
    if (this.samples.length > 60) this.samples.shift();
  }

  mean() {
    return this.samples.reduce((sum, { tookMs }) => sum + tookMs, 0) / this.samples.length;
  }
}

const latency = new Recorder();
const server = createServer((req, res) => {
  res.setHeader('x-path', req.url);
  res.end('ok');
});

drive({
  units: 60,
  async start() {
    return `http://127.0.0.1:${await listening(server.listen(0, '127.0.0.1'))}`;
  },
  async unit(i, base) {
    const started = performance.now();
    const { body, headers } = await request(`${base}/items/${i % 50}`);
    await body.dump();
    latency.record(`/items/${i % 50}`, performance.now() - started, headers);
  },
});
