#!/usr/bin/env node
'use strict';

// The command `heapwarden`: finds the subcommand, reads its options, and turns its end into an exit code.

// Called experimental by 18, which warns of nothing and has all that is used here.
// eslint-disable-next-line n/no-unsupported-features/node-builtins
const { parseArgs } = require('node:util');
const { version } = require('../../package.json');
const { plainLines } = require('../plain');
const { paint } = require('./text');

/** Exit codes, which scripts rely on. */
const OK = 0;
const BAD_INPUT = 1;
const USAGE = 2;

/** A subcommand is a module with `summary`, `usage`, `options` (as parseArgs takes them) and `run(values, positionals)`. */
const COMMANDS = {
  run: () => require('./run'),
  summarize: () => require('./summarize'),
  diff: () => require('./diff'),
  report: () => require('./report'),
  postmortem: () => require('./postmortem'),
  replay: () => require('./replay'),
  fingerprint: () => require('./fingerprint'),
  capabilities: () => require('./capabilities'),
};

/** What is wrong is how the command was called. */
class UsageError extends Error {}

function help() {
  const names = Object.keys(COMMANDS);
  const width = Math.max(...names.map((name) => name.length));
  return `heapwarden ${version}

Usage: heapwarden <command> [options]
       heapwarden <command> --help
       heapwarden --version

Commands:
${names.map((name) => `  ${name.padEnd(width)}  ${COMMANDS[name]().summary}`).join('\n')}

Exit codes: ${OK} done, ${BAD_INPUT} an input or an output went wrong, ${USAGE} called in a way that is not understood, 130 and 143 ended by SIGINT and SIGTERM;
of run those of the program.
`;
}

/** The command line after the program's name; resolves to the exit code. */
async function main(args) {
  const [name, ...rest] = args;
  try {
    if (name === '--version' || name === '-v') return await print(`${version}\n`);
    if (name === '--help' || name === '-h') return await print(help());
    if (name === undefined) throw new UsageError('expected a command');
    if (!Object.hasOwn(COMMANDS, name)) throw new UsageError(`expected a command, found ${JSON.stringify(name)}`);
    const command = COMMANDS[name]();
    const { values, positionals } = parsed(command, rest);
    if (values.help) return await print(command.usage);
    return await command.run(values, positionals, { UsageError, print });
  } catch (error) {
    process.stderr.write(`${paint(process.stderr).bad('heapwarden:')} ${plainLines(error.message)}\n`);
    if (!(error instanceof UsageError)) return error.exitCode ?? BAD_INPUT;
    process.stderr.write(`Try: heapwarden ${Object.hasOwn(COMMANDS, name ?? '') ? `${name} ` : ''}--help\n`);
    return USAGE;
  }
}

function parsed(command, args) {
  try {
    return parseArgs({
      args,
      options: { ...command.options, help: { type: 'boolean', short: 'h' } },
      allowPositionals: true,
    });
  } catch (error) {
    throw new UsageError(error.message);
  }
}

/** Writes to stdout, and waits until it is written: a pipe may be slow. One that nobody reads any more is no failure. */
function print(text) {
  return new Promise((resolve, reject) => {
    process.stdout.once('error', (error) => (error.code === 'EPIPE' ? resolve(OK) : reject(error)));
    process.stdout.write(text, () => resolve(OK));
  });
}

module.exports = { main };

if (require.main === module) {
  main(process.argv.slice(2)).then((code) => {
    process.exitCode = code;
  });
}
