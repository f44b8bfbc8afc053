'use strict';

const http = require('node:http');

test('starts an interval and a server, and stops neither', (done) => {
  setInterval(() => {}, 60_000);
  const server = http.createServer().listen(0, '127.0.0.1', done);
  expect(server).toBeDefined();
});
