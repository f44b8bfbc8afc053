'use strict';

// The main job on a real leaking Express app: load it, wait for the report, then show that the fixed twin stays silent.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { spawn } = require('node:child_process');
const { ROOT, StepError, say } = require('./steps');
const { setup } = require('./setup');

const REQUESTS_PER_SECOND = 1000;
const MOST_SECONDS = 240;
/** The healthy twin runs this much longer than the leaking app needed. */
const TWIN_SHARE = 1.2;

const children = new Set();
process.on('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** Starts an app with Heapwarden beside it, and says where it listens and what it wrote. */
async function start(file, directory) {
  const child = spawn(process.execPath, ['--import', 'heapwarden/register', file], {
    cwd: ROOT,
    // Samples five times a second instead of twice a minute, so that the demonstration fits into some minutes.
    env: { ...process.env, HEAPWARDEN_INTERVAL_MS: '200', HEAPWARDEN_DIR: directory },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  const app = { child, stderr: '', directory };
  child.stderr.setEncoding('utf8').on('data', (text) => { app.stderr += text; });
  app.port = await new Promise((resolve, reject) => {
    child.stdout.setEncoding('utf8').on('data', (text) => {
      const found = /listening on (\d+)/.exec(text);
      if (found) resolve(Number(found[1]));
    });
    child.on('error', reject);
    child.on('exit', (code) => reject(new StepError(`${file} ended with code ${code} before it listened:\n${app.stderr}`)));
  });
  return app;
}

function stop({ child }) {
  children.delete(child);
  return new Promise((resolve) => {
    if (child.exitCode !== null) return resolve();
    child.on('exit', resolve);
    child.kill();
    return undefined;
  });
}

const reports = (directory) => (fs.existsSync(directory)
  ? fs.readdirSync(directory).filter((name) => name.endsWith('.json')).map((name) => path.join(directory, name)) : []);

/** Loads `app` until `enough()` or for `seconds`, with a progress line; gives the seconds and the requests answered. */
async function load(app, title, seconds, enough) {
  const autocannon = require('autocannon');
  const run = autocannon({
    url: `http://127.0.0.1:${app.port}/users/7`,
    connections: 10,
    overallRate: REQUESTS_PER_SECOND,
    duration: seconds,
  });
  let answered = 0;
  run.on('response', () => { answered += 1; });
  const started = Date.now();
  const elapsed = () => (Date.now() - started) / 1000;
  const progress = setInterval(() => {
    const line = `  ${title}: ${elapsed().toFixed(0)} s, ${answered} requests answered`;
    if (process.stdout.isTTY) process.stdout.write(`\r${line}`);
    else if (Math.round(elapsed()) % 5 === 0) say(line);
    if (enough()) run.stop();
  }, 1000);
  const result = await run;
  clearInterval(progress);
  if (process.stdout.isTTY) say();
  if (result.errors > 0 || result.non2xx > 0) {
    throw new StepError(`${title}: ${result.errors} errors and ${result.non2xx} bad answers under load`);
  }
  return { seconds: elapsed(), answered };
}

function check(condition, what) {
  if (!condition) throw new StepError(`the demonstration failed: ${what}`);
}

/** Line and file of the class in the leaking app, read from its source, to hold the report against. */
function expected(file) {
  const lines = fs.readFileSync(file, 'utf8').split('\n');
  return { file, line: lines.findIndex((line) => line.includes('constructor(')) + 1 };
}

async function leaking(directory) {
  const file = path.join(ROOT, 'examples', 'express-leak', 'leaky.js');
  say('1. A leaking Express app: examples/express-leak/leaky.js');
  say(`   node --import heapwarden/register leaky.js, under ${REQUESTS_PER_SECOND} requests a second`);
  const app = await start(file, directory);
  const ran = await load(app, 'leaking', MOST_SECONDS, () => reports(directory).length > 0);
  await stop(app);
  check(reports(directory).length > 0, `no leak was reported in ${ran.seconds.toFixed(0)} s\n${app.stderr}`);
  say(`\n   What it printed after ${ran.seconds.toFixed(0)} s and ${ran.answered} requests:\n`);
  say(app.stderr);

  const [first] = JSON.parse(fs.readFileSync(reports(directory)[0], 'utf8')).culprits;
  const place = expected(file);
  check(first?.constructorName === 'RequestRecord', `the first culprit is ${first?.constructorName}, not RequestRecord`);
  check(first.retainerPath.some(({ edge }) => edge === 'requestsById'), 'the path does not name the variable requestsById');
  check(first.location?.file === place.file && first.location.line === place.line,
    `the place is ${first.location?.file}:${first.location?.line}, not ${place.file}:${place.line}`);
  return ran.seconds;
}

async function healthy(directory, seconds) {
  say('2. The fixed twin: examples/express-leak/fixed.js, the same load');
  const app = await start(path.join(ROOT, 'examples', 'express-leak', 'fixed.js'), directory);
  const ran = await load(app, 'healthy', Math.ceil(seconds), () => false);
  await stop(app);
  check(reports(directory).length === 0 && app.stderr === '', `the healthy twin raised something:\n${app.stderr}`);
  say(`   ${ran.answered} requests in ${ran.seconds.toFixed(0)} s: not a word on stderr, no report\n`);
}

async function main() {
  await setup();
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-demo-'));
  try {
    const seconds = await leaking(path.join(root, 'leaking'));
    await healthy(path.join(root, 'healthy'), seconds * TWIN_SHARE);
    say('Done: the leak was found and named, its twin was left alone.');
  } finally {
    fs.rmSync(root, { recursive: true, force: true });
  }
}

main().catch((error) => {
  say(error instanceof StepError ? error.message : error.stack);
  process.exitCode = 1;
});
