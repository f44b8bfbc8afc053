'use strict';

// One of the two apps, in which Heapwarden is switched on and off: node turns-server.js hello|api. Tells its port over IPC, and its figures.

const { quote } = require('./catalogue');
const { MemoryMonitor, ListenerAuditor } = require('../..');

const [app, directory] = process.argv.slice(2);
const TOKEN = 'overhead-bench-0123456789abcdef';

let answered = 0;
/** What each part is: options of a monitor beside the least, and whether the auditor runs. */
const LEAST = { blackBox: false, routes: false, listeners: false, allocationSites: false, containerWatch: false };
const EVERYTHING = { blackBox: true, routes: true, listeners: true, allocationSites: true, containerWatch: true };
const PARTS = {
  everything: { monitor: EVERYTHING, auditor: true },
  defaults: { monitor: {} },
  least: { monitor: LEAST },
  routes: { monitor: { ...LEAST, routes: true } },
  blackBox: { monitor: { ...LEAST, blackBox: true } },
  listeners: { monitor: { ...LEAST, listeners: true } },
  containerWatch: { monitor: { ...LEAST, containerWatch: true } },
  auditor: { auditor: true },
};

// Without the look at recordings of those who died, which each start here would have and a program has once.
const auditor = new ListenerAuditor();
const monitors = new Map(Object.entries(PARTS).filter(([, { monitor }]) => monitor)
  .map(([name, { monitor }]) => [name, new MemoryMonitor({ directory, postmortem: false, ...monitor })]));
const monitor = monitors.get('everything');
let isOn;

const APPS = {
  async hello() {
    const fastify = require('fastify')();
    await fastify.register(require('../../lib/plugins/fastify'), { prefix: '/_heap', token: TOKEN, monitor });
    fastify.get('/', async () => {
      answered += 1;
      return { hello: 'world' };
    });
    await fastify.listen({ port: 0, host: '127.0.0.1' });
    return fastify.server;
  },
  async api() {
    const express = require('express');
    const service = express();
    service.disable('x-powered-by');
    service.disable('etag');
    service.use('/_heap', require('../../lib/plugins/express').heapwarden({ token: TOKEN, monitor }));
    service.use(express.json());
    service.post('/quotes/:id', (request, response) => {
      answered += 1;
      response.json(quote(request.body));
    });
    return new Promise((resolve) => { const server = service.listen(0, '127.0.0.1', () => resolve(server)); });
  },
};

function switchTo(part) {
  monitors.get(isOn)?.stop();
  if (PARTS[isOn]?.auditor) auditor.stop();
  isOn = part;
  monitors.get(isOn)?.start();
  if (PARTS[isOn]?.auditor) auditor.start();
}

process.on('message', ({ part }) => {
  if (part !== undefined) switchTo(part);
  const { user, system } = process.cpuUsage();
  process.send({ answered, cpuUs: user + system, atMs: performance.now() });
});
process.on('disconnect', () => process.exit());

APPS[app]().then((server) => process.send({ port: server.address().port }));
