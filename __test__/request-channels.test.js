'use strict';

// What is counted of requests where there are thousands a second: a part of them, which stands for the whole.

const assert = require('node:assert');
const { channel } = require('node:diagnostics_channel');
const { once } = require('node:events');
const http = require('node:http');
const { test } = require('node:test');
const { setTimeout: passed } = require('node:timers/promises');
const { requestChannels } = require('../lib/request-channels');
const { requests } = require('../lib/requests');
const { routes } = require('../lib/routes');

const began = channel('http.server.request.start');
const ended = channel('http.server.response.finish');
const handled = channel('tracing:fastify.request.handler:start');

function begins(t) {
  requests.start();
  routes.start();
  const table = () => Object.fromEntries(routes.table().map(({ route, requests: n }) => [route, n]));
  const before = { count: requests.count, table: table() };
  t.after(() => { requests.stop(); routes.stop(); });
  return () => ({
    count: requests.count - before.count,
    of: (route) => (table()[route] ?? 0) - (before.table[route] ?? 0),
  });
}

/** Requests as Node and Fastify tell of them, some 20 000 a second; what there were of each kind, and how many a subscriber heard of. */
async function busy(ms) {
  const express = { path: '/shop/:id' };
  const server = {};
  const made = { all: 0, express: 0, fastify: 0, early: 0, heard: 0 };
  const slow = [];
  const finish = (request) => { if (ended.hasSubscribers) ended.publish({ request, server }); };
  const until = performance.now() + ms;
  for (let last = performance.now(); last < until;) {
    await passed(2);
    const now = performance.now();
    const many = Math.round((now - last) * 20);
    last = now;
    for (let i = 0; i < many; i++) {
      made.all += 1;
      const request = { method: 'GET', socket: { server } };
      if (began.hasSubscribers) {
        made.heard += 1;
        began.publish({ request, server });
      }
      if (i % 4 === 0) {
        // Its handler takes a tenth of a second: far longer than a window.
        made.fastify += 1;
        if (handled.hasSubscribers) handled.publish({ request: { raw: request }, route: { url: '/slow' } });
        slow.push({ request, at: now + 100 });
      } else if (i % 4 === 1) {
        // A hook answers, and no handler is called.
        made.early += 1;
        finish(request);
      } else {
        made.express += 1;
        request.route = express;
        request.baseUrl = '';
        finish(request);
      }
    }
    while (slow.length > 0 && slow[0].at <= now) finish(slow.shift().request);
  }
  return made;
}

const near = (found, wanted, what) => assert.ok(found > wanted * 0.75 && found < wanted * 1.3, `${what}: ${found}, and there were ${wanted}`);

test('of many requests a part is heard of, and stands for the whole, by route too', async (t) => {
  const found = begins(t);
  const made = await busy(4000);
  assert.ok(requestChannels.isPaced);
  // After a second in which all are, some thousand each second.
  assert.ok(made.heard < made.all / 3, `${made.heard} of ${made.all} were heard of`);
  const { count, of } = found();
  near(count, made.all, 'all');
  near(of('GET /shop/:id'), made.express, 'Express');
  near(of('GET /slow'), made.fastify, 'Fastify, slow');
  near(of('GET (no route)'), made.early, 'answered by a hook');
});

test('when they are few again each is counted', async (t) => {
  begins(t);
  await busy(1200);
  for (let i = 0; requestChannels.isPaced; i++) {
    assert.ok(i < 200, 'still paced');
    await passed(20);
  }
  const server = http.createServer((request, response) => response.end());
  await once(server.listen(0, '127.0.0.1'), 'listening');
  t.after(() => server.close());
  const before = { count: requests.count, routes: routes.table().reduce((sum, { requests: n }) => sum + n, 0) };
  for (let i = 0; i < 50; i++) {
    await new Promise((resolve, reject) => {
      http.get({ port: server.address().port, host: '127.0.0.1', agent: false }, (response) => response.resume().on('end', resolve)).on('error', reject);
    });
  }
  await passed(50);
  assert.equal(requests.count - before.count, 50);
  assert.equal(routes.table().reduce((sum, { requests: n }) => sum + n, 0) - before.routes, 50);
});

test('where samples are close all are heard of', async (t) => {
  requests.start(100);
  t.after(() => requests.stop(100));
  const before = requests.count;
  const made = await busy(1500);
  assert.equal(requestChannels.isPaced, false);
  assert.deepEqual([made.heard, requests.count - before], [made.all, made.all]);
});

test('whoever stops while requests are many leaves nothing behind', async () => {
  for (const wait of [0, 13, 40, 111]) {
    requests.start();
    routes.start();
    await busy(600);
    await passed(wait);
    requests.stop();
    routes.stop();
    assert.equal(requestChannels.isPaced, false);
    for (const one of [began, ended, handled]) assert.equal(one.hasSubscribers, false, one.name);
  }
});
