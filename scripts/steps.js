'use strict';

// Runs child commands: a title, the output as it comes, and a clear word when it fails.

const { spawn } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');

const ROOT = path.resolve(__dirname, '..');
const WINDOWS = process.platform === 'win32';

/** Children under way, so that an interrupted gate leaves none behind. */
const children = new Set();

class StepError extends Error {
  constructor(message, output = '') {
    super(message);
    this.name = 'StepError';
    this.output = output;
  }
}

function say(line = '') {
  process.stdout.write(`${line}\n`);
}

function seconds(since) {
  return `${((Date.now() - since) / 1000).toFixed(1)} s`;
}

/** The environment for a child: what the surrounding `npm run` said about *this* package is not the child's. */
function childEnv(changes = {}) {
  const env = { ...process.env };
  for (const name of Object.keys(env)) {
    if (/^npm_(package|lifecycle|command$|config_local_prefix$)/i.test(name)) delete env[name];
    // A test runner that finds itself inside another one reports to it, and prints nothing.
    if (name === 'NODE_TEST_CONTEXT') delete env[name];
  }
  for (const [name, value] of Object.entries(changes)) {
    if (value === undefined) delete env[name];
    else env[name] = value;
  }
  return env;
}

function kill(child) {
  try {
    if (WINDOWS) child.kill('SIGKILL');
    else process.kill(-child.pid, 'SIGKILL');
  } catch {
    // It ended by itself in the meantime.
  }
}

for (const [signal, code] of [['SIGINT', 130], ['SIGTERM', 143], ['SIGHUP', 129]]) {
  process.once(signal, () => {
    for (const child of children) kill(child);
    process.exit(code);
  });
}

/** Hands `onLine` every whole line of a stream, and at its end what is left. */
function eachLine(stream, onLine) {
  let rest = '';
  stream.setEncoding('utf8');
  stream.on('data', (chunk) => {
    const lines = (rest + chunk).split(/\r?\n/);
    rest = lines.pop();
    lines.forEach(onLine);
  });
  stream.on('end', () => {
    if (rest !== '') onLine(rest);
  });
}

/**
 * Runs one command and resolves to `{ code, signal, output }`, whatever the exit code was.
 *
 * Options: `cwd`, `env` (changes; undefined removes), `label` (before every line), `timeoutMs`, `quiet` (collect only), `givesWay` (a lower
 * priority).
 */
function capture(command, args = [], options = {}) {
  const { cwd = ROOT, env, label = '', timeoutMs = 900_000, quiet = false, givesWay = false } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd,
      env: childEnv(env),
      stdio: ['ignore', 'pipe', 'pipe'],
      detached: !WINDOWS,
      // npm and npx are .cmd files there.
      shell: WINDOWS && !path.isAbsolute(command),
    });
    children.add(child);
    if (givesWay && child.pid !== undefined) os.setPriority(child.pid, os.constants.priority.PRIORITY_BELOW_NORMAL);
    let output = '';
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      kill(child);
    }, timeoutMs);
    const onLine = (line) => {
      output += `${line}\n`;
      if (!quiet) say(label === '' ? `  ${line}` : `  ${label} | ${line}`);
    };
    eachLine(child.stdout, onLine);
    eachLine(child.stderr, onLine);
    const done = () => {
      clearTimeout(timer);
      children.delete(child);
    };
    child.on('error', (error) => {
      done();
      const cause = error.code === 'ENOENT' ? 'no such program on the PATH' : error.message;
      reject(new StepError(`${command}: ${cause}`));
    });
    child.on('close', (code, signal) => {
      done();
      if (timedOut) onLine(`killed: still running after ${timeoutMs / 1000} s`);
      resolve({ code, signal, output, timedOut });
    });
  });
}

/** Runs one command and resolves to its output; any end but exit code 0 is a `StepError`. */
async function run(title, command, args = [], options = {}) {
  const since = Date.now();
  if (!options.quiet) say(`> ${title}: ${[path.basename(command), ...args].join(' ')}`);
  const { code, signal, output, timedOut } = await capture(command, args, options);
  if (code !== 0) {
    const how = timedOut ? 'took too long' : code === null ? `was killed by ${signal}` : `exited with code ${code}`;
    // What was not streamed is shown now: a failure without its output helps nobody.
    if (options.quiet) output.split('\n').forEach((line) => say(`  ${line}`));
    throw new StepError(`${title}: ${path.basename(command)} ${how} after ${seconds(since)}`, output);
  }
  return output;
}

module.exports = { ROOT, StepError, capture, run, say, seconds };
