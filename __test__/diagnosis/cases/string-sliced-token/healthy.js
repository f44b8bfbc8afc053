'use strict';

// A login service that remembers the tokens of the documents it was sent.

const express = require('express');
const { client, drive, listening } = require('../../drive.js');

const tokens = new Map();

const app = express();
app.post('/documents/:id', express.text({ limit: '1mb' }), (req, res) => {
  const start = req.body.indexOf('token=') + 6;
  tokens.set(req.params.id, Buffer.from(req.body.slice(start, start + 32)).toString());
  if (tokens.size > 40) tokens.delete(tokens.keys().next().value);
  res.json({ tokens: tokens.size });
});

const document = `${'lorem ipsum '.repeat(1700)}token=${'0123456789abcdef'.repeat(2)};${' dolor sit amet'.repeat(1300)}`;
const headers = { 'content-type': 'text/plain' };

drive({
  units: 20,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/documents/${i}`, { method: 'POST', headers, body: document });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
