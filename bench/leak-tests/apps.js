'use strict';

// Small Express services, five that leak and three that do not, for comparing ways to test for leaks.

const { EventEmitter } = require('node:events');
const { createRequire } = require('node:module');
const path = require('node:path');

const express = createRequire(path.join(__dirname, 'package.json'))('express');

/** `{ name, leaks, create }`; `create()` gives an app with a state of its own. */
const apps = [];
const add = (name, leaks, create) => apps.push({ name, leaks, create });

function answering(handle) {
  const app = express();
  app.get('/users/:id', (req, res) => {
    handle(req, res);
    res.json({ id: req.params.id });
  });
  return app;
}

add('a record of each request in a Map, 1 KB', true, () => {
  class RequestRecord { constructor(req) { this.url = req.url; this.body = 'x'.repeat(1000).split('').join(''); } }
  const records = new Map();
  return answering((req) => { records.set(records.size, new RequestRecord(req)); });
});

add('a listener for each request', true, () => {
  const bus = new EventEmitter().setMaxListeners(0);
  return answering((req) => { bus.on('shutdown', function onShutdown() { return req.url; }); });
});

add('a small object for one request in ten', true, () => {
  class Failure { constructor(url) { this.url = url; } }
  const failures = [];
  let requests = 0;
  return answering((req) => { if (requests++ % 10 === 0) failures.push(new Failure(req.url)); });
});

add('a buffer of 16 KB for each request', true, () => {
  const uploads = [];
  return answering(() => { uploads.push(Buffer.alloc(16 * 1024)); });
});

add('a log line for each request in one string', true, () => {
  const log = { text: '' };
  return answering((req) => { log.text += `${req.method} ${req.url} 200\n`; });
});

add('nothing', false, () => answering(() => {}));

add('a lazy cache of 12 MB', false, () => {
  let table;
  return answering(() => { table ??= Array.from({ length: 100_000 }, (_, id) => ({ id, name: `city ${id}`, at: [id, id] })); });
});

add('an LRU cache of 200 pages of 40 KB', false, () => {
  const pages = new Map();
  let requests = 0;
  return answering(() => {
    pages.set(requests++, { html: Array.from({ length: 5000 }, (_, i) => i * requests) });
    if (pages.size > 200) pages.delete(pages.keys().next().value);
  });
});

module.exports = { apps };
