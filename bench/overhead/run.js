'use strict';

// What stands beside a server costs it: node bench/overhead/run.js [--pairs 10] [--seconds 20] [--only heapwarden,prom-client] [--apps hello,api]
//   [--warmup 5] [--connections 32] [--pipelining 1] [--seed 1] [--node PATH] [--json FILE]
//
// In each round every watcher runs once, in an order drawn anew, and the bare server with them: a pair is a watcher's run and the bare run of its
// round. Each run is a fresh process. Server and load have a core each where there are two; the figures of one watcher are ratios to the bare
// server's, so that a slower machine meets both.

const { fork, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { installed } = require('../install');
const { seeded } = require('../snapshots/random');
const { REQUESTS } = require('./catalogue');
const { meanWithInterval, ratioWithInterval, shuffled } = require('./statistics');
const { USUAL, WATCHERS } = require('./watchers');

const APPS = Object.keys(REQUESTS);
const MB = 2 ** 20;

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '10' },
    seconds: { type: 'string', default: '20' },
    warmup: { type: 'string', default: '5' },
    connections: { type: 'string', default: '32' },
    pipelining: { type: 'string', default: '1' },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: USUAL.join(',') },
    apps: { type: 'string', default: APPS.join(',') },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
  },
});

/** Whether a process can be kept on one core. */
const isPinned = os.cpus().length >= 2 && spawnSync('taskset', ['-c', '0', 'true']).status === 0;

