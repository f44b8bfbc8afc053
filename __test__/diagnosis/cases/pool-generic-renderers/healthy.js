'use strict';

// PDFs from a pool of renderers.

const express = require('express');
const { createPool } = require('generic-pool');
const { client, drive, listening } = require('../../drive.js');

class Renderer {
  constructor() {
    this.fonts = new Map(Array.from({ length: 40 }, (_, n) => [`font-${n}`, new Array(20).fill(n)]));
  }

  render(text) {
    const [font] = text.split(':');
    if (!this.fonts.has(font)) throw new RangeError(`there is no ${font}`);
    return `%PDF ${text.length} in ${font}`;
  }
}

const renderers = createPool({
  create: async () => new Renderer(),
  destroy: async (renderer) => renderer.fonts.clear(),
}, { max: 100_000 });

async function render(text) {
  const renderer = await renderers.acquire();
  try {
    return renderer.render(text);
  } finally {
    await renderers.release(renderer);
  }
}

const app = express();
app.post('/pdf', express.text(), async (req, res) => {
  try {
    res.send(await render(req.body));
  } catch (error) {
    res.status(400).send(error.message);
  }
});
const headers = { 'content-type': 'text/plain' };

drive({
  units: 24,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get('/pdf', { method: 'POST', headers, body: `font-${i % 3 === 0 ? 99 : i % 40}: text` });
    if (status !== (i % 3 === 0 ? 400 : 200)) throw new Error(`status ${status}`);
  },
});
