'use strict';

// Uploads with a signature at their end, which is remembered.

const express = require('express');
const { client, drive, listening } = require('../../drive.js');

const signatures = new Map(); // <-- leak

const app = express();
app.put('/files/:name', express.raw({ type: '*/*', limit: '1mb' }), (req, res) => { // <-- leak
  signatures.set(req.params.name, req.body.subarray(-32)); // <-- leak
  res.json({ known: signatures.size });
});

const upload = Buffer.alloc(64 * 1024, 7);
const headers = { 'content-type': 'application/octet-stream' };

drive({
  units: 20,
  async start() {
    return client(await listening(app.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { status } = await get(`/files/${i}`, { method: 'PUT', headers, body: upload });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
