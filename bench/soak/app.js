'use strict';

// The service that is soaked: node app.js, with IPC. The same program runs with Heapwarden beside it and without (`SOAK_BESIDE`). It does what its parent
// says, once each cycle, and tells its figures without garbage when asked.

const { EventEmitter, once } = require('node:events');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const { pipeline } = require('node:stream');
const v8 = require('node:v8');
const { Worker } = require('node:worker_threads');
const zlib = require('node:zlib');
const { quote } = require('../overhead/catalogue');
const { leaks } = require('./leaks');

const fastify = createRequire(path.join(__dirname, '..', '..', 'package.json'))('fastify')();

const isBeside = process.env.SOAK_BESIDE !== undefined;
const leak = leaks[process.env.SOAK_LEAK];
const without = new Set((process.env.SOAK_WITHOUT ?? '').split(','));
const SESSIONS = 500;
const BATCH = 200_000;

/** Sessions of those who asked last. */
const sessions = new Map();
const bus = new EventEmitter();
const script = path.join(__dirname, 'worker.js');

fastify.post('/quotes/:id', async (request) => {
  leak?.();
  return quote(request.body);
});

fastify.get('/sessions/:id', async (request) => {
  const { id } = request.params;
  const session = sessions.get(id) ?? { id, visits: 0, seen: [] };
  sessions.delete(id);
  session.visits += 1;
  session.seen = [...session.seen.slice(-9), { at: Date.now(), agent: request.headers['user-agent'] ?? '' }];
  sessions.set(id, session);
  if (sessions.size > SESSIONS) sessions.delete(sessions.keys().next().value);
  return { id, visits: session.visits };
});

fastify.get('/events/:id', async (request) => {
  const name = `done-${request.params.id}`;
  const signal = AbortSignal.timeout(5000);
  setTimeout(() => bus.emit(name, request.params.id), 2);
  const [id] = await once(bus, name, { signal });
  return { id };
});

fastify.get('/files/:id', (request, reply) => {
  reply.header('content-encoding', 'gzip').type('text/plain');
  const gzip = zlib.createGzip();
  // Not `pipe`: a file whose reader goes away would stay open.
  pipeline(fs.createReadStream(script), gzip, () => {});
  return reply.send(gzip);
});

/** What is done once a cycle. */
const actions = {
  /** Threads come and go: of two, one ends by itself and one is ended. */
  async workers() {
    const [ending, ended] = [new Worker(script), new Worker(script, { workerData: { isEndless: true } })];
    const both = Promise.all([once(ending, 'exit'), once(ended, 'exit')]);
    await Promise.all([once(ending, 'message'), once(ended, 'message')]);
    await ended.terminate();
    await both;
  },
  /** A batch that is held for a while, and crosses the threshold of an alert. */
  async batch(ms) {
    const held = Array.from({ length: BATCH }, (_, at) => ({ at, text: `row ${at}`, values: [at, at / 7] }));
    await new Promise((resolve) => { setTimeout(resolve, ms); });
    return held.length;
  },
  figures,
  ...(isBeside && require('./beside').actions),
};

/** What the process uses, without garbage. */
async function figures() {
  for (let n = 0; n < 3; n++) {
    global.gc();
    // What ends in finalizers needs a turn.
    await new Promise((resolve) => { setImmediate(resolve); });
  }
  const { heapUsed, heapTotal, external, arrayBuffers, rss } = process.memoryUsage();
  const resources = {};
  for (const name of process.getActiveResourcesInfo()) resources[name] = (resources[name] ?? 0) + 1;
  const { code_and_metadata_size: code, bytecode_and_metadata_size: bytecode } = v8.getHeapCodeStatistics();
  return { heapUsed, heapObjects: heapUsed - code - bytecode, heapTotal, external, arrayBuffers, rss, resources };
}

process.on('message', async ({ number, action, args }) => {
  try {
    process.send({ number, result: await actions[action](...args) });
  } catch (error) {
    process.send({ number, error: `${action}: ${error.stack}` });
  }
});
process.on('disconnect', () => process.exit());

async function main() {
  if (isBeside) await require('./beside').mount(fastify, without);
  await fastify.listen({ port: 0, host: '127.0.0.1' });
  process.send({ port: fastify.server.address().port });
}

main();
