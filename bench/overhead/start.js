'use strict';

// What loading and starting a monitor adds to the start of a program: node bench/overhead/start.js [--pairs 30] [--node PATH] [--json FILE]
//
// Pairs of `node -e 0` take turns, one with heapwarden/register; what is told is the difference within pairs.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { performance } = require('node:perf_hooks');
const { parseArgs } = require('node:util');
const { meanWithInterval } = require('./statistics');

const REGISTER = path.resolve(__dirname, '..', '..', 'lib', 'register.js');
const { values } = parseArgs({ options: { pairs: { type: 'string', default: '30' }, node: { type: 'string', default: process.execPath }, json: { type: 'string' } } });

/** A program that does nothing but tell what it took. */
const PROGRAM = `process.once('exit', () => { const { user, system } = process.cpuUsage(); const own = /^RssAnon:\\s*(\\d+)/m.exec(require('node:fs').existsSync('/proc/self/status') ? require('node:fs').readFileSync('/proc/self/status', 'utf8') : '');
  console.log(JSON.stringify({ cpuMs: (user + system) / 1000, rss: process.memoryUsage.rss(), own: own ? own[1] * 1024 : NaN })); });`;

function once(args, env) {
  const since = performance.now();
  const { status, stdout, stderr } = spawnSync(values.node, [...args, '-e', PROGRAM], { encoding: 'utf8', env: { ...process.env, ...env } });
  const wallMs = performance.now() - since;
  if (status !== 0) throw new Error(stderr);
  return { wallMs, ...JSON.parse(stdout) };
}

const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'overhead-start-'));
try {
  const ways = { bare: () => once([], {}), beside: () => once(['--require', REGISTER], { HEAPWARDEN_DIR: folder }) };
  // The first of each finds no file in the cache.
  Object.values(ways).forEach((way) => way());
  const pairs = Array.from({ length: Number(values.pairs) }, (_, i) => {
    const order = i % 2 === 0 ? ['bare', 'beside'] : ['beside', 'bare'];
    return Object.fromEntries(order.map((name) => [name, ways[name]()]));
  });
  const more = (of, digits) => {
    const { value, low, high } = meanWithInterval(pairs.map(({ bare, beside }) => of(beside) - of(bare)));
    return `${value.toFixed(digits)} (${low.toFixed(digits)} to ${high.toFixed(digits)})`;
  };
  const bare = meanWithInterval(pairs.map((pair) => pair.bare.cpuMs)).value;
  console.log(`${spawnSync(values.node, ['--version'], { encoding: 'utf8' }).stdout.trim()}, ${pairs.length} pairs; a bare start takes ${bare.toFixed(0)} ms of processor time`);
  console.log(`more with heapwarden/register: ${more(({ cpuMs }) => cpuMs, 0)} ms of processor time, ${more(({ wallMs }) => wallMs, 0)} ms until it has ended, ${more(({ rss }) => rss / 2 ** 20, 1)} MB resident, ${more(({ own }) => own / 2 ** 20, 1)} of it the process's alone (RssAnon)`);
  if (values.json) fs.writeFileSync(values.json, JSON.stringify({ pairs: pairs.length, cpuMs: meanWithInterval(pairs.map(({ bare: without, beside }) => beside.cpuMs - without.cpuMs)) }));
} finally {
  fs.rmSync(folder, { recursive: true, force: true });
}