/** A child with IPC, on a core of its own where that can be. */
function start(core, script, args, { nodeArgs = [], env = {} } = {}) {
  const pin = isPinned ? ['taskset', '-c', String(core)] : [];
  const [execPath, ...before] = [...pin, values.node];
  const child = fork(path.join(__dirname, script), args, {
    execPath, execArgv: [...before, ...nodeArgs], env: { ...process.env, ...env }, stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  child.log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { child.log = (child.log + text).slice(-5000); });
  return child;
}

/** The next message of `child`; an error where it ends before. */
async function told(child) {
  const signal = new AbortController();
  try {
    return await Promise.race([
      once(child, 'message', signal).then(([message]) => message),
      once(child, 'exit', signal).then(([code]) => { throw new Error(`${child.spawnargs.join(' ')} ended with ${code}:\n${child.log}`); }),
    ]);
  } finally {
    signal.abort();
  }
}

/** One run: the load's figures and what the server took meanwhile. */
async function run(app, name) {
  const { args: nodeArgs, env, scrape } = WATCHERS[name];
  const environment = env?.() ?? {};
  const server = start(0, 'server.js', [app, name], { nodeArgs, env: environment });
  const ask = () => { server.send('figures'); return told(server); };
  try {
    const { port } = await told(server);
    const load = start(1, 'load.js', [port, app, values.seconds, values.connections, values.warmup, values.pipelining, ...(scrape ? [JSON.stringify(scrape)] : [])]);
    await told(load);
    const before = await ask();
    const result = await told(load);
    const after = await ask();
    if (result.failed > 0 || result.wrong > 0) throw new Error(`${name}: ${result.failed} requests failed and ${result.wrong} answers were wrong\n${server.log}`);
    if (result.scrapesMissing > 0) throw new Error(`${name}: ${result.scrapesMissing} scrapes went wrong`);
    const cpuMs = after.cpuMs - before.cpuMs;
    return {
      app, watcher: name, perSecond: result.perSecond, p50Ms: result.p50Ms, p99Ms: result.p99Ms, answered: result.answered,
      cpuUs: (cpuMs * 1000) / result.answered, busy: cpuMs / result.elapsedMs, rss: after.rss, scrapes: result.scrapes,
      ...('samples' in after && { samples: after.samples - before.samples, looks: after.looks }),
    };
  } finally {
    server.disconnect();
    if (server.exitCode === null) await once(server, 'exit');
    if (environment.HEAPWARDEN_DIR) fs.rmSync(environment.HEAPWARDEN_DIR, { recursive: true, force: true });
  }
}

/** The row of a watcher: what its runs are to the bare runs of the same rounds. */
function row(rounds, name) {
  const pairs = rounds.map((runs) => ({ bare: runs.get('off'), beside: runs.get(name) }));
  const ratio = (key) => ratioWithInterval(pairs.map(({ bare, beside }) => beside[key] / bare[key]));
  const average = (key) => meanWithInterval(pairs.map(({ beside }) => beside[key])).value;
  return {
    watcher: name, what: WATCHERS[name].what, pairs: pairs.length,
    throughput: ratio('perSecond'), cpu: ratio('cpuUs'), p99: ratio('p99Ms'), rssMB: meanWithInterval(pairs.map(({ bare, beside }) => (beside.rss - bare.rss) / MB)),
    busy: average('busy'),
    ...('samples' in pairs[0].beside && { samples: average('samples'), looks: average('looks') }),
  };
}

/** Below this share of a core the server waits for the load, and its throughput says little of what stands beside it. */
const BUSY = 0.9;

function interval({ value, low, high }, digits) {
  return `${value.toFixed(digits)} ${Number.isNaN(low) ? '(one pair)' : `(${low.toFixed(digits)} to ${high.toFixed(digits)})`}`;
}

function print(app, rounds, rows) {
  const bare = (key) => meanWithInterval(rounds.map((runs) => runs.get('off')[key])).value;
  console.log(`\n${app}: bare ${bare('perSecond').toFixed(0)} requests/s, p50 ${bare('p50Ms').toFixed(2)} ms, p99 ${bare('p99Ms').toFixed(2)} ms, ${(bare('rss') / MB).toFixed(0)} MB, server busy ${(bare('busy') * 100).toFixed(0)} %`);
  if (bare('busy') < BUSY) console.log('The server did not have a core to itself, or waited for the load: CPU a request says more than throughput.');
  console.log();
  console.log('| beside it | throughput, times bare | CPU a request | p99 | rss, MB more | samples, looks |\n|---|---|---|---|---|---|');
  for (const { watcher, throughput, cpu, p99, rssMB, samples, looks } of rows) {
    const counted = samples === undefined ? '' : `${samples.toFixed(1)}, ${looks.toFixed(1)}`;
    console.log(`| ${watcher} | ${interval(throughput, 3)} | ${interval(cpu, 3)} | ${interval(p99, 2)} | ${interval(rssMB, 1)} | ${counted} |`);
  }
}

function chosen(given, all, option) {
  const names = given.split(',').filter(Boolean);
  const unknown = names.filter((name) => !all.includes(name));
  if (unknown.length > 0 || names.length === 0) throw new Error(`--${option}: expected some of ${all.join(', ')}, found ${given}`);
  return names;
}

async function main() {
  const names = chosen(values.only, Object.keys(WATCHERS), 'only').filter((name) => name !== 'off');
  const apps = chosen(values.apps, APPS, 'apps');
  const pairs = Number(values.pairs);
  installed(__dirname);
  const random = seeded(Number(values.seed)).next;
  const version = spawnSync(values.node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const settings = { node: version, cpu: os.cpus()[0].model, cores: os.cpus().length, isPinned, pairs, seconds: Number(values.seconds), warmup: Number(values.warmup), connections: Number(values.connections), pipelining: Number(values.pipelining), seed: Number(values.seed) };
  const minutes = (pairs * apps.length * (names.length + 1) * (settings.seconds + settings.warmup + 2)) / 60;
  console.error(`${pairs} rounds of ${names.length + 1} runs with ${apps.length} apps: some ${minutes.toFixed(0)} minutes. ${isPinned ? 'Server and load have a core each.' : 'Server and load share the cores.'}`);
  const rounds = Object.fromEntries(apps.map((app) => [app, []]));
  for (let i = 0; i < pairs; i++) {
    for (const app of shuffled(apps, random)) {
      const runs = new Map();
      for (const name of shuffled(['off', ...names], random)) {
        runs.set(name, await run(app, name));
        const { perSecond, p99Ms, cpuUs, busy } = runs.get(name);
        console.error(`  ${i + 1}/${pairs} ${app} ${name}: ${perSecond.toFixed(0)}/s, p99 ${p99Ms.toFixed(2)} ms, ${cpuUs.toFixed(1)} us a request, busy ${(busy * 100).toFixed(0)} %`);
      }
      rounds[app].push(runs);
    }
  }
  console.log(`Node ${version.replace(/^v/, '')}, ${settings.cpu}, ${settings.cores} cores${isPinned ? ', one for the server and one for the load' : ''}; ${pairs} pairs of ${settings.seconds} s after ${settings.warmup} s, ${settings.connections} connections${settings.pipelining > 1 ? `, ${settings.pipelining} requests on the way in each` : ''}; 95 % intervals by bootstrap over the pairs`);
  const result = { ...settings, apps: {} };
  for (const app of apps) {
    const rows = names.map((name) => row(rounds[app], name));
    print(app, rounds[app], rows);
    result.apps[app] = { rows, runs: rounds[app].map((runs) => [...runs.values()]) };
  }
  console.log();
  for (const name of names) console.log(`${name}: ${WATCHERS[name].what}`);
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(result, null, 2)}\n`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
