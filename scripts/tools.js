'use strict';

// Rust tools that the gate needs and a machine with Rust need not have.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, StepError, capture, run } = require('./steps');

const TOOLS = path.join(ROOT, '.cache', 'tools');
const DENY = '0.20.2';

async function answers(command, args, expected) {
  try {
    const { code, output } = await capture(command, args, { quiet: true, timeoutMs: 60_000 });
    return code === 0 && output.includes(expected);
  } catch {
    return false;
  }
}

/** Resolves to the path of cargo-deny, installed into .cache/tools once (about a minute). */
async function cargoDeny() {
  const binary = path.join(TOOLS, 'bin', process.platform === 'win32' ? 'cargo-deny.exe' : 'cargo-deny');
  if (fs.existsSync(binary) && (await answers(binary, ['--version'], DENY))) return binary;
  // Without optimisation: it is built once for a check that takes a second.
  const args = ['install', '--debug', '--locked', '--force', '--root', TOOLS, 'cargo-deny', '--version', DENY];
  await run(`install cargo-deny ${DENY}`, 'cargo', args, { timeoutMs: 1_800_000, givesWay: true });
  return binary;
}

/** rustfmt and clippy are parts of the toolchain that a minimal installation leaves out. */
async function component(name, command) {
  if (await answers('cargo', [command, '--version'], '.')) return;
  try {
    await run(`add ${name}`, 'rustup', ['component', 'add', name], { timeoutMs: 600_000 });
  } catch (error) {
    throw new StepError(`\`cargo ${command}\` is not available; install ${name} (${error.message})`);
  }
}

module.exports = { cargoDeny, component };
