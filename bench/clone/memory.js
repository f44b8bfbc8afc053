'use strict';

// What a look at the heap takes of memory, the process and its clone together: node bench/clone/memory.js [--heaps 50,200,800]
//
// The proportional set size of both is read from outside, every quarter of a second (to read it stops the process for some milliseconds). Printed is the most there was above what the process had before.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');

const { values } = parseArgs({ options: { heaps: { type: 'string', default: '50,200,800' } } });
const WAYS = ['clone', 'summary', 'census', 'inline', 'v8'];
const MB = 1024;
const LOOK_MS = 250;

/** Kilobytes of a process and its children, what they share counted once. */
function memoryOf(pid) {
  try {
    const children = fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ').filter(Boolean);
    const one = (id) => Number(/^Pss:\s+(\d+)/m.exec(fs.readFileSync(`/proc/${id}/smaps_rollup`, 'utf8'))?.[1] ?? 0);
    return [pid, ...children].reduce((sum, id) => sum + one(id), 0);
  } catch {
    return 0; // It ended meanwhile.
  }
}

async function measure(heapMB, way) {
  const app = fork(path.join(__dirname, 'app.js'), [heapMB], { execArgv: ['--max-old-space-size=8192'] });
  const [{ orders }] = await once(app, 'message');
  const before = memoryOf(app.pid);
  let most = before;
  const watch = setInterval(() => { most = Math.max(most, memoryOf(app.pid)); }, LOOK_MS);
  const started = Date.now();
  app.send(way);
  const [{ longest, mode }] = await once(app, 'message');
  clearInterval(watch);
  app.disconnect();
  return { heapMB, orders, way, mode, beforeMB: Math.round(before / MB), aboveMB: Math.round((most - before) / MB), stopMs: Math.round(longest), tookMs: Date.now() - started };
}

async function main() {
  for (const heapMB of values.heaps.split(',')) {
    for (const way of WAYS) console.log(JSON.stringify(await measure(heapMB, way)));
  }
}

main().then(() => process.exit(0), (error) => {
  console.error(error.message);
  process.exit(1);
});
