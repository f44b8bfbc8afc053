'use strict';

// What may stand beside a server. `args` are given to Node; `start` runs in the server's process before it listens, and gives
// `{ mount, counts }` where there is something to mount or to count.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const os = require('node:os');
const path = require('node:path');

/** What is installed for this bench alone. */
const requireRival = createRequire(path.join(__dirname, 'package.json'));
const ROOT = path.resolve(__dirname, '..', '..');
const REGISTER = ['--require', path.join(ROOT, 'lib', 'register.js')];
const TOKEN = 'overhead-bench-0123456789abcdef';
/** How far apart profiles are that the profiler of allocations is asked for, as an agent does. */
const PROFILE_MS = 60_000;

/** What a monitor has done so far, so that a row tells what its load was measured beside. */
function countsOf() {
  const monitor = require(path.join(ROOT, 'lib', 'running.js')).monitorOr();
  const { renderMetrics } = require(path.join(ROOT, 'lib', 'metrics', 'prometheus.js'));
  const sum = (text, name) => text.split('\n').filter((line) => line.startsWith(`${name}{`)).reduce((total, line) => total + Number(line.split(' ')[1]), 0);
  return () => {
    const { text } = renderMetrics({ monitor });
    return { samples: sum(text, 'heapwarden_samples_total'), looks: sum(text, 'heapwarden_captures_total') };
  };
}

const WATCHERS = {
  off: { what: 'nothing' },
  again: { what: 'nothing, once more: what two equal runs differ by' },
  heapwarden: {
    what: 'heapwarden/register with its defaults',
    args: REGISTER,
    start: () => ({ counts: countsOf() }),
  },
  everything: {
    what: 'heapwarden/register with everything on: endpoints, metrics scraped, routes, a listener auditor, the black box, allocation sites at a suspicion',
    args: REGISTER,
    env: () => ({ HEAPWARDEN_DIR: fs.mkdtempSync(path.join(os.tmpdir(), 'overhead-')), HEAPWARDEN_ALLOCATION_SITES: '1', HEAPWARDEN_BLACK_BOX: 'on' }),
    scrape: { path: '/_heap/metrics', headers: { authorization: `Bearer ${TOKEN}` }, holds: 'heapwarden_samples_total' },
    start() {
      const { ListenerAuditor } = require(ROOT);
      new ListenerAuditor().start();
      return {
        counts: countsOf(),
        mount: {
          express: (app) => app.use('/_heap', require(path.join(ROOT, 'lib', 'plugins', 'express.js')).heapwarden({ token: TOKEN })),
          fastify: (app) => app.register(require(path.join(ROOT, 'lib', 'plugins', 'fastify.js')), { prefix: '/_heap', token: TOKEN }),
        },
      };
    },
  },
  every1s: {
    what: 'heapwarden/register with a sample each second instead of each half minute',
    args: REGISTER,
    env: () => ({ HEAPWARDEN_INTERVAL_MS: '1000' }),
    start: () => ({ counts: countsOf() }),
  },
  'prom-client': {
    what: "prom-client's default metrics, scraped",
    scrape: { path: '/metrics', headers: {}, holds: 'process_cpu_seconds_total' },
    start() {
      const { collectDefaultMetrics, register } = require('prom-client');
      collectDefaultMetrics();
      return {
        mount: {
          express: (app) => app.get('/metrics', async (request, response) => response.type(register.contentType).send(await register.metrics())),
          fastify: (app) => app.get('/metrics', async (request, reply) => reply.type(register.contentType).send(await register.metrics())),
        },
      };
    },
  },
  'datadog-heap': {
    what: "@datadog/pprof's heap profiler, 512 KiB between samples, 64 frames, a profile a minute",
    start() {
      const { heap } = requireRival('@datadog/pprof');
      heap.start(512 * 1024, 64);
      setInterval(() => heap.profile(), PROFILE_MS).unref();
      return {};
    },
  },
  memoryUsage: {
    what: 'process.memoryUsage() each second',
    start() {
      const readings = [];
      setInterval(() => {
        readings.push(process.memoryUsage());
        if (readings.length > 60) readings.shift();
      }, 1000).unref();
      return {};
    },
  },
};

/** Those of the table; the others are run where `--only` names them. */
const USUAL = ['again', 'heapwarden', 'everything', 'prom-client', 'datadog-heap', 'memoryUsage'];

module.exports = { USUAL, WATCHERS };
