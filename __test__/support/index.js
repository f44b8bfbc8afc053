'use strict';

// What the tests share: forced collections, waiting for a condition, child processes with a deadline.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const v8 = require('node:v8');
const vm = require('node:vm');

const ROOT = path.resolve(__dirname, '..', '..');
const bridgeIsOff = process.env.HEAPWARDEN_BRIDGE === 'off';
/** Where `auto` takes a snapshot, and how two of them are compared then. */
const takenInClone = process.platform === 'linux' && !bridgeIsOff && process.env.HEAPWARDEN_CLONE !== 'off';
const MODE = takenInClone ? 'clone' : 'inline';
const MATCHED_BY = takenInClone ? 'path' : 'id';

v8.setFlagsFromString('--expose-gc');
/** A full collection, without the flag on the command line. */
const gc = vm.runInNewContext('gc');

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Waits until `condition()` is true; fails with `what` after a generous deadline. */
async function until(condition, what, deadlineMs = 60_000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`still waiting for ${what} after ${deadlineMs} ms`);
    await sleep(5);
  }
}

/** Runs Node with `args` and gives `{ code, signal, stdout, stderr }`; a child that hangs is killed and fails the test. */
function run(args, { env = {}, cwd = ROOT, deadlineMs = 120_000 } = {}) {
  return new Promise((resolve, reject) => {
    const clean = { ...process.env, ...env };
    // A child that is itself a test runner's child would report to it.
    delete clean.NODE_TEST_CONTEXT;
    const child = spawn(process.execPath, args, { cwd, env: clean, stdio: ['ignore', 'pipe', 'pipe'] });
    const result = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => { result.stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { result.stderr += text; });
    const timer = setTimeout(() => {
      child.kill('SIGKILL');
      reject(new Error(`hung: node ${args.join(' ')}\n${result.stdout}\n${result.stderr}`));
    }, deadlineMs);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...result, code, signal });
    });
  });
}

/** Runs a script given as text. */
const evaluate = (script, options) => run(['-e', script], options);

/** A fresh folder that is removed after the test `t`. */
function folder(t) {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-test-'));
  t.after(() => fs.rmSync(dir, { recursive: true, force: true }));
  return dir;
}

/** Names of this process's threads that are ours (Linux; empty elsewhere). */
function ownThreads() {
  if (process.platform !== 'linux') return [];
  return fs.readdirSync('/proc/self/task').flatMap((id) => {
    try {
      const name = fs.readFileSync(`/proc/self/task/${id}/comm`, 'utf8').trim();
      return name.startsWith('heapwarden') ? [name] : [];
    } catch {
      return []; // It ended meanwhile.
    }
  });
}

module.exports = { MATCHED_BY, MODE, ROOT, bridgeIsOff, takenInClone, gc, sleep, until, run, evaluate, folder, ownThreads };
