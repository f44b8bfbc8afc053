'use strict';

// What is counted of requests where there are thousands a second: a part of them, which stands for the whole.

const assert = require('node:assert');
const { AsyncResource } = require('node:async_hooks');
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

/** Between two samples: short enough for a window every other second. */
const INTERVAL_MS = 3000;

function begins(t) {
  requests.start(INTERVAL_MS);
  routes.start();
  const table = () => Object.fromEntries(routes.table().map(({ route, requests: n }) => [route, n]));
  const before = { count: requests.count, table: table() };
  t.after(() => { requests.stop(INTERVAL_MS); routes.stop(); });
  return () => ({
    count: requests.count - before.count,
    of: (route) => (table()[route] ?? 0) - (before.table[route] ?? 0),
  });
}

/** Requests as Node and Fastify tell of them, `perMs` a millisecond (20); what there were of each kind, and how many a subscriber heard of. */
async function busy(ms, perMs = 20) {
  const express = { path: '/shop/:id' };
  const server = {};
  const made = { all: 0, express: 0, fastify: 0, early: 0, heard: 0 };
  const slow = [];
  const finish = (request) => { if (ended.hasSubscribers) ended.publish({ request, server }); };
  const until = performance.now() + ms;
  for (let last = performance.now(); last < until;) {
    await passed(2);
    const now = performance.now();
    const many = Math.round((now - last) * perMs);
    last = now;
    for (let i = 0; i < many; i++) {
      made.all += 1;
      // Node's parser takes one, and so does most of what a request does.
      for (let ids = 0; ids < 3; ids++) new AsyncResource('REQUEST');
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
  const made = await busy(6000);
  assert.ok(requestChannels.isPaced);
  // After half a second in which all are, in a window of 50 ms every other second.
  assert.ok(made.heard < made.all / 5, `${made.heard} of ${made.all} were heard of`);
  const { count, of } = found();
  near(count, made.all, 'all');
  near(of('GET /shop/:id'), made.express, 'Express');
  near(of('GET /slow'), made.fastify, 'Fastify, slow');
  near(of('GET (no route)'), made.early, 'answered by a hook');
});

test('what happens between two windows is told by the async ids that it takes', async (t) => {
  const found = begins(t);
  const made = await busy(1000);
  assert.ok(requestChannels.isPaced);
  near(found().count, made.all, 'after the first second');
  // Until the first window is over nobody comes; a count that went by the clock would have as many again.
  await passed(1000);
  near(found().count, made.all, 'after a pause');
  const more = await busy(800, 40);
  assert.equal(more.heard < more.all / 4, true, `${more.heard} of ${more.all} were heard of`);
  near(found().count, made.all + more.all, 'after twice as many');
});

test('when they are few again each is counted', async (t) => {
  begins(t);
  await busy(1200);
  for (let i = 0; requestChannels.isPaced; i++) {
    assert.ok(i < 300, 'still paced');
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
  // In the first second, in a gap, in a window, in the next gap.
  for (const ms of [300, 900, 2560, 2700]) {
    requests.start(INTERVAL_MS);
    routes.start();
    await busy(ms);
    requests.stop(INTERVAL_MS);
    routes.stop();
    assert.equal(requestChannels.isPaced, false);
    for (const one of [began, ended, handled]) assert.equal(one.hasSubscribers, false, one.name);
  }
});
