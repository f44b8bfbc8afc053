'use strict';

// What Heapwarden adds to the resident set of a server that has served: pairs of the servers of bench/overhead, with it and without.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const { setTimeout: passed } = require('node:timers/promises');
const { REQUESTS } = require('../overhead/catalogue');
const { medianWithInterval } = require('../overhead/statistics');
const { WATCHERS } = require('../overhead/watchers');

const autocannon = createRequire(path.join(__dirname, '..', '..', 'package.json'))('autocannon');
const SERVER = path.join(__dirname, '..', 'overhead', 'server.js');
const AMOUNT = 20_000;
/** After the load: what was looked at when the program started has been given back, and V8 has tidied up. */
const REST_MS = 1500;

/** The kinds of resident memory of a process, in bytes. */
function residentOf(pid) {
  const status = fs.readFileSync(`/proc/${pid}/status`, 'utf8');
  const of = (name) => Number(new RegExp(`^${name}:\\s*(\\d+)`, 'm').exec(status)[1]) * 1024;
  return { all: of('VmRSS'), own: of('RssAnon') };
}

async function one(app, watcher, { node, directory }) {
  const { args = [], env } = WATCHERS[watcher];
  const server = fork(SERVER, [app, watcher], { execPath: node, execArgv: args, cwd: directory, env: { ...process.env, HEAPWARDEN_DIR: path.join(directory, 'evidence'), ...env?.() } });
  try {
    const [{ port }] = await once(server, 'message');
    const requests = REQUESTS[app].map(({ method, path: at, headers, body }) => ({ method, path: at, headers, body }));
    const { errors, non2xx } = await autocannon({ url: `http://127.0.0.1:${port}`, requests, connections: 32, amount: AMOUNT });
    if (errors + non2xx > 0) throw new Error(`${app} beside ${watcher}: ${errors + non2xx} requests failed`);
    await passed(REST_MS);
    return residentOf(server.pid);
  } finally {
    server.disconnect();
    if (server.exitCode === null) await once(server, 'exit');
  }
}

/** By app and watcher, `{ all, own }`: bytes more than bare, medians with intervals. */
async function resident({ pairs, apps = ['hello', 'api'], watchers = ['again', 'heapwarden', 'everything'], ...where }) {
  const rows = [];
  for (const app of apps) {
    const rounds = [];
    for (let i = 0; i < pairs; i++) {
      const round = {};
      // The order is turned: the first finds a colder machine.
      const names = ['off', ...watchers];
      for (const name of [...names.slice(i % names.length), ...names.slice(0, i % names.length)]) round[name] = await one(app, name, where);
      rounds.push(round);
    }
    const more = (name, kind) => medianWithInterval(rounds.map((round) => round[name][kind] - round.off[kind]));
    for (const watcher of watchers) rows.push({ app, watcher, all: more(watcher, 'all'), own: more(watcher, 'own') });
  }
  return rows;
}

module.exports = { resident };
