'use strict';

// Everything that the snapshot benchmark runs, ours first. Each tool says how to be run and how to read its answer.

const { execFileSync } = require('node:child_process');
const path = require('node:path');
const { installed } = require('../install');

const TARGET = process.env.CARGO_TARGET_DIR ?? path.resolve(__dirname, '..', '..', 'target', 'bench');

/** Builds a Rust program of the benchmark and gives its path. */
function cargo(folder, name) {
  const args = ['build', '--release', '--locked', '--quiet', '--target-dir', TARGET];
  execFileSync('cargo', args, { cwd: path.join(__dirname, folder), stdio: ['ignore', 2, 2] });
  return path.join(TARGET, 'release', process.platform === 'win32' ? `${name}.exe` : name);
}

const script = (name) => ({
  command: (work, args) => [process.execPath, '--max-old-space-size=8192', path.join(__dirname, name), work, ...args],
  // What a library prints while it loads comes before.
  answer: (_work, stdout) => JSON.parse(stdout.trimEnd().split('\n').pop()),
});

const ours = {
  name: 'heapwarden',
  ...script('ours.js'),
  prepare() {
    this.missing = require('./ours').missing;
  },
};

const crate = {
  name: 'v8-heap-parser',
  prepare() {
    this.binary = cargo('v8-heap-parser', 'rival-v8-heap-parser');
  },
  command(work, args) {
    return [this.binary, work, ...args];
  },
  answer: (_work, stdout) => JSON.parse(stdout),
};

const tool = {
  name: '@heap-snapshot/tool',
  clients: ['paths'],
  prepare() {
    installed(__dirname);
    const { program, command, answer } = require('./heap-snapshot-tool');
    program();
    Object.assign(this, { command, answer });
  },
};

const memlab = {
  name: 'memlab',
  ...script('memlab.js'),
  prepare() {
    installed(__dirname);
  },
};

const devtools = {
  name: 'DevTools',
  ...script('devtools.js'),
  prepare: () => require('../devtools/engine').bundle(),
};

module.exports = { ours, rivals: [crate, tool, memlab, devtools], crate, measureProgram: () => cargo('measure', 'measure') };
