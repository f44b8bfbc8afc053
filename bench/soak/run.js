'use strict';

// A busy service with everything of Heapwarden's on, for an hour, beside a twin without it under the same load:
//   node bench/soak/run.js [--minutes 60] [--cycle 30] [--rate 15] [--leak heap|buffers|fds|timers] [--without captures,workers] [--plain] [--node PATH]
//     [--json FILE]
//   node bench/soak/run.js --judge FILE
//
// Prints by how much more the service grows than its twin, and ends with 1 where anything grows (2: called in a way
// that is not understood, 3: it could not be told). See docs/endurance.md.

const { fork, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { judge } = require('./judge');
const { leaks } = require('./leaks');
const { cpuMs, folder, outside } = require('./proc');
const { table } = require('./table');

const REGISTER = path.resolve(__dirname, '..', '..', 'lib', 'register.js');
const TOKEN = 'soak-0123456789abcdef0123456789abcdef';
const FEATURES = ['captures', 'workers', 'batch', 'scrape', 'endpoints', 'auditor', 'channels', 'sites', 'blackbox', 'routes', 'listeners', 'monitor', 'bridge'];
/** By turns, one a cycle. */
const CAPTURES = ['summary', 'census', 'snapshot', 'listeners', 'summary', 'series'];
const READINGS = 3;
/** Every so many cycles the services hold a batch, which crosses the threshold of an alert. */
const BATCH_EVERY = 3;
const HEAP_LIMIT_MB = 512;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    cycle: { type: 'string', default: '30' },
    rate: { type: 'string', default: '15' },
    leak: { type: 'string' },
    without: { type: 'string', default: '' },
    plain: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
    judge: { type: 'string' },
  },
});

/** Ends with what is wrong about the arguments. */
function refuse(message) {
  console.error(message);
  process.exit(2);
}

function number(name, least) {
  const value = Number(values[name]);
  if (!(value >= least)) refuse(`--${name}: expected a number from ${least} on, found "${values[name]}"`);
  return value;
}

const minutes = number('minutes', 0.5);
const cycleMs = number('cycle', 5) * 1000;
const rate = number('rate', 1);
const without = new Set(values.without.split(',').filter(Boolean));
for (const name of without) if (!FEATURES.includes(name)) refuse(`--without: expected some of ${FEATURES.join(', ')}, found "${name}"`);
if (values.leak !== undefined && !(values.leak in leaks)) refuse(`--leak: expected one of ${Object.keys(leaks).join(', ')}, found "${values.leak}"`);
const has = (feature) => !without.has(feature);

/** V8 that learns nothing: functions have all that they will ever have from their first call on, and none is compiled anew or thrown away. */
const PLAIN = ['lazy-feedback-allocation', 'opt', 'maglev', 'sparkplug', 'flush-bytecode'];

/** Those of `PLAIN` that this V8 has. */
function plainArgs() {
  const known = spawnSync(values.node, ['--v8-options'], { encoding: 'utf8' }).stdout;
  return PLAIN.filter((name) => new RegExp(`^ +--${name} `, 'm').test(known)).map((name) => `--no-${name}`);
}
const flags = values.plain ? plainArgs() : [];

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, Math.max(0, ms)); });

/** A child that does what it is told over IPC: `ask(action, ...args)`. */
function start(env, nodeArgs) {
  const child = fork(path.join(__dirname, 'app.js'), [], {
    execPath: values.node, execArgv: ['--expose-gc', `--max-old-space-size=${HEAP_LIMIT_MB}`, ...flags, ...nodeArgs],
    env: { ...bare(), ...env }, stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  const waiting = new Map();
  let number_ = 0;
  child.log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { child.log = (child.log + text).slice(-20_000); });
  child.on('message', ({ number: of, result, error }) => {
    const { resolve, reject } = waiting.get(of) ?? {};
    waiting.delete(of);
    if (error === undefined) resolve?.(result);
    else reject?.(new Error(error));
  });
  child.on('exit', (code, signal) => {
    for (const { reject } of waiting.values()) reject(new Error(`a service ended with ${signal ?? code}:\n${child.log}`));
  });
  child.ask = (action, ...args) => new Promise((resolve, reject) => {
    number_ += 1;
    waiting.set(number_, { resolve, reject });
    child.send({ number: number_, action, args }, (error) => { if (error) reject(error); });
  });
  return child;
}

/** The environment without what somebody has set for Heapwarden. */
function bare() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('HEAPWARDEN_') && name !== 'NODE_OPTIONS'));
}

