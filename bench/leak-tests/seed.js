'use strict';

// Two leak tests side by side on the same services: 1000 requests through supertest with an allowance of 5 MB, as it is often written, and
// inspectLeaks. One process for each service and test.
//
//   node bench/leak-tests/seed.js

const { execFileSync } = require('node:child_process');
const { createRequire } = require('node:module');
const path = require('node:path');

const REQUESTS = 1000;
const ALLOWED = 5 * 1024 * 1024;

/** As found in many repositories. */
async function seed(call) {
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  for (let i = 0; i < REQUESTS; i++) await call();
  globalThis.gc();
  const grown = process.memoryUsage().heapUsed - before;
  return { fails: grown > ALLOWED, says: `${(grown / 2 ** 20).toFixed(1)} MB more` };
}

async function ours(call) {
  const { inspectLeaks } = require('../..');
  const { leaked, message, durationMs, callsMs } = await inspectLeaks(call, { iterations: REQUESTS });
  return { fails: leaked, says: message.split('\n')[0], beyondMs: Math.round(durationMs - callsMs) };
}

async function child(way, at) {
  const { apps } = requireApps();
  const request = createRequire(path.join(__dirname, 'package.json'))('supertest');
  const app = apps[at].create();
  const result = await { seed, ours }[way](() => request(app).get('/users/7').expect(200));
  process.stdout.write(JSON.stringify(result));
  process.exit(0);
}

function requireApps() {
  return require('./apps');
}

function main() {
  const { installed } = require('../install');
  installed(__dirname);
  const run = (way, at) => JSON.parse(execFileSync(process.execPath, ['--expose-gc', __filename, way, `${at}`], { encoding: 'utf8' }));
  for (const [at, { name, leaks }] of requireApps().apps.entries()) {
    const [old, now] = ['seed', 'ours'].map((way) => run(way, at));
    const right = (result) => (result.fails === leaks ? 'right' : 'WRONG');
    console.log(`${leaks ? 'leaks' : 'fine '}  ${name}`);
    console.log(`         5 MB allowance  ${old.fails ? 'fails ' : 'passes'} ${right(old)}  ${old.says}`);
    console.log(`         inspectLeaks    ${now.fails ? 'fails ' : 'passes'} ${right(now)}  ${now.says}  (${now.beyondMs} ms beyond the calls)`);
  }
}

if (process.argv.length > 2) child(process.argv[2], Number(process.argv[3]));
else main();
