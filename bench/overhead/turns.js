'use strict';

// What Heapwarden with everything on costs a server's throughput, to a hundredth or less: node bench/overhead/turns.js [--rounds 60]
//   [--seconds 1] [--apps hello,api] [--connections 32] [--pipelining 10] [--node PATH] [--json FILE]
//
// Two processes that do the same differ by several hundredths in how fast they are, by where their code and data happen to lie. So here it is one
// process, under load all the time, in which Heapwarden is started and stopped by turns. A round is a turn with it and two without, in an order
// drawn anew; a pair is a turn with it, or the second without (`again`), and the first without. What is told is the median over the pairs.
// What is only there, loaded and stopped, is in both turns of a pair: that is for run.js.

const { fork, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: passed } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const { seeded } = require('../snapshots/random');
const { medianWithInterval, shuffled } = require('./statistics');

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' }, seconds: { type: 'string', default: '1' }, apps: { type: 'string', default: 'hello,api' },
    connections: { type: 'string', default: '32' }, pipelining: { type: 'string', default: '10' }, node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
  },
});

const WARM_UP_MS = 5000;
/** After each switch: functions that have changed are compiled anew. */
const SETTLE_MS = 500;
const SCRAPE_EVERY = 5;

const isPinned = os.cpus().length >= 2 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;

function start(core, script, args) {
  const [execPath, ...execArgv] = [...(isPinned ? ['taskset', '-c', String(core)] : []), values.node];
  return fork(path.join(__dirname, script), args, { execPath, execArgv, stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
}

const ask = async (server, what) => {
  server.send(what);
  return (await once(server, 'message'))[0];
};

/** Reads the metrics, as a scraper would. */
const scrape = (port) => new Promise((resolve, reject) => {
  const headers = { authorization: 'Bearer overhead-bench-0123456789abcdef' };
  http.get({ host: '127.0.0.1', port, path: '/_heap/metrics', headers, agent: false }, (response) => {
    if (response.statusCode !== 200) reject(new Error(`the metrics were answered ${response.statusCode}`));
    response.resume().on('end', resolve);
  }).on('error', reject);
});

async function turn(server, port, isOn, scrapes) {
  await ask(server, isOn ? 'on' : 'off');
  await passed(SETTLE_MS);
  const before = await ask(server, 'figures');
  if (scrapes) await scrape(port);
  await passed(Number(values.seconds) * 1000);
  const after = await ask(server, 'figures');
  const answered = after.answered - before.answered;
  if (answered === 0) throw new Error('no request was answered');
  return { perSecond: (answered * 1000) / (after.atMs - before.atMs), cpuUs: (after.cpuUs - before.cpuUs) / answered };
}

async function measure(app, random) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'overhead-turns-'));
  const server = start(0, 'turns-server.js', [app, directory]);
  try {
    const [{ port }] = await once(server, 'message');
    const load = start(1, 'load.js', [port, app, 100_000, values.connections, 0, values.pipelining]);
    await passed(WARM_UP_MS);
    const rounds = [];
    for (let i = 0; i < Number(values.rounds); i++) {
      const round = {};
      for (const name of shuffled(['off', 'again', 'on'], random)) round[name] = await turn(server, port, name === 'on', name === 'on' && i % SCRAPE_EVERY === 0);
      rounds.push(round);
      process.stderr.write(`\r${app} ${i + 1}/${values.rounds}`);
    }
    process.stderr.write('\n');
    load.kill();
    return rounds;
  } finally {
    server.disconnect();
    await once(server, 'exit');
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function row(app, rounds) {
  const of = (name, key) => medianWithInterval(rounds.map((round) => round[name][key] / round.off[key]));
  return {
    app, rounds: rounds.length,
    perSecond: medianWithInterval(rounds.map(({ off }) => off.perSecond)).value, cpuUs: medianWithInterval(rounds.map(({ off }) => off.cpuUs)).value,
    throughput: { on: of('on', 'perSecond'), again: of('again', 'perSecond') }, cpu: { on: of('on', 'cpuUs'), again: of('again', 'cpuUs') },
  };
}

const told = ({ value, low, high }) => `${value.toFixed(4)} (${low.toFixed(4)} to ${high.toFixed(4)})`;

async function main() {
  const random = seeded(Date.now() % 1_000_000).next;
  const rows = [];
  for (const app of values.apps.split(',')) rows.push(row(app, await measure(app, random)));
  console.log('| | bare | throughput, times bare | twice without | CPU a request, times bare | twice without |\n|---|---|---|---|---|---|');
  for (const { app, perSecond, cpuUs, throughput, cpu } of rows) {
    console.log(`| ${app} | ${perSecond.toFixed(0)}/s, ${cpuUs.toFixed(1)} us each | ${told(throughput.on)} | ${told(throughput.again)} | ${told(cpu.on)} | ${told(cpu.again)} |`);
  }
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
