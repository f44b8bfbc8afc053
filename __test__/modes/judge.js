'use strict';

// Runs the probe in one mode of one Node, and says what is not as it should be.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { ALL, NOTHING, PROBE, REGISTER, ROOT } = require('./modes');

const MOST_MS = 120_000;

/** How a process ended and what it said. */
function run(node, args, { env, cwd }) {
  return new Promise((resolve, reject) => {
    const clean = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined, ...env };
    const child = spawn(node, args, { cwd, env: clean, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { said[name] += text; });
    const timer = setTimeout(() => child.kill('SIGKILL'), MOST_MS);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, ...said });
    });
  });
}

const differs = (expected, found) => (expected instanceof RegExp ? !expected.test(String(found)) : expected !== found);

/** What the probe said of its last line; nothing where it said none. */
function last(stdout) {
  try {
    return JSON.parse(stdout.trim().split('\n').pop());
  } catch {
    return {};
  }
}

/** `{ misses, said }` of a mode on the Node at `node`, which is of that `major`; `{ skipped }` where it does not have the mode. */
async function judge(node, major, { lacks, args = [], env = {}, register = '--require', entry = PROBE, build, expect, said: mustSay }) {
  const skipped = lacks?.(major);
  if (skipped) return { skipped };
  const directory = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-mode-')));
  try {
    const isByEnv = register === 'NODE_OPTIONS';
    const flags = typeof args === 'function' ? args(major, { directory }) : [...args];
    if (build) {
      const blob = path.join(directory, 'startup.blob');
      const built = await run(node, ['--snapshot-blob', blob, '--build-snapshot', build], { cwd: ROOT, env });
      if (built.code !== 0) return { misses: [`no snapshot was built: ${built.stderr.trim()}`] };
      flags.push('--snapshot-blob', blob);
    }
    const all = [...flags, ...(isByEnv ? [] : [register, REGISTER]), entry];
    const added = isByEnv ? { NODE_OPTIONS: `--require ${JSON.stringify(REGISTER)}` } : {};
    const { code, signal, stdout, stderr } = await run(node, all, { cwd: ROOT, env: { HEAPWARDEN_DIR: directory, ...env, ...added } });
    const recordings = fs.readdirSync(directory).filter((name) => name.endsWith('.hwr')).length;
    const said = { ...last(stdout), recordings };
    const misses = [];
    if (code !== 0) misses.push(`ended with ${signal ?? code}: ${stderr.trim()}`);
    const expected = expect === NOTHING ? NOTHING : { ...ALL, ...expect };
    for (const [what, wanted] of Object.entries(expected)) {
      if (differs(wanted, said[what])) misses.push(`${what}: expected ${wanted}, found ${said[what]}`);
    }
    if (mustSay ? !mustSay.test(stderr) : /heapwarden/i.test(stderr)) misses.push(`stderr: ${stderr.trim()}`);
    return { misses, said };
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

module.exports = { judge };
