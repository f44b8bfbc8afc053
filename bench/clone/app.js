'use strict';

// The service that the benchmarks of the clone look at: an Express app with a heap of about `--heap-mb` megabytes, that takes a snapshot
// when its parent says so and answers with how long its event loop stood still.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const os = require('node:os');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const v8 = require('node:v8');
const { captureCensus, captureSummary, writeSnapshot } = require('../..');

const express = createRequire(path.join(__dirname, '..', '..', 'package.json'))('express');

const heapMB = Number(process.argv[2]);
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-bench-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));

/** Orders with their lines and texts: some 900 bytes in 14 nodes each. */
const orders = new Map();
for (let id = 0; v8.getHeapStatistics().used_heap_size < heapMB * 2 ** 20; id++) {
  orders.set(id, {
    id, customer: `customer ${id}`, at: new Date(id * 1000),
    lines: Array.from({ length: 3 }, (_, n) => ({ article: `article ${id}-${n}`, count: n, price: id / 7 })),
  });
}

const app = express();
app.get('/orders/:id', (request, response) => {
  const { customer, lines } = orders.get(Number(request.params.id) % orders.size);
  response.json({ customer, lines, total: lines.reduce((sum, { count, price }) => sum + count * price, 0) });
});

/** The longest time between two turns of the event loop while `work` is done, from its call on. */
async function longestStop(work) {
  let last = performance.now();
  let longest = 0;
  let running = true;
  const turn = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
    if (running) setImmediate(turn);
  };
  const result = work();
  turn();
  await result;
  running = false;
  turn();
  return { longest, result: await result };
}

const ways = {
  clone: () => writeSnapshot({ directory, mode: 'clone' }),
  inline: () => writeSnapshot({ directory, mode: 'inline' }),
  census: () => captureCensus({ mode: 'clone' }),
  summary: () => captureSummary({ mode: 'clone' }),
  v8: async () => {
    v8.writeHeapSnapshot(path.join(directory, 'v8.heapsnapshot'));
    return { mode: 'v8' };
  },
};

// A client that waits for a process that stands still for seconds is not to be dropped for it.
const server = app.listen(0, '127.0.0.1', () => process.send({ port: server.address().port, orders: orders.size }));
server.keepAliveTimeout = 300_000;
server.requestTimeout = 0;
server.headersTimeout = 0;
process.on('message', async (way) => {
  const { longest, result } = await longestStop(ways[way]);
  for (const name of fs.readdirSync(directory)) fs.rmSync(path.join(directory, name));
  process.send({ way, longest, mode: result.mode, reason: result.reason ?? null, pauseMs: result.pauseMs ?? longest });
});
process.on('disconnect', () => process.exit());
