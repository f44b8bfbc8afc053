'use strict';

// The package as its users get it: the main package and this platform's packed, installed into an app elsewhere with no compiler and no script, used
// in each of the ways promised.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { checkTypes } = require('./consumer-types');
const { distHere } = require('./dist');
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

/** What a download may come to, of the main package and of a platform's: a tenth above what it was when this was written. */
const MAX_BYTES = { main: 275 * 1024, platform: 2500 * 1024 };

/** What npm runs by itself, on the machine of whoever installs. */
const INSTALL_SCRIPTS = ['preinstall', 'install', 'postinstall', 'prepublish', 'preprepare', 'prepare', 'postprepare'];

const WINDOWS = process.platform === 'win32';

/** Every file that `exports`, `main`, `types` and `bin` promise. */
function promised(value) {
  if (typeof value === 'string') return [value.replace(/^\.\//, '')];
  if (value === null || typeof value !== 'object') return [];
  return Object.values(value).flatMap(promised);
}

function checkContents({ names }) {
  const { exports, main, types, bin } = manifest;
  const missing = [...MUST, ...promised([exports, main, types, bin])].filter((name) => !names.includes(name));
  if (missing.length > 0) throw new StepError(`missing from the tarball: ${[...new Set(missing)].join(', ')}`);
  const strangers = names.filter((name) => MUST_NOT.test(name) || name.endsWith('.node'));
  if (strangers.length > 0) throw new StepError(`not for users, yet in the tarball: ${strangers.join(', ')}`);
}

function checkPlatform({ name, names }) {
  const addon = `${manifest.napi.binaryName}.${name.slice(manifest.name.length + 1)}.node`;
  const expected = ['LICENSE', 'README.md', addon, 'package.json'];
  if (names.sort().join() !== expected.sort().join()) throw new StepError(`${name}: expected ${expected.join(', ')}, found ${names.join(', ')}`);
}

function checkSize({ name, bytes, unpackedBytes }, most) {
  say(`  ${name}: ${Math.round(bytes / 1024)} KiB, ${Math.round(unpackedBytes / 1024)} KiB unpacked`);
  if (bytes > most) throw new StepError(`${name}: ${bytes} bytes, where at most ${most} are expected`);
}

/** What each installed manifest of ours says, against what a stranger's machine may be asked to do. */
function checkManifests(app) {
  const ours = fs.readdirSync(path.join(app, 'node_modules')).filter((name) => name.startsWith(manifest.name));
  if (ours.length !== 2) throw new StepError(`expected the main package and one platform's, found ${ours.join(', ')}`);
  for (const name of ours) {
    const { scripts = {}, devDependencies, gypfile, version } = JSON.parse(fs.readFileSync(path.join(app, 'node_modules', name, 'package.json'), 'utf8'));
    const found = INSTALL_SCRIPTS.filter((script) => script in scripts);
    if (found.length > 0 || gypfile) throw new StepError(`${name}: install scripts: ${found.join(', ')}`);
    if (devDependencies) throw new StepError(`${name}: devDependencies are published`);
    if (version !== manifest.version) throw new StepError(`${name}: ${version}, not ${manifest.version}`);
  }
}

function writeApp(app) {
  fs.mkdirSync(app, { recursive: true });
  const files = { 'package.json': '{ "name": "scratch-app", "private": true }', 'app.cjs': CJS, 'app.mjs': ESM };
  for (const [name, text] of Object.entries(files)) fs.writeFileSync(path.join(app, name), text);
}

/** A folder to be the whole PATH: Node and npm, and neither cargo nor a C compiler. */
async function barePath(folder) {
  if (WINDOWS) return process.env.PATH;
  const bin = path.join(folder, 'bin');
  fs.mkdirSync(bin);
  const npm = (await run('npm', 'sh', ['-c', 'command -v npm'], { quiet: true })).trim();
  fs.symlinkSync(process.execPath, path.join(bin, 'node'));
  fs.symlinkSync(fs.realpathSync(npm), path.join(bin, 'npm'));
  return bin;
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
    const { main, platforms, tarballs } = await distHere(folder);
    const whole = await check('contents of the tarballs', () => {
      checkContents(main);
      platforms.forEach(checkPlatform);
    });
    await check('sizes of the tarballs', () => {
      checkSize(main, MAX_BYTES.main);
      for (const platform of platforms) checkSize(platform, MAX_BYTES.platform);
    });
    const publint = path.join(ROOT, 'node_modules', 'publint', 'src', 'cli.js');
    await check('publint of the main tarball', () => run('publint', process.execPath, [publint, 'run', '--strict', main.tarball], { quiet: true }));
    if (!whole) return results;
    const env = { PATH: await barePath(folder) };
    const installed = await check('npm install --ignore-scripts, with no compiler on the PATH', async () => {
      writeApp(app);
      await run('install', 'npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...tarballs], { cwd: app, env, quiet: true, timeoutMs: 300_000 });
    });
    if (!installed) return results;
    await check('no install scripts, one version', () => checkManifests(app));
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
          const output = await run(way, node.path, args, { cwd: app, env, quiet: true, timeoutMs: 60_000 });
          if (way.includes('register') && !output.includes('app ran')) throw new StepError('the app did not run');
        });
      }
    }
    await checkTypes(check, app, main.tarball);
    return results;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { INSTALL_SCRIPTS, packed };
