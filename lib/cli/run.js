'use strict';

// `heapwarden run`: a program with a monitor beside it, as if it were started by itself.

const { spawn } = require('node:child_process');
const os = require('node:os');
const path = require('node:path');
const { examine, isBad, namesIn, recordingsAmong } = require('../deaths');
const { alertMessage } = require('../messages');
const { plain } = require('./text');

const summary = 'starts a program with a monitor beside it';

const usage = `heapwarden run [options] -- <command> [arguments]

Starts a Node.js program with heapwarden/register, which tells its alerts on stderr and writes its evidence. Settings are those of HEAPWARDEN_*;
the options below are set before them.

  heapwarden run -- node server.js
  heapwarden run --dir /evidence -- npm start

  --dir <dir>            where evidence goes (HEAPWARDEN_DIR)
  --interval-ms <n>      time between two samples (HEAPWARDEN_INTERVAL_MS)
  --evidence <what>      auto, summary, snapshot or none (HEAPWARDEN_EVIDENCE)
  --json                 alerts as JSON lines, {"heapwarden":{"event":...}} (HEAPWARDEN_OUTPUT=json)
  -h, --help

Where the command is node, it is given --require heapwarden/register; any other command gets it by NODE_OPTIONS, and with it every Node.js
program that it starts. Signals are passed on, but for SIGINT and SIGQUIT where stdin is a terminal, which sends them to both.

Exit codes: the program's; 128 and the signal's number where a signal ended it; 126 it cannot be executed, 127 it is not found, 2 called in a
way that is not understood.
`;

const options = {
  dir: { type: 'string' },
  'interval-ms': { type: 'string' },
  evidence: { type: 'string' },
  json: { type: 'boolean' },
};

const REGISTER = require.resolve('../register');
const PASSED_ON = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT', 'SIGUSR1', 'SIGUSR2', 'SIGBREAK'];
/** What a terminal sends to all that run in its foreground. */
const OF_TERMINALS = new Set(['SIGINT', 'SIGQUIT', 'SIGBREAK']);
const FAILED = { ENOENT: 127, EACCES: 126 };

async function run(values, [command, ...args], { UsageError }) {
  if (command === undefined) throw new UsageError('expected a command after --');
  const env = { ...process.env, ...settings(values, UsageError) };
  const isNode = /^node(\.exe)?$/i.test(path.basename(command));
  if (!isNode) env.NODE_OPTIONS = [env.NODE_OPTIONS, `--require ${quoted(REGISTER)}`].filter(Boolean).join(' ');
  const child = spawn(command, isNode ? ['--require', REGISTER, ...args] : args, { stdio: 'inherit', env });
  const { code, signal, error } = await ended(child);
  if (error) {
    process.stderr.write(`heapwarden: ${plain(command)} could not be started: ${error.code ?? error.message}\n`);
    return FAILED[error.code] ?? 1;
  }
  if (signal !== null || code !== 0) await tellOfDeath(child.pid, path.resolve(env.HEAPWARDEN_DIR?.trim() || 'heapwarden-evidence'));
  return signal === null ? code : 128 + os.constants.signals[signal];
}

function settings({ dir, 'interval-ms': intervalMs, evidence, json }, UsageError) {
  if (intervalMs !== undefined && !/^\d+$/.test(intervalMs)) throw new UsageError(`--interval-ms: expected a number, found "${intervalMs}"`);
  if (dir === '') throw new UsageError('--dir: expected a directory, found ""');
  if (evidence !== undefined && !['auto', 'summary', 'snapshot', 'none'].includes(evidence)) {
    throw new UsageError(`--evidence: expected auto, summary, snapshot or none, found "${evidence}"`);
  }
  return {
    ...(dir !== undefined && { HEAPWARDEN_DIR: dir }),
    ...(intervalMs !== undefined && { HEAPWARDEN_INTERVAL_MS: intervalMs }),
    ...(evidence !== undefined && { HEAPWARDEN_EVIDENCE: evidence }),
    ...(json && { HEAPWARDEN_OUTPUT: 'json' }),
  };
}

/** As NODE_OPTIONS reads it: in quotes, with a backslash before what they would end. */
const quoted = (text) => `"${text.replace(/[\\"]/g, '\\$&')}"`;

/** Waits for the end, and passes signals on until then. */
function ended(child) {
  return new Promise((resolve) => {
    const handlers = PASSED_ON.map((name) => [name, () => {
      if (!(OF_TERMINALS.has(name) && process.stdin.isTTY)) child.kill(name);
    }]);
    const over = (how) => {
      for (const [name, handler] of handlers) process.off(name, handler);
      resolve(how);
    };
    // Not all of them are known to every system.
    for (const [name, handler] of handlers) if (name in os.constants.signals) process.on(name, handler);
    child.once('error', (error) => over({ error }));
    child.once('exit', (code, signal) => over({ code, signal }));
  });
}

/** Says of what the process died, if it was recorded. Whoever starts next tells it as well. */
async function tellOfDeath(pid, directory) {
  try {
    const names = await namesIn(directory);
    const [name] = recordingsAmong(names).filter((file) => file.endsWith(`-${pid}-0.hwr`));
    const finding = name && await examine(path.join(directory, name), names);
    if (finding && isBad(finding)) process.stderr.write(`heapwarden: ${plain(alertMessage('postmortem', finding))}\n`);
  } catch {
    // What cannot be read is no reason to hide how the program ended.
  }
}

module.exports = { summary, usage, options, run };
