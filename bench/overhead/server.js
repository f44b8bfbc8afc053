'use strict';

// One of the two apps with one of the watchers beside it: node server.js hello|api WATCHER. Tells its port over IPC, and its figures when asked.

const { quote } = require('./catalogue');
const { WATCHERS } = require('./watchers');

const [app, watcher] = process.argv.slice(2);
const { mount, counts } = WATCHERS[watcher].start?.() ?? {};

const APPS = {
  /** Fastify, and next to nothing to do: what stands beside a request shows most here. */
  async hello() {
    const fastify = require('fastify')();
    await mount?.fastify(fastify);
    fastify.get('/', async () => ({ hello: 'world' }));
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    return fastify.server;
  },
  /** Express: 2 KB of JSON are parsed, 50 goods looked up, priced and sorted, and 10 KB of JSON written. */
  async api() {
    const express = require('express');
    const service = express();
    service.disable('x-powered-by');
    service.disable('etag');
    mount?.express(service);
    service.use(express.json());
    service.post('/quotes/:id', (request, response) => response.json(quote(request.body)));
    return new Promise((resolve) => { const server = service.listen(0, '127.0.0.1', () => resolve(server)); });
  },
};

process.on('message', () => {
  const { user, system } = process.cpuUsage();
  process.send({ cpuMs: (user + system) / 1000, rss: process.memoryUsage.rss(), ...counts?.() });
});
process.on('disconnect', () => process.exit());

APPS[app]().then((server) => process.send({ port: server.address().port }));
