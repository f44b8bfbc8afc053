'use strict';

// From a fresh clone to a package that can be required: dependencies, then the native addon and the report's page. Idempotent.
// Uses nothing but Node itself, since it runs before node_modules exists.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, StepError, run, say } = require('./steps');

const manifest = require('../package.json');

function mtime(file) {
  try {
    return fs.statSync(file).mtimeMs;
  } catch {
    return 0;
  }
}

/** The newest modification time among files and (recursively) folders. */
function newest(names) {
  let latest = 0;
  for (const name of names) {
    const file = path.resolve(ROOT, name);
    const stat = fs.statSync(file, { throwIfNoEntry: false });
    if (stat === undefined) continue;
    latest = Math.max(latest, stat.mtimeMs);
    if (stat.isDirectory()) {
      latest = Math.max(latest, newest(fs.readdirSync(file).map((entry) => path.join(file, entry))));
    }
  }
  return latest;
}

/** `npm ci`, unless what is installed is as new as the lock file. */
async function modules() {
  const lock = path.join(ROOT, 'package-lock.json');
  // npm writes this file last: an install that was cut short does not count as one.
  const installed = path.join(ROOT, 'node_modules', '.package-lock.json');
  if (mtime(installed) >= mtime(lock) && mtime(installed) > 0) return;
  await run('install dependencies', 'npm', ['ci', '--no-audit', '--no-fund'], { timeoutMs: 600_000 });
}

/** Rust at least as new as Cargo.toml asks for. */
async function rust() {
  const wanted = /^rust-version = "([\d.]+)"/m.exec(fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8'))[1];
  const cure = `Install Rust ${wanted} or newer (https://rustup.rs), open a new shell and run this again.`;
  let output;
  try {
    output = await run('look for Rust', 'cargo', ['--version'], { quiet: true });
  } catch (error) {
    throw new StepError(`Rust is needed to build the native addon, and \`cargo\` was not usable (${error.message}). ${cure}`);
  }
  const found = /(\d+)\.(\d+)\.\d+/.exec(output);
  const [major, minor] = wanted.split('.').map(Number);
  const tooOld = found === null || Number(found[1]) < major || (Number(found[1]) === major && Number(found[2]) < minor);
  if (tooOld) throw new StepError(`Rust ${wanted} is needed, found ${output.trim()}. ${cure}`);
}

/** The addons in the package folder, e.g. `heapwarden.linux-x64-gnu.node`. */
function addons() {
  return fs.readdirSync(ROOT).filter((name) => name.startsWith(manifest.napi.binaryName) && name.endsWith('.node'));
}

/** Builds the addon, unless it is newer than everything it is made of. */
async function native() {
  const sources = newest(['src', 'build.rs', 'Cargo.toml', 'Cargo.lock', '.cargo']);
  const glue = ['native.js', 'native.d.ts'].every((name) => fs.existsSync(path.join(ROOT, name)));
  const built = addons().map((name) => mtime(path.join(ROOT, name)));
  if (glue && built.some((time) => time >= sources)) return;
  await modules();
  await rust();
  // Spelled out by the `build` script, so that there is one place that says how to build.
  await run('build the native addon', 'npm', ['run', '--silent', 'build'], { timeoutMs: 900_000 });
  const fresh = addons();
  if (fresh.length === 0) throw new StepError('the build ended well but left no .node file');
  const now = new Date();
  for (const name of fresh) {
    const file = path.join(ROOT, name);
    // Cargo found nothing to do although a file was touched: the addon is up to date as of now.
    if (mtime(file) < sources && fresh.length === 1) fs.utimesSync(file, now, now);
  }
}

/** Builds the template of the HTML report, unless it is newer than everything it is made of. */
async function page() {
  const sources = newest(['lib/report/page', 'scripts/build-page.js', 'package-lock.json']);
  if (mtime(path.join(ROOT, 'lib', 'report', 'page.html')) >= sources) return;
  await modules();
  await run('build the page', 'npm', ['run', '--silent', 'build:page'], { timeoutMs: 120_000 });
}

async function setup() {
  await modules();
  await native();
  await page();
}

module.exports = { addons, modules, native, page, rust, setup };

if (require.main === module) {
  setup().then(
    () => say('ready'),
    (error) => {
      say(error.message);
      process.exitCode = 1;
    },
  );
}
