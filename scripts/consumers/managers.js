'use strict';

// Package managers, each in the layouts of node_modules that it makes, with the files that make it do so.

const path = require('node:path');

/** What is installed beside npm, with the versions that were tried. */
const TOOLS = { pnpm: '12.21.0', yarn: '1.22.22', '@yarnpkg/cli-dist': '4.18.1', webpack: '5.112.2' };

const bin = (tools, ...parts) => path.join(tools, 'node_modules', ...parts);

const berry = (lines) => ({ registry }) => ({
  '.yarnrc.yml': ['enableGlobalCache: false', 'globalFolder: .yarn-global', 'enableTelemetry: false', 'enableImmutableInstalls: false', 'unsafeHttpWhitelist: ["127.0.0.1"]', `npmRegistryServer: "${registry}"`, ...lines, ''].join('\n'),
  // Without one it looks for a project further up.
  'yarn.lock': '',
});

const YARN_BERRY = (tools) => [process.execPath, [bin(tools, '@yarnpkg', 'cli-dist', 'bin', 'yarn.js'), 'install']];

/** Names of pnpm's entry differ from one major version to the next. */
const PNPM = (tools, flags = []) => [bin(tools, '.bin', 'pnpm'), ['install', '--no-frozen-lockfile', '--ignore-scripts', ...flags]];

/** By name: `command(tools)`, `files({ registry })`, and for Plug'n'Play `node`, the flags with which Node finds anything. */
const MANAGERS = {
  npm: { command: () => ['npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts']] },
  'npm, linked': { command: () => ['npm', ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--install-strategy=linked']] },
  pnpm: { command: (tools) => PNPM(tools) },
  'pnpm, hoist=false': { command: (tools) => PNPM(tools), files: () => ({ 'pnpm-workspace.yaml': 'hoist: false\n' }) },
  // It reads os and cpu, and not libc.
  'yarn classic': { brings: ['linux-x64-gnu', 'linux-x64-musl'], command: (tools) => [process.execPath, [bin(tools, 'yarn', 'bin', 'yarn.js'), 'install', '--ignore-scripts', '--non-interactive']] },
  'yarn, node-modules': { command: YARN_BERRY, files: berry(['nodeLinker: node-modules']) },
  // It makes a folder for each package, of which one is whole.
  'yarn, pnpm': { brings: null, command: YARN_BERRY, files: berry(['nodeLinker: pnpm']) },
  "yarn, Plug'n'Play": { command: YARN_BERRY, files: berry(['nodeLinker: pnp', 'pnpEnableEsmLoader: true']), node: (app) => ['--require', path.join(app, '.pnp.cjs'), '--experimental-loader', path.join(app, '.pnp.loader.mjs'), '--no-warnings'] },
};

module.exports = { MANAGERS, TOOLS, bin };