function environment(directory, webhook) {
  const on = (feature, settings) => (has(feature) ? settings : {});
  return {
    SOAK_BESIDE: '1',
    SOAK_WITHOUT: values.without,
    HEAPWARDEN_DIR: directory,
    HEAPWARDEN_TOKEN: TOKEN,
    HEAPWARDEN_INTERVAL_MS: String(Math.max(100, Math.round(cycleMs / 12))),
    HEAPWARDEN_MAX_FILES: '3',
    HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2',
    HEAPWARDEN_BLACK_BOX: has('blackbox') ? 'on' : 'off',
    HEAPWARDEN_ROUTES: has('routes') ? 'on' : 'off',
    HEAPWARDEN_LISTENERS: has('listeners') ? 'on' : 'off',
    ...(has('bridge') ? {} : { HEAPWARDEN_BRIDGE: 'off' }),
    ...on('sites', { HEAPWARDEN_ALLOCATION_SITES: '1' }),
    ...on('channels', {
      HEAPWARDEN_ALERT_THRESHOLD_MB: '40', HEAPWARDEN_ALERT_COOLDOWN_MS: '0',
      HEAPWARDEN_WEBHOOK_URL: webhook, HEAPWARDEN_ALERT_FILE: path.join(directory, 'alerts.jsonl'),
    }),
  };
}

