'use strict';

// Requests by route, as Express, Fastify and plain servers have them, and the route that leaks.

const assert = require('node:assert');
const { once } = require('node:events');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const express = require('express');
const { nameRoute } = require('..');
const { routes, routeNote, withoutValues } = require('../lib/routes');
const { run, until } = require('./support');

const [major] = process.versions.node.split('.').map(Number);

/** Serves what `handler` is, and gives `ask(method, path)`. */
async function serving(t, handler) {
  const server = http.createServer(handler);
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => { server.closeAllConnections?.(); server.close(); });
  return asking(server.address().port);
}

const asking = (port) => (method, at) => new Promise((resolve, reject) => {
  http.request({ port, host: '127.0.0.1', method, path: at, agent: false }, (response) => response.resume().on('end', resolve)).on('error', reject).end();
});

/** What was counted by `work`, by route. */
async function counted(t, work) {
  routes.start();
  const before = new Map(routes.table().map(({ route, requests }) => [route, requests]));
  const now = () => Object.fromEntries(routes.table().map(({ route, requests }) => [route, requests - (before.get(route) ?? 0)]).filter(([, n]) => n > 0));
  try {
    const asked = await work();
    await until(() => Object.values(now()).reduce((a, b) => a + b, 0) >= asked, 'all to be counted');
    return now();
  } finally {
    routes.stop();
  }
}

test('Express: by pattern, wherever the router is mounted', async (t) => {
  const app = express();
  const users = express.Router({ mergeParams: true });
  users.get('/:id', (request, response) => response.end());
  users.post('/', (request, response) => response.end());
  app.use('/v1/users', users);
  app.use('/tenants/:tenant/users', users);
  app.get('/health', (request, response) => response.end());
  app.use('/files', (request, response) => response.end());
  const ask = await serving(t, app);
  const found = await counted(t, async () => {
    for (const [method, at] of [
      ['GET', '/v1/users/1'], ['GET', '/v1/users/2'], ['POST', '/v1/users'], ['GET', '/tenants/acme12/users/7'], ['GET', '/tenants/other34/users/8'],
      ['GET', '/health'], ['HEAD', '/health'], ['GET', '/files/secret.txt'], ['GET', '/nothing'],
    ]) await ask(method, at);
    return 9;
  });
  assert.deepEqual(found, {
    'GET /v1/users/:id': 2, 'POST /v1/users': 1, 'GET /tenants/:value/users/:id': 2, 'GET /health': 1, 'HEAD /health': 1, 'GET (no route)': 2,
  });
});

test('Fastify: by the route that it tells of', { skip: major < 20 && 'Fastify 5 needs Node 20' }, async (t) => {
  const app = require('fastify')();
  app.get('/users/:id', async () => ({}));
  await app.register(async (scope) => { scope.post('/orders', async () => ({})); }, { prefix: '/v2' });
  await app.listen({ port: 0, host: '127.0.0.1' });
  t.after(() => app.close());
  const ask = asking(app.server.address().port);
  const found = await counted(t, async () => {
    for (const [method, at] of [['GET', '/users/1'], ['GET', '/users/2?q=x'], ['POST', '/v2/orders']]) await ask(method, at);
    return 3;
  });
  assert.deepEqual(found, { 'GET /users/:id': 2, 'POST /v2/orders': 1 });
});

