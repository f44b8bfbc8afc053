'use strict';

// Heapwarden under a real PM2, fork and cluster mode: four processes start, serve, are reloaded and stopped, each with its recordings.
//
//   node __test__/modes/pm2.js [--version 7.0.4] [--installed FOLDER]
//
// Installs PM2 from the registry into a scratch folder, where it has a home and a daemon of its own. Ends with 1 if anything is not as expected.

const { execFile } = require('node:child_process');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { parseArgs, promisify } = require('node:util');
const { ROOT } = require('./modes');
const { readRecording } = require('../..');

const INSTANCES = 4;
const PORT = 18_431;
const SERVER = `
require(${JSON.stringify(path.join(ROOT, 'lib', 'register.js'))});
const server = require('node:http').createServer((request, response) => response.end(String(process.pid)));
server.listen(${PORT} + (process.env.SPREAD ? Number(process.env.NODE_APP_INSTANCE) : 0), '127.0.0.1', () => process.send && process.send('ready'));
process.on('SIGINT', () => { server.close(() => process.exit(0)); server.closeAllConnections?.(); });
`;

const execute = promisify(execFile);
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

function served(port) {
  return new Promise((resolve) => {
    http.get({ port, host: '127.0.0.1', agent: false }, (response) => response.resume().on('end', () => resolve(response.statusCode === 200)))
      .on('error', () => resolve(false));
  });
}

async function tryMode(folder, pm2, mode) {
  const directory = path.join(folder, mode);
  const config = path.join(folder, `${mode}.config.js`);
  const app = {
    name: mode, script: path.join(folder, 'server.js'), exec_mode: mode, instances: INSTANCES, wait_ready: true, kill_timeout: 5000, cwd: folder,
    env: { HEAPWARDEN_DIR: directory, HEAPWARDEN_INTERVAL_MS: '100', ...(mode === 'fork' && { SPREAD: '1' }) },
  };
  fs.writeFileSync(config, `module.exports = ${JSON.stringify({ apps: [app] })}`);
  const run = (...args) => execute(process.execPath, [pm2, ...args], { cwd: folder, env: { ...process.env, PM2_HOME: path.join(folder, 'home') } });
  const misses = [];
  const expect = (what, expected, found) => { if (expected !== found) misses.push(`${what}: expected ${expected}, found ${found}`); };
  await run('start', config);
  expect('serves', true, await served(PORT));
  await run('reload', mode);
  expect('serves after a reload', true, await served(PORT));
  await sleep(500);
  await run('delete', mode);
  const lives = fs.readdirSync(directory).filter((name) => name.endsWith('.hwr')).map((name) => readRecording(path.join(directory, name)));
  expect('recordings', 2 * INSTANCES, lives.length);
  expect('processes', 2 * INSTANCES, new Set(lives.map(({ header }) => header.pid)).size);
  expect('that ended well', 2 * INSTANCES, lives.filter(({ life }) => life.ended === 'clean').length);
  // Hidden ones say which lives a successor has looked at.
  expect('other files', '', fs.readdirSync(directory).filter((name) => !name.endsWith('.hwr') && !name.startsWith('.')).join());
  console.log(`${mode}: ${misses.length === 0 ? `${INSTANCES} processes, a reload, ${lives.length} recordings` : misses.join('; ')}`);
  return misses.length;
}

async function main() {
  const { values } = parseArgs({ options: { version: { type: 'string', default: '7.0.4' }, installed: { type: 'string' } } });
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-pm2-'));
  const at = values.installed ?? folder;
  try {
    if (!values.installed) {
      fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }');
      await execute('npm', ['install', '--no-audit', '--no-fund', '--no-package-lock', `pm2@${values.version}`], { cwd: folder });
    }
    const pm2 = path.join(at, 'node_modules', 'pm2', 'bin', 'pm2');
    fs.writeFileSync(path.join(folder, 'server.js'), SERVER);
    let wrong = 0;
    try {
      for (const mode of ['fork', 'cluster']) wrong += await tryMode(folder, pm2, mode);
    } finally {
      await execute(process.execPath, [pm2, 'kill'], { cwd: folder, env: { ...process.env, PM2_HOME: path.join(folder, 'home') } });
    }
    process.exitCode = wrong > 0 ? 1 : 0;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(error.stderr ?? error.stdout ?? error.message);
  process.exitCode = 1;
});
