'use strict';

const express = require('express');

class RequestRecord {
  constructor(req) {
    this.method = req.method;
    this.url = req.originalUrl;
    this.headers = { ...req.headers };
  }
}

/** A service that knows which requests it is answering. With `forgets: false` it never finds out that it is done. */
function createApp({ forgets = true } = {}) {
  const requestsById = new Map();
  let nextId = 0;
  const app = express();
  app.use((req, res, next) => {
    const id = ++nextId;
    requestsById.set(id, new RequestRecord(req));
    if (forgets) res.on('close', () => requestsById.delete(id));
    next();
  });
  app.get('/users/:id', (req, res) => {
    res.json({ id: req.params.id, underWay: requestsById.size });
  });
  return app;
}

module.exports = { createApp };
