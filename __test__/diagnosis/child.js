'use strict';

// Runs a program in a process of its own: quickly, with two looks at its heap; and fully, as a user would, with a monitor beside it.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { ROOT } = require('./cases');

/** Rounds of work between the two looks. */
const QUICK_ROUNDS = 5;
const QUICK_DEADLINE_MS = 240_000;
const FULL_DEADLINE_MS = 300_000;
/** A healthy program is watched at least so long, and as many times as long as its leaky twin took to be found out. */
const TWIN_LEAST_MS = 15_000;
const TWIN_SHARE = 1.5;

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

/** Starts `program`; `onRound` is told the units of each of its rounds. `ended` rejects with what it said when it ends on its own. */
function start(node, args, program, env, stdio) {
  const clean = { ...process.env, ...env };
  // A child that is itself a test runner's child would report to it.
  delete clean.NODE_TEST_CONTEXT;
  const child = spawn(node, [...args, program], { cwd: ROOT, env: clean, stdio: ['ignore', 'pipe', 'pipe', ...stdio] });
  running.add(child);
  const run = { child, stderr: '', onRound: () => {} };
  let line = '';
  child.stdout.setEncoding('utf8').on('data', (text) => {
    const lines = (line + text).split('\n');
    line = lines.pop();
    for (const { units } of lines.filter((text) => text.startsWith('{"round"')).map(JSON.parse)) run.onRound(units);
  });
  child.stderr.setEncoding('utf8').on('data', (text) => { run.stderr += text; });
  run.ended = new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      running.delete(child);
      if (code !== 0 && signal !== 'SIGKILL') reject(new Error(`${path.basename(program)} ended with ${code ?? signal}:\n${run.stderr}`));
      else resolve();
    });
  });
  run.ended.catch(() => {});
  return run;
}

const limited = (promise, ms, what) => {
  let timer;
  const late = new Promise((resolve, reject) => { timer = setTimeout(() => reject(new Error(`${what} in ${ms} ms`)), ms); });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
};

async function stop({ child, ended }) {
  child.kill('SIGKILL');
  await ended.catch(() => {});
}

/** Two looks at the heap of `program`, the first after `warmUp` rounds of `roundMs` at least: `{ culprits, units, mode, matchedBy }`. */
async function quick(node, program, { warmUp, roundMs }) {
  const env = { ROUNDS: '100000', ROUND_MS: String(roundMs) };
  const run = start(node, ['--require', path.join(__dirname, 'look.js')], program, env, ['ipc']);
  // What is done while the first look is worked upon is done after it: a look is of the heap as it was when it was asked for.
  let rounds = 0;
  let units = 0;
  let hasBaseline = false;
  const proceed = () => {
    if (!hasBaseline || rounds < warmUp + QUICK_ROUNDS) return;
    run.child.send('growth');
    run.onRound = () => {};
  };
  run.onRound = (done) => {
    if (rounds >= warmUp) units += done;
    rounds += 1;
    if (rounds === warmUp) run.child.send('baseline');
    proceed();
  };
  const found = new Promise((resolve, reject) => {
    run.child.on('message', (message) => {
      if (message.error) {
        reject(new Error(message.error));
      } else if (message.what === 'growth') {
        resolve(message);
      } else {
        hasBaseline = true;
        proceed();
      }
    });
  });
  try {
    const ended = run.ended.then(() => { throw new Error(`it ended before the second look:\n${run.stderr}`); });
    const { culprits, mode, matchedBy } = await limited(Promise.race([found, ended]), QUICK_DEADLINE_MS, 'no two looks');
    return { culprits, units, mode, matchedBy };
  } finally {
    await stop(run);
  }
}

/** `program` with a monitor that is told of by HEAPWARDEN_* alone, until it reports a leak or `untilMs` have passed. */
async function watched(node, program, { roundMs }, untilMs) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-diagnosis-'));
  const since = Date.now();
  const env = { ROUNDS: '100000', ROUND_MS: String(roundMs), HEAPWARDEN_INTERVAL_MS: '50', HEAPWARDEN_DIR: directory };
  const run = start(node, ['--import', 'heapwarden/register'], program, env, []);
  let hasEnded = false;
  run.ended.finally(() => { hasEnded = true; }).catch(() => {});
  try {
    let report;
    while (!report && !hasEnded && Date.now() - since < untilMs) {
      await new Promise((resolve) => { setTimeout(resolve, 100); });
      const file = fs.readdirSync(directory).find((name) => /^heapwarden-leak-.*\.json$/.test(name));
      if (file) report = JSON.parse(fs.readFileSync(path.join(directory, file), 'utf8'));
    }
    if (hasEnded) await run.ended.then(() => { throw new Error(`it ended early:\n${run.stderr}`); });
    return { report, tookMs: Date.now() - since, stderr: run.stderr };
  } finally {
    await stop(run);
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

/** The report of a leaky program. */
async function full(node, program, pace) {
  const { report, tookMs, stderr } = await watched(node, program, pace, FULL_DEADLINE_MS);
  if (!report) throw new Error(`no leak was reported in ${FULL_DEADLINE_MS} ms\n${stderr}`);
  return { report, tookMs };
}

/** What a healthy program was wrongly told of, beside a leaky twin that was found out after `twinMs`. */
async function healthy(node, program, pace, twinMs = 0) {
  const { report, stderr } = await watched(node, program, pace, Math.max(TWIN_LEAST_MS, twinMs * TWIN_SHARE));
  return { report, stderr };
}

module.exports = { quick, full, healthy };
