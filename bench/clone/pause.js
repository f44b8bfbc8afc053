'use strict';

// How long a service stands still for a snapshot, and whether its clients notice: node bench/clone/pause.js [--heap-mb 200] [--runs 10]
//
// An Express app under load by autocannon takes snapshots by turns: in a clone of the process, and by v8.writeHeapSnapshot. The pause is the
// longest time between two turns of its event loop. Ends with 1 where the median of the clone's pauses is more than a fiftieth of
// v8.writeHeapSnapshot's, or a request failed.

const assert = require('node:assert');
const { fork } = require('node:child_process');
const { once } = require('node:events');
const { createRequire } = require('node:module');
const path = require('node:path');
const { parseArgs } = require('node:util');

const autocannon = createRequire(path.join(__dirname, '..', '..', 'package.json'))('autocannon');

const { values } = parseArgs({ options: { 'heap-mb': { type: 'string', default: '200' }, runs: { type: 'string', default: '10' } } });

const median = (numbers) => [...numbers].sort((a, b) => a - b)[Math.floor(numbers.length / 2)];

async function main() {
  const app = fork(path.join(__dirname, 'app.js'), [values['heap-mb']], { execArgv: ['--max-old-space-size=4096'] });
  const [{ port, orders }] = await once(app, 'message');
  const load = autocannon({ url: `http://127.0.0.1:${port}/orders/7`, connections: 10, duration: 3600, timeout: 120 });
  const pauses = { clone: [], v8: [] };
  const modes = {};
  for (let run = 0; run < Number(values.runs); run++) {
    for (const way of Object.keys(pauses)) {
      await new Promise((resolve) => { setTimeout(resolve, 500); });
      app.send(way);
      const [{ longest, mode }] = await once(app, 'message');
      pauses[way].push(longest);
      modes[mode] = (modes[mode] ?? 0) + 1;
    }
  }
  load.stop();
  const { requests, errors, timeouts, non2xx } = await load;
  app.disconnect();
  const [clone, v8] = [median(pauses.clone), median(pauses.v8)];
  console.log(JSON.stringify({
    node: process.version, heapMB: Number(values['heap-mb']), orders, modes,
    cloneMs: { median: clone, most: Math.max(...pauses.clone) }, v8Ms: { median: v8, most: Math.max(...pauses.v8) },
    ratio: clone / v8, requests: requests.total, errors, timeouts, non2xx,
  }));
  assert.deepEqual([errors, timeouts, non2xx], [0, 0, 0]);
  assert.ok(clone <= 0.02 * v8, `a clone stops the process for ${clone / v8} of v8.writeHeapSnapshot's time`);
}

main().then(() => process.exit(0), (error) => {
  console.error(error.message);
  process.exit(1);
});
