'use strict';

// The cases: those of this folder, and folders elsewhere in the format of published leaks (`--shared`).

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..', '..');
const CASES = path.join(__dirname, 'cases');
const BUILD = path.join(__dirname, 'build');
const SHARED = path.join(ROOT, '.cache', 'diagnosis');
const MARK = '// <-- leak';
/** What published cases call some patterns. A name that is neither here nor ours is not judged. */
const PATTERNS = { cache: ['collection'], 'global-state': ['global', 'collection'] };
const OURS = ['listener', 'closure', 'collection', 'timer', 'promise', 'buffer', 'pool', 'global', 'string'];

const read = (file) => JSON.parse(fs.readFileSync(file, 'utf8'));
const folders = (dir) => fs.readdirSync(dir).filter((name) => fs.existsSync(path.join(dir, name, 'case.json'))).sort();

/** Rounds before a first look, and the least time of a round. What has a limit of its own, as a pool, must not reach it in the meantime. */
const OWN_PACE = { warmUp: 4, roundMs: 250 };
const SHARED_PACE = { warmUp: 6, roundMs: 600 };

/** The cases of this folder, as `{ name, programs: { leaky, healthy }, expected, pace }`. */
function ownCases() {
  return folders(CASES).map((name) => {
    const dir = path.join(CASES, name);
    const { location, ...expected } = read(path.join(dir, 'case.json'));
    const file = path.join(dir, location.file);
    return {
      name, pace: OWN_PACE, programs: { leaky: program(file), healthy: program(file.replace('leaky', 'healthy')) },
      expected: { ...expected, location: { file, lines: marked(file) } },
    };
  });
}

/** What Node runs for a source: itself, or what the compiler made of it. */
const program = (file) => (file.endsWith('.ts') ? path.join(BUILD, path.relative(CASES, file)).replace(/ts$/, 'js') : file);

function marked(file) {
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  return lines.flatMap((line, at) => (line.includes(MARK) ? [at + 1] : []));
}

/** Makes the cases of this folder ready: their packages and, where TypeScript is newer than what was made of it, a build with maps. */
function prepareOwn() {
  if (!fs.existsSync(path.join(__dirname, 'node_modules'))) npm(['ci'], __dirname);
  const sources = folders(CASES).flatMap((name) => ['leaky.ts', 'healthy.ts'].map((file) => path.join(CASES, name, file))).filter(fs.existsSync);
  const age = (file) => (fs.existsSync(file) ? fs.statSync(file).mtimeMs : 0);
  if (sources.every((file) => age(program(file)) > age(file))) return;
  const compiler = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  command(process.execPath, [compiler, '-p', path.join(__dirname, 'tsconfig.json')], __dirname);
}

/** The cases in `dir`, each in a copy with its packages; where it has a version in which the leak is fixed, that is its healthy twin. */
function sharedCases(dir, isWanted) {
  const copies = path.join(SHARED, path.basename(path.resolve(dir)));
  return folders(dir).filter(isWanted).map((name) => {
    const from = path.join(dir, name);
    const given = read(path.join(from, 'case.json'));
    const has = (file) => fs.existsSync(path.join(from, file));
    const main = has('leaky.js') ? 'leaky.js' : 'app.js';
    const leaky = () => path.join(installed(dir, name, path.join(copies, 'leaky'), 'package.json'), main);
    const programs = given.kind === 'healthy' ? { healthy: leaky() } : { leaky: leaky() };
    if (has('package.fixed.json')) {
      programs.healthy = path.join(installed(dir, name, path.join(copies, 'fixed'), 'package.fixed.json'), main);
    } else if (has('fixed.js')) {
      programs.healthy = path.join(path.dirname(programs.leaky), 'fixed.js');
    }
    return {
      name, pace: SHARED_PACE, programs,
      expected: {
        unit: given.unit,
        pattern: PATTERNS[given.pattern] ?? (OURS.includes(given.pattern) ? [given.pattern] : undefined),
        constructorName: given.expectedConstructors,
        onPath: [given.expectedRetainerHint, ...(given.retainerAlsoAccept ?? [])].filter(Boolean),
      },
    };
  });
}

/** A copy of the case `name` under `to`, beside the files that cases share, with the packages of `manifest`. */
function installed(dir, name, to, manifest) {
  const copy = path.join(to, name);
  fs.mkdirSync(to, { recursive: true });
  for (const file of fs.readdirSync(dir).filter((file) => file.endsWith('.js'))) fs.copyFileSync(path.join(dir, file), path.join(to, file));
  const wanted = fs.readFileSync(path.join(dir, name, manifest), 'utf8');
  const stamp = path.join(copy, '.installed');
  fs.cpSync(path.join(dir, name), copy, { recursive: true });
  fs.writeFileSync(path.join(copy, 'package.json'), wanted);
  if (fs.existsSync(stamp) && fs.readFileSync(stamp, 'utf8') === wanted) return copy;
  npm(['install', '--ignore-scripts'], copy);
  fs.writeFileSync(stamp, wanted);
  return copy;
}

const npm = (args, cwd) => command('npm', [...args, '--no-audit', '--no-fund', '--loglevel=error'], cwd, process.platform === 'win32');

function command(file, args, cwd, shell = false) {
  const { status, stdout, stderr, error } = spawnSync(file, args, { cwd, encoding: 'utf8', shell });
  if (error) throw error;
  if (status !== 0) throw new Error(`${path.basename(file)} ${args.join(' ')} ended with ${status}:\n${stdout}${stderr}`);
}

module.exports = { ROOT, ownCases, prepareOwn, sharedCases };
