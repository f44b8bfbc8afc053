'use strict';

// The packages of bench/package.json, which only benchmarks need: installed when the first one asks.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

const BENCH = __dirname;
const requireInstalled = createRequire(path.join(BENCH, 'package.json'));

/** Installs what is missing in a folder with a package.json; true where there was something to do. */
function installed(folder = BENCH) {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
  const isThere = ([name, version]) => {
    const manifest = path.join(folder, 'node_modules', name, 'package.json');
    return fs.existsSync(manifest) && JSON.parse(fs.readFileSync(manifest, 'utf8')).version === version;
  };
  if (Object.entries(dependencies).every(isThere)) return false;
  const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
  // Output to stderr: what a benchmark prints on stdout may be read by a program.
  execFileSync(npm, ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: folder, stdio: ['ignore', 2, 2] });
  return true;
}

module.exports = { BENCH, installed, requireInstalled };
