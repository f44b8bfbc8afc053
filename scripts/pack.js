'use strict';

// The package as its users get it: packed, installed into an app elsewhere, used in each of the ways promised.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { ROOT, StepError, run, say } = require('./steps');
const { nodes } = require('./nodes');

const manifest = require('../package.json');

const MUST = ['index.js', 'index.d.ts', 'native.js', 'native.d.ts', 'lib/report/page.html', 'package.json', 'LICENSE'];
// Of the documents only the schemas are there for programs; of the page what its sources were made into.
const MUST_NOT = /^(src|__test__|scripts|bench|benches|fuzz|target|docs(?!\/(leak-report|postmortem)\.schema\.json$)|lib\/report\/page\/|\.|Cargo)/;

const CJS = `'use strict';
const heapwarden = require('heapwarden');
if (typeof heapwarden.MemoryMonitor !== 'function') throw new Error('no MemoryMonitor');
const monitor = new heapwarden.MemoryMonitor({ intervalMs: 60000, evidence: 'none' });
const sample = monitor.sample();
if (!(sample.heapUsed > 0)) throw new Error('no heapUsed in ' + JSON.stringify(sample));
`;

const ESM = `import heapwarden, { MemoryMonitor, diffSnapshots, summarizeSnapshot, writeSnapshot } from 'heapwarden';
for (const f of [MemoryMonitor, diffSnapshots, summarizeSnapshot, writeSnapshot]) {
  if (typeof f !== 'function') throw new Error('a named import is missing');
}
if (heapwarden.MemoryMonitor !== MemoryMonitor) throw new Error('two copies');
`;

const CONSUMER = `import { MemoryMonitor } from 'heapwarden';
const monitor = new MemoryMonitor({ intervalMs: 1000 });
monitor.start();
const used: number = monitor.sample().heapUsed;
monitor.stop();
export { used };
`;

/** Packs the package into `folder`; resolves to the tarball and the names in it. */
async function pack(folder) {
  const output = await run('pack', 'npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', folder], {
    quiet: true,
  });
  // npm's warnings come on the same stream, before and after the JSON.
  const json = output.slice(output.search(/^\[$/m), output.search(/^\]$/m) + 1);
  const [{ filename, files, unpackedSize }] = JSON.parse(json);
  const names = files.map((file) => file.path.split(path.sep).join('/'));
  say(`  ${filename}: ${names.length} files, ${(unpackedSize / 1024 / 1024).toFixed(1)} MiB unpacked`);
  return { tarball: path.join(folder, filename), names };
}

/** Every file that `exports`, `main`, `types` and `bin` promise. */
function promised(value) {
  if (typeof value === 'string') return [value.replace(/^\.\//, '')];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(promised);
}

function checkContents(names) {
  const { exports, main, types, bin } = manifest;
  const missing = [...MUST, ...promised([exports, main, types, bin])].filter((name) => !names.includes(name));
  if (!names.some((name) => name.endsWith('.node'))) missing.push('*.node');
  if (missing.length > 0) throw new StepError(`missing from the tarball: ${[...new Set(missing)].join(', ')}`);
  const strangers = names.filter((name) => MUST_NOT.test(name));
  if (strangers.length > 0) throw new StepError(`not for users, yet in the tarball: ${strangers.join(', ')}`);
}

function writeApp(app) {
  fs.mkdirSync(app, { recursive: true });
  const compilerOptions = {
    strict: true,
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2022'],
    types: ['node'],
    // The one thing taken from the repository: the declarations of Node itself.
    typeRoots: [path.join(ROOT, 'node_modules', '@types')],
    noEmit: true,
  };
  const files = {
    'package.json': '{ "name": "scratch-app", "private": true }',
    'app.cjs': CJS,
    'app.mjs': ESM,
    'consumer.mts': CONSUMER,
    'consumer.cts': CONSUMER,
    'tsconfig.json': JSON.stringify({ compilerOptions, include: ['*.mts', '*.cts'] }, null, 2),
  };
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(app, name), text);
}

/** Runs the checks one by one; a failure is recorded and the rest still run. */
async function packed() {
  // The real path: on some systems the temporary folder is a link, and Node resolves it.
  const folder = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-pack-')));
  const app = path.join(folder, 'app');
  const results = [];
  const check = async (label, action) => {
    try {
      await action();
      say(`  ok ${label}`);
      results.push({ label, passed: 1, failed: 0 });
      return true;
    } catch (error) {
      say(`  FAILED ${label}: ${error.message}`);
      results.push({ label, passed: 0, failed: 1, reason: error.message });
      return false;
    }
  };
  try {
    let tarball;
    const whole = await check('contents of the tarball', async () => {
      const result = await pack(folder);
      tarball = result.tarball;
      checkContents(result.names);
    });
    if (tarball === undefined || !whole) return results;
    const installed = await check('npm install --ignore-scripts', async () => {
      writeApp(app);
      await run('install', 'npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', tarball], {
        cwd: app,
        quiet: true,
        timeoutMs: 300_000,
      });
    });
    if (!installed) return results;
    const alive = ['-e', 'console.log("app ran")'];
    const ways = [
      ['require', ['app.cjs']],
      ['import', ['app.mjs']],
      ['--import heapwarden/register', ['--import', 'heapwarden/register', ...alive]],
      ['heapwarden --help', [path.join('node_modules', 'heapwarden', manifest.bin.heapwarden), '--help']],
      ['--require heapwarden/register', ['--require', 'heapwarden/register', ...alive]],
    ];
    for (const node of await nodes()) {
      for (const [way, args] of ways) {
        await check(`node ${node.major} ${way}`, async () => {
          const output = await run(way, node.path, args, { cwd: app, quiet: true, timeoutMs: 60_000 });
          if (way.includes('register') && !output.includes('app ran')) throw new StepError('the app did not run');
        });
      }
    }
    await check('tsc of a consumer', () => {
      const tsc = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
      return run('tsc', process.execPath, [tsc, '-p', app], { cwd: app, quiet: true });
    });
    return results;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { pack, packed };