/** Where alerts go: `{ url, alerts }`, of which those of a leak are kept. */
async function receiver() {
  const state = { alerts: 0, leaks: [] };
  state.server = http.createServer((request, response) => {
    let text = '';
    request.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => {
      const { event, message } = JSON.parse(text);
      state.alerts += 1;
      if (event === 'leak' || event === 'listeners') state.leaks.push(message);
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(state.server, 'listening');
  state.url = `http://127.0.0.1:${state.server.address().port}/`;
  return state;
}

/** Asks an endpoint and reads the answer to its end. */
function scrape(port, route) {
  return new Promise((resolve, reject) => {
    http.get({ host: '127.0.0.1', port, path: `/_heap${route}`, headers: { authorization: `Bearer ${TOKEN}` }, agent: false }, (response) => {
      response.on('end', () => (response.statusCode < 300 ? resolve() : reject(new Error(`${route} answered ${response.statusCode}`)))).on('error', reject).resume();
    }).on('error', reject);
  });
}

/** One cycle: load, and meanwhile what comes and goes; then quiet, and the readings. */
async function cycle(number_, { app, twin, load, directory, counts }) {
  const since = Date.now();
  const loadSeconds = Math.max(2, Math.round((cycleMs * 0.7) / 1000));
  load.send({ ports: [app.port, twin.port], seconds: loadSeconds, rate });
  const loaded = once(load, 'message');
  const both = (action, ...args) => Promise.all([app.ask(action, ...args), twin.ask(action, ...args)]);
  if (has('endpoints') && has('scrape') && has('monitor')) {
    for (const route of ['/metrics', '/status', '/samples']) await scrape(app.port, route).then(() => { counts.scrapes += 1; });
    if (number_ % 5 === 2) await scrape(app.port, number_ % 10 === 2 ? '/snapshot' : '/summary').then(() => { counts.downloads += 1; });
  }
  if (has('captures') && has('monitor')) {
    const { kind, mode } = await app.ask('capture', CAPTURES[number_ % CAPTURES.length]);
    const name = `${kind}${mode ? ` (${mode})` : ''}`;
    counts.captures[name] = (counts.captures[name] ?? 0) + 1;
  }
  if (has('workers')) await both('workers').then(() => { counts.workers += 2; });
  if (has('batch') && number_ % BATCH_EVERY === 1) await both('batch', Math.round(cycleMs / 5));
  const [results] = await loaded;
  for (const { answered, wrong, failed } of results) {
    counts.answered += answered;
    counts.wrong += wrong + failed;
  }
  const quietMs = (cycleMs * 0.9 - (Date.now() - since)) / (READINGS + 1);
  const rows = [];
  for (let n = 0; n < READINGS; n++) {
    await sleep(quietMs);
    const [own, other] = await both('figures');
    const t = Date.now() - counts.since;
    rows.push({
      app: { t, cycle: number_, ...own, ...outside(app.pid), ...folder(directory) },
      twin: { t, cycle: number_, ...other, ...outside(twin.pid), files: 0, fileBytes: 0 },
    });
  }
  await sleep(cycleMs - (Date.now() - since));
  return rows;
}

async function soak(directory, settings) {
  const webhook = await receiver();
  const app = start({ ...(has('monitor') && environment(directory, webhook.url)), ...(values.leak && { SOAK_LEAK: values.leak }) }, has('monitor') ? ['--require', REGISTER] : []);
  const twin = start({}, []);
  const load = fork(path.join(__dirname, 'load.js'), { execPath: values.node, execArgv: [], env: bare() });
  const counts = { since: Date.now(), answered: 0, wrong: 0, scrapes: 0, downloads: 0, workers: 0, captures: {} };
  const readings = { app: [], twin: [] };
  /** What there is so far, so that a run that is cut short has not been for nothing. */
  const recorded = async () => {
    const inside = has('monitor') ? await app.ask('verdict') : undefined;
    const elapsedMs = Date.now() - counts.since;
    const cpu = Object.fromEntries(Object.entries({ app, twin, load }).map(([name, { pid }]) => [name, cpuMs(pid) / elapsedMs]));
    const run = { settings, counts, readings, cpu, heapLimit: HEAP_LIMIT_MB * 2 ** 20, inside: inside && { ...inside, leaks: webhook.leaks }, alerts: webhook.alerts, log: app.log };
    if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(run)}\n`);
    return run;
  };
  try {
    await Promise.all([app, twin].map(async (child) => {
      // A service that cannot start says so by ending.
      const [message] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => { throw new Error(child.log); })]);
      child.port = message.port;
    }));
    const cycles = Math.round((minutes * 60_000) / cycleMs);
    for (let n = 0; n < cycles; n++) {
      for (const row of await cycle(n, { app, twin, load, directory, counts })) {
        readings.app.push(row.app);
        readings.twin.push(row.twin);
      }
      const [own, other] = [readings.app.at(-1), readings.twin.at(-1)];
      const MB = (bytes) => (bytes / 2 ** 20).toFixed(2);
      console.error(`  ${n + 1}/${cycles}: heap ${MB(own.heapUsed)} and ${MB(other.heapUsed)} MB, rss ${MB(own.rss)} and ${MB(other.rss)} MB, ${own.fds} and ${other.fds} descriptors, ${own.files} files`);
      await recorded();
    }
    return await recorded();
  } finally {
    for (const child of [app, twin, load]) if (child.connected) child.disconnect();
    webhook.server.close();
    webhook.server.closeAllConnections?.();
  }
}

/** Says what a run came to, and with which code that ends. */
async function told(run) {
  const verdict = await judge(run);
  console.log(table(run, verdict));
  if (run.counts.wrong > 0) console.error(`${run.counts.wrong} requests failed or were answered wrongly\n${run.log}`);
  return verdict.problems.length > 0 || run.counts.wrong > 0 ? 1 : 0;
}

async function main() {
  if (values.judge) return told(JSON.parse(fs.readFileSync(values.judge, 'utf8')));
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'soak-'));
  try {
    const node = spawnSync(values.node, ['--version'], { encoding: 'utf8' }).stdout.trim();
    const settings = { node, minutes, cycleMs, rate, leak: values.leak, without: [...without], plain: values.plain, cores: os.cpus().length };
    console.error(`${Math.round((minutes * 60_000) / cycleMs)} cycles of ${cycleMs / 1000} s on Node ${node}, ${rate} requests/s to each of both`);
    return await told(await soak(directory, settings));
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

main().then((code) => { process.exitCode = code; }, (error) => {
  console.error(error.stack);
  process.exitCode = 3;
});
