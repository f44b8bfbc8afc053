'use strict';

// What is done with Heapwarden beside the service, once a cycle by turns: every way of looking at the heap.

const fs = require('node:fs');
const path = require('node:path');
const heapwarden = require('../..');
const { monitorOr } = require('../../lib/running');

const directory = process.env.HEAPWARDEN_DIR;
const TOKEN = process.env.HEAPWARDEN_TOKEN;

async function mount(app, without) {
  if (!without.has('endpoints')) await app.register(require('../../lib/plugins/fastify'), { prefix: '/_heap', token: TOKEN, capturesPerMinute: 600 });
  if (!without.has('auditor')) {
    const auditor = new heapwarden.ListenerAuditor({ intervalMs: monitorOr().options?.intervalMs ?? 5000 });
    auditor.watch(app.server, 'the server');
    auditor.start();
  }
}

const captures = {
  async summary() {
    return heapwarden.captureSummary();
  },
  async snapshot() {
    return heapwarden.writeSnapshot({ directory, compress: 'gzip', maxFiles: 3 });
  },
  async census() {
    return heapwarden.captureCensus();
  },
  async listeners() {
    return heapwarden.auditListeners();
  },
  /** The record of the process's life so far, over the one before. */
  async series() {
    await monitorOr().exportSeries({ path: path.join(directory, 'series.jsonl') });
    return {};
  },
};

const actions = {
  async capture(kind) {
    const { mode, reason, pauseMs } = await captures[kind]();
    return { kind, mode, reason, pauseMs };
  },
  /** What the monitor inside thinks, and the files that there are. */
  verdict() {
    const files = fs.readdirSync(directory).sort();
    return { verdict: monitorOr().verdict(), samples: monitorOr().report().length, files };
  },
};

module.exports = { mount, actions, CAPTURES: Object.keys(captures) };
