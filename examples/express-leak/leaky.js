'use strict';

// A service that remembers every request and forgets none.

const express = require('express');

class RequestRecord {
  constructor(req) {
    this.method = req.method;
    this.url = req.originalUrl;
    this.headers = { ...req.headers };
    this.query = req.query;
    this.receivedAt = new Date();
  }
}

const requestsById = new Map();
let nextId = 0;

function rememberRequest(req, res, next) {
  req.id = ++nextId;
  requestsById.set(req.id, new RequestRecord(req));
  next();
}

const app = express();
app.use(rememberRequest);
app.get('/users/:id', (req, res) => {
  const friends = Array.from({ length: 20 }, (_, i) => ({ id: i, name: `user ${i} of ${req.params.id}` }));
  res.json({ id: req.params.id, request: req.id, friends });
});

const server = app.listen(Number(process.env.PORT || 0), '127.0.0.1', () => {
  console.log(`listening on ${server.address().port}`);
});
