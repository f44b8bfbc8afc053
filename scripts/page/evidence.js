'use strict';

// Evidence to make pages of: that of a real program that leaks, that of a fleet that never was, and a heap of very many classes.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const zlib = require('node:zlib');
const { ROOT, StepError } = require('../steps');

const GOLDEN = path.join(ROOT, '__test__', 'golden', 'leak-report.json');
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/**
 * Has examples/express-leak/leaky.js leak into `directory` until it is reported: a report, a recording and two snapshots, one of them early in
 * life. Takes about a minute.
 */
async function realEvidence(directory, { deadlineMs = 240_000 } = {}) {
  const child = spawn(process.execPath, ['--import', 'heapwarden/register', path.join(ROOT, 'examples', 'express-leak', 'leaky.js')], {
    cwd: ROOT,
    env: { ...process.env, HEAPWARDEN_INTERVAL_MS: '200', HEAPWARDEN_DIR: directory, HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let log = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { log += text; });
  const ended = new Promise((resolve) => { child.on('close', resolve); });
  const end = Date.now() + deadlineMs;
  const names = () => (fs.existsSync(directory) ? fs.readdirSync(directory) : []);
  const until = async (condition, what) => {
    while (!condition()) {
      if (child.exitCode !== null || Date.now() > end) throw new StepError(`express-leak: still no ${what}:\n${log}`);
      await sleep(100);
    }
  };
  try {
    const port = await new Promise((resolve, reject) => {
      child.stdout.setEncoding('utf8').on('data', (text) => {
        const found = /listening on (\d+)/.exec(text);
        if (found) resolve(Number(found[1]));
      });
      child.on('close', (code) => reject(new StepError(`express-leak ended with code ${code}:\n${log}`)));
    });
    const traffic = drive(port);
    const snapshots = () => names().filter((name) => name.endsWith('.heapsnapshot')).length;
    await sleep(2000);
    child.kill('SIGUSR2');
    await until(() => snapshots() === 1, 'first snapshot');
    await until(() => names().some((name) => /^heapwarden-leak-.*\.json$/.test(name)), 'report');
    child.kill('SIGUSR2');
    await until(() => snapshots() === 2, 'second snapshot');
    traffic.over = true;
    await traffic.done;
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

/** Some 700 requests a second, until it is `over`. */
function drive(port) {
  const agent = new http.Agent({ keepAlive: true });
  const state = { over: false };
  const ask = (id) => new Promise((resolve) => {
    http.get({ port, host: '127.0.0.1', path: `/users/${id}`, agent }, (response) => response.resume().on('end', resolve)).on('error', resolve);
  });
  state.done = (async () => {
    for (let i = 0; !state.over; i += 1) {
      await Promise.all(Array.from({ length: 7 }, (_, k) => ask(i * 7 + k)));
      await sleep(8);
    }
    agent.destroy();
  })();
  return state;
}

/** Numbers from 0 to 1 that look like chance and are the same each time. */
function chance(seed) {
  let state = seed;
  return () => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return state / 2147483648;
  };
}

const START = Date.UTC(2026, 10, 20, 6);
const iso = (ms) => new Date(ms).toISOString();
const compact = (ms) => iso(ms).replace(/[-:]/g, '').replace('.', '-');

/** What the pods of the fleet leak, beside the golden report's culprit. `hostile` has names that somebody else chose. */
const SECOND = {
  constructorName: '(closure) onPriceChange', pattern: 'listener', countDelta: 41_200, sizeDelta: 2_636_800, retainedSizeDelta: 18_900_000,
  holder: { constructorName: 'EventEmitter', name: 'priceFeed', event: 'change', location: { file: '/srv/app/src/prices.js', line: 12, column: 7 } },
  retainerPath: [
    { name: 'Array', edge: '[n]', location: null }, { name: 'Object', edge: 'change', location: null }, { name: 'EventEmitter', edge: '_events', location: null },
    { name: '(closure) subscribe', edge: 'priceFeed', location: { file: '/srv/app/src/prices.js', line: 31, column: 3 } }, { name: 'global', edge: 'subscribe', location: null },
  ],
  location: { file: '/srv/app/src/prices.js', line: 34, column: 22 },
  advice: 'Remove the listener `onPriceChange` from `priceFeed` when the socket closes, or add it once.', fingerprint: '5c0e1f7ab3d92644', known: null,
};

const HOSTILE = '"</script><img src=x onerror="document.title=\'owned\'">';

/**
 * A fleet of 40 pods below `directory`, a folder each: a report, for some a second, and the series of eighteen hours. 31 of them leak at one
 * place, nine of these at another as well, five only there, and four do not leak. With `hostile`, classes and folders have names that are markup.
 */
function fleetEvidence(directory, { pods = 40, hostile = false } = {}) {
  const golden = JSON.parse(fs.readFileSync(GOLDEN, 'utf8'));
  const one = { ...golden.culprits[0], ...(hostile && { constructorName: HOSTILE, advice: `Let go of ${HOSTILE}.` }) };
  for (let pod = 0; pod < pods; pod += 1) {
    const random = chance(pod + 1);
    const host = `checkout-7d9f-${(0x1a3b + pod * 0x2f1).toString(16)}`;
    const folder = path.join(directory, 'checkout', host);
    fs.mkdirSync(folder, { recursive: true });
    const leaks = pod >= pods - 4 ? [] : pod >= pods - 9 ? [SECOND] : pod % 4 === 3 ? [one, SECOND] : [one];
    const since = START + Math.floor(random() * 10) * 1_800_000 + 3_600_000;
    const rate = leaks.length === 0 ? 0 : (leaks[0] === one ? 1500 : 420) * (0.8 + random() * 0.4);
    const series = seriesOf({ pid: 1, rate, random });
    const file = path.join(folder, 'series.jsonl');
    if (pod % 5 === 0) fs.writeFileSync(`${file}.gz`, zlib.gzipSync(series));
    else fs.writeFileSync(file, series);
    if (leaks.length === 0) continue;
    const at = since + 5_400_000 + Math.floor(random() * 3600) * 1000;
    const report = {
      ...golden, reportedAt: iso(at), pid: 1, host, node: 'v22.23.3',
      verdict: { ...golden.verdict, growthBytesPerSecond: rate, growthIntervalBytesPerSecond: [rate * 0.93, rate * 1.07], since: iso(since), etaMs: 3.2e8 / Math.max(rate, 1) * 1000 },
      culprits: leaks.map((culprit, i) => ({ ...culprit, firstSeen: iso(at), retainedSizeDelta: Math.round(culprit.retainedSizeDelta * (0.7 + random() * 0.6) / (i + 1)) })),
      routes: { leak: { route: 'POST /cart/:id/items', bytesPerRequest: 1330, intervalBytesPerRequest: [1290, 1371], requests: 48_210, share: 0.97 }, reason: null, floors: 96 },
    };
    fs.writeFileSync(path.join(folder, `heapwarden-leak-${compact(at)}-1-0.json`), JSON.stringify(report));
  }
}

/** Eighteen hours at half a minute: a load that goes up and down with the day, major collections, and `rate` bytes a second that stay. */
function seriesOf({ pid, rate, random }) {
  const lines = [{ format: 'heapwarden-series', version: 1, intervalMs: 30_000, pid, threadId: 0, node: 'v22.23.3', dropped: 0 }];
  const total = { minor: 0, major: 0, pauseMs: 0, cpuMs: 0, allocated: 0, requests: 0 };
  let garbage = 0;
  let floor = 62e6;
  for (let i = 1; i <= 2160; i += 1) {
    const t = START + i * 30_000;
    const requests = Math.round(600 + 400 * Math.sin(i / 340) + random() * 60);
    const alive = Math.round(62e6 + rate * i * 30 + random() * 4e5);
    garbage += 2.5e6 + random() * 1.5e6;
    const major = garbage > 38e6 + random() * 8e6;
    if (major) {
      floor = alive;
      garbage = 0;
      lines.push({ t: t - 400, gc: 'major', used: floor, external: 4e6 });
    }
    const since = { minor: 3, major: major ? 1 : 0, pauseMs: major ? 31 : 4, cpuMs: 2100, allocated: 90_000_000, requests };
    for (const key of Object.keys(total)) total[key] += since[key];
    const heapUsed = Math.round(alive + garbage);
    lines.push({ t, sample: {
      heapUsed, heapTotal: heapUsed + 12e6, external: 4e6, arrayBuffers: 1e5, heapLimit: 536_870_912, heapAgeMs: 0, rss: heapUsed + 61e6,
      containerLimit: 805_306_368, containerUsed: heapUsed + 70e6, postGcFloor: floor, total: { ...total }, since,
    } });
  }
  return `${lines.map((line) => JSON.stringify(line)).join('\n')}\n`;
}

/**
 * A snapshot of `classes` classes with a few objects each, in `file`: some hold others, so that there is something to map. The first class has
 * a name that is markup.
 */
function wideHeap(file, classes) {
  const random = chance(7);
  const strings = [''];
  const named = (text) => strings.push(text) - 1;
  const nodes = [];
  const edges = [];
  const FIELDS = 6;
  // Types by their numbers in the header below: 9 is synthetic, 3 object; edges: 1 element, 2 property.
  const node = (type, name, size) => nodes.push([type, name, nodes.length * 2 + 1, size, 0, 0]) - 1;
  const out = [];
  const hold = (from, type, name, to) => (out[from] ??= []).push([type, name, to]);
  const root = node(9, named('(GC roots)'), 0);
  const global = node(3, named('global'), 64);
  hold(root, 1, 1, global);
  const registry = named('registry');
  const areas = Array.from({ length: 40 }, (_, i) => {
    const area = node(3, named(`Area${i}`), 120);
    hold(global, 2, registry, area);
    return area;
  });
  const item = named('item');
  for (let i = 0; i < classes; i += 1) {
    const name = named(i === 0 ? HOSTILE : `Model${i.toString(36)}_${['User', 'Order', 'Cart', 'Price', 'Invoice', 'Session'][i % 6]}`);
    const size = Math.round(40 + 9000 * random() ** 6) * 8;
    const count = 1 + i % 3;
    for (let k = 0; k < count; k += 1) hold(areas[Math.floor(random() ** 2 * areas.length)], 2, item, node(3, name, size));
  }
  nodes.forEach((fields, from) => {
    for (const [type, name, to] of out[from] ?? []) edges.push(type, name, to * FIELDS);
    fields[4] = out[from]?.length ?? 0;
  });
  const meta = {
    node_fields: ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'],
    node_types: [['hidden', 'array', 'string', 'object', 'code', 'closure', 'regexp', 'number', 'native', 'synthetic'], 'string', 'number', 'number', 'number', 'number'],
    edge_fields: ['type', 'name_or_index', 'to_node'],
    edge_types: [['context', 'element', 'property', 'internal', 'hidden', 'shortcut', 'weak'], 'string_or_number', 'node'],
    trace_function_info_fields: [], trace_node_fields: [], sample_fields: [], location_fields: ['object_index', 'script_id', 'line', 'column'],
  };
  fs.writeFileSync(file, JSON.stringify({
    snapshot: { meta, node_count: nodes.length, edge_count: edges.length / 3, trace_function_count: 0 },
    nodes: nodes.flat(), edges, trace_function_infos: [], trace_tree: [], samples: [], locations: [], strings,
  }));
}

module.exports = { HOSTILE, fleetEvidence, realEvidence, wideHeap };
