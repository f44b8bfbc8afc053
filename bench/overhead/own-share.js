'use strict';

// What part of a loaded server's main thread is Heapwarden's own: node bench/overhead/own-share.js [--apps hello,api] [--part everything]
//   [--seconds 20] [--settle 8] [--connections 32] [--pipelining 10] [--node PATH]
//
// Node's own profiler looks each 0.5 ms at a server with everything on (its `--cpu-prof`); what counts are functions of this package, and of
// node:diagnostics_channel, which nothing else uses here. It has no noise of a machine that is faster now and then, which turns.js has; what it cannot see
// is what Heapwarden has others do: Node that makes a message of a request, V8 that collects it.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout: passed } = require('node:timers/promises');
const { pathToFileURL } = require('node:url');
const { parseArgs } = require('node:util');
const { UnderLoad } = require('./under-load');

const { values } = parseArgs({
  options: {
    apps: { type: 'string', default: 'hello,api' }, part: { type: 'string', default: 'everything' }, seconds: { type: 'string', default: '20' },
    settle: { type: 'string', default: '8' }, connections: { type: 'string', default: '32' }, pipelining: { type: 'string', default: '10' },
    node: { type: 'string', default: process.execPath },
  },
});

const WARM_UP_MS = 4000;
const MS = 1000;
const INTERVAL_US = 500;
const TOLD = 6;

const ROOT = path.resolve(__dirname, '..', '..');
const LIB = path.join(ROOT, 'lib') + path.sep;
const URL_OF_LIB = pathToFileURL(LIB).href;
const isOwn = ({ url }) => url.startsWith(LIB) || url.startsWith(URL_OF_LIB) || url === 'node:diagnostics_channel';

/** The time in the last `lastUs` of a profile, in all and by function of ours, in microseconds. */
function shares({ nodes, samples, timeDeltas, endTime }, lastUs) {
  const frames = new Map(nodes.map(({ id, callFrame }) => [id, callFrame]));
  const own = new Map();
  let all = 0;
  let at = endTime;
  for (let i = samples.length - 1; i >= 0 && at > endTime - lastUs; i--) {
    const { [i]: us } = timeDeltas;
    at -= us;
    const frame = frames.get(samples[i]);
    if (frame.functionName === '(idle)') continue;
    all += us;
    if (!isOwn(frame)) continue;
    const name = `${frame.functionName || '(anonymous)'} in ${path.basename(frame.url)}`;
    own.set(name, (own.get(name) ?? 0) + us);
  }
  return { all, own };
}

async function profile(app) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-own-share-'));
  try {
    const flags = ['--cpu-prof', '--cpu-prof-interval', String(INTERVAL_US), '--cpu-prof-dir', folder];
    const one = await UnderLoad.begin(app, { ...values, flags });
    let figures;
    try {
      await passed(WARM_UP_MS);
      await one.switchTo(values.part);
      await passed(values.settle * MS);
      figures = await one.figures(values.seconds * MS);
    } finally {
      await one.end();
    }
    // Each thread writes one; the main thread's is the one of thread 0.
    const file = fs.readdirSync(folder).find((name) => /\.0\.\d+\.cpuprofile$/.test(name));
    return { ...figures, ...shares(JSON.parse(fs.readFileSync(path.join(folder, file), 'utf8')), values.seconds * MS * MS) };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

async function main() {
  for (const app of values.apps.split(',')) {
    const { all, own, perSecond } = await profile(app);
    const percent = (us) => `${((us / all) * 100).toFixed(2)} %`;
    const sum = [...own.values()].reduce((total, us) => total + us, 0);
    console.log(`${app}: ${percent(sum)} of the busy time at ${perSecond.toFixed(0)} requests a second`);
    for (const [name, us] of [...own].sort(([, a], [, b]) => b - a).slice(0, TOLD)) console.log(`  ${percent(us).padStart(8)} ${name}`);
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