test('a plain server: by the name that it gives, the rest as no route', async (t) => {
  const ask = await serving(t, (request, response) => {
    if (request.url.startsWith('/plain/')) nameRoute(request, '/plain/:id');
    response.end();
  });
  const found = await counted(t, async () => {
    for (const at of ['/plain/1', '/plain/2', '/else']) await ask('GET', at);
    return 3;
  });
  assert.deepEqual(found, { 'GET /plain/:id': 2, 'GET (no route)': 1 });
  assert.throws(() => nameRoute(undefined, '/x'), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  assert.throws(() => nameRoute({}, ''), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
});

test('what nobody waits for any more is not counted, and nothing is where nobody counts', async (t) => {
  const ask = await serving(t, (request, response) => { if (request.url !== '/hang') response.end(); });
  const found = await counted(t, async () => {
    const request = http.request({ port: Number(new URL(`http://x:${await portOf(ask)}`).port) }).on('error', () => {});
    request.destroy();
    await ask('GET', '/a');
    return 1;
  });
  assert.equal(Object.values(found).reduce((a, b) => a + b, 0), 1);
  const before = routes.table();
  await ask('GET', '/a');
  assert.deepEqual(routes.table(), before);
});

/** Any port will do for a request that is destroyed before it connects. */
const portOf = async () => 9;

test('routes without end are one: in a process of its own, which is full of them', async () => {
  const script = `
    const http = require('node:http');
    const { routes, nameRoute } = require('./lib/routes');
    routes.start();
    const app = require('express')();
    for (let i = 0; i < 40; i++) { app.get('/fixed' + 'abcdefghijklmnopqrstuvwxyz'[i % 26] + '/' + 'abcdefghijklmnopqrstuvwxyz'[i % 26].repeat(1 + i / 26), (q, s) => s.end()); }
    const router = require('express').Router();
    router.get('/leaf', (q, s) => s.end());
    app.use('/t/:a', router);
    app.use((request, response) => { nameRoute(request, request.url); response.end(); });
    const server = http.createServer(app).listen(0, async () => {
      const ask = (path) => new Promise((resolve) => http.get({ port: server.address().port, path, agent: false }, (r) => r.resume().on('end', resolve)));
      for (let i = 0; i < 60; i++) await ask('/t/name' + String.fromCharCode(97 + i % 26) + String.fromCharCode(97 + i / 26) + '/leaf');
      for (let i = 0; i < 200; i++) await ask('/anything/' + i);
      const table = routes.table();
      console.log(JSON.stringify({ names: table.length, total: table.reduce((sum, { requests }) => sum + requests, 0), other: table.at(-1), leaf: table.filter(({ route }) => route.endsWith('/leaf')).length }));
      server.close(); server.closeAllConnections();
    });
  `;
  const { code, stdout, stderr } = await run(['-e', script]);
  assert.equal(code, 0, stderr);
  const { names, total, other, leaf } = JSON.parse(stdout);
  assert.equal(names, 65);
  assert.equal(total, 260, 'every one is counted somewhere');
  assert.equal(other.route, 'other');
  assert.ok(other.requests >= 100);
  assert.equal(leaf, 17, 'sixteen places, and one name for all further ones');
});

test('places of this request are no names', () => {
  assert.equal(withoutValues('/v2/tenants/42/users'), '/v2/tenants/:value/users');
  assert.equal(withoutValues('/api/ana@example.com'), '/api/:value');
  assert.equal(withoutValues('/api/aVeryLongSegmentThatIsNoName'), '/api/:value');
  assert.equal(withoutValues(''), '');
});

test('why no route is named is said in words', () => {
  const reason = (why) => routeNote({ floors: 3, leak: null, why })?.reason;
  const [first, second] = [routes.name(0), routes.name(1)];
  for (const [why, expected] of [
    [{ kind: 'floors', wanted: 24 }, 'too few collections beside requests: 3 of 24'],
    [{ kind: 'requests' }, 'no request was completed while floors were seen'],
    [{ kind: 'growth' }, 'the floor has not grown while requests were counted'],
    [{ kind: 'several' }, 'more than one route has a part in the growth'],
    [{ kind: 'none' }, 'no route explains most of the growth'],
    [{ kind: 'collinear', route: 0, with: null }, `requests of ${first} come as evenly as time passes: nothing tells them apart`],
    [{ kind: 'collinear', route: 0, with: 1 }, `requests of ${first} and of ${second} come together: nothing tells them apart`],
  ]) assert.equal(reason(why), expected);
});

test('the route that leaks is in the report', async () => {
  const found = await run([path.join(__dirname, 'fixtures', 'routed.js'), 'leak']);
  assert.equal(found.code, 0, found.stderr);
  const { routes: told, verdict } = JSON.parse(found.stdout);
  assert.equal(verdict, 'leak');
  assert.equal(told.leak?.route, 'GET /users/:id', JSON.stringify(told));
  const { bytesPerRequest, intervalBytesPerRequest: [least, most], share } = told.leak;
  // What an entry takes: an array of 125 doubles, its object, and its place in a Map.
  assert.ok(bytesPerRequest > 800 && bytesPerRequest < 1600, `${bytesPerRequest}`);
  assert.ok(least > 0 && least < bytesPerRequest && bytesPerRequest < most);
  assert.ok(share > 0.6 && share < 1.6);
  assert.match(found.stderr, /GET \/users\/:id leaks [\d,]+ bytes per request \(95 % interval [\d,]+ to [\d,]+; \d+ % of the growth\)/);
});

test('no route is named in the healthy twin', async () => {
  const { code, stdout, stderr } = await run([path.join(__dirname, 'fixtures', 'routed.js'), 'healthy']);
  assert.equal(code, 0, stderr);
  const { routes: told, verdict } = JSON.parse(stdout);
  assert.notEqual(verdict, 'leak');
  assert.equal(told.leak, null);
  assert.match(told.reason, /^(the floor has not grown|no route explains|too few collections)/);
  assert.deepEqual(told.counted.map(({ route }) => route).sort(), ['GET /health', 'GET /orders', 'GET /users/:id']);
});
