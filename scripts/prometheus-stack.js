'use strict';

// A real Prometheus and Alertmanager on loopback, with the rules of examples/prometheus and short intervals, for the scripts that want to see them fire.

const { spawn } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const path = require('node:path');
const { aroundAlertmanager, fetchedPrograms } = require('./prometheus-packages');
const { ROOT } = require('./steps');

const RULES = path.join(ROOT, 'examples', 'prometheus', 'heapwarden.rules.yml');
const HOW_TO_GET = 'apt-get install prometheus prometheus-alertmanager';

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** Where the first of these programs is that one of the folders has. */
function program(folders, ...names) {
  return names.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => fs.existsSync(file));
}

function programsIn(folders) {
  return {
    prometheus: program(folders, 'prometheus'), promtool: program(folders, 'promtool'), alertmanager: program(folders, 'alertmanager', 'prometheus-alertmanager'),
  };
}

/**
 * `{ programs, missing }`: where the programs are, in HEAPWARDEN_PROMETHEUS_BIN, on the PATH, or in packages that are fetched for that; and which are
 * nowhere.
 */
function findPrograms() {
  const folders = [process.env.HEAPWARDEN_PROMETHEUS_BIN, ...(process.env.PATH ?? '').split(path.delimiter)].filter(Boolean);
  let programs = programsIn(folders);
  if (Object.values(programs).includes(undefined)) programs = programsIn([...folders, fetchedPrograms()].filter(Boolean));
  const around = aroundAlertmanager();
  if (around === undefined) programs.alertmanager = undefined;
  const missing = Object.keys(programs).filter((name) => programs[name] === undefined);
  return { programs: { ...programs, around }, missing };
}

const children = [];
process.once('exit', () => children.forEach((child) => child.kill('SIGKILL')));

/** Starts a program that is to run until `endAll()`; what it says is in `child.log`, the newest 20 000 characters of it. */
function start(file, args, options) {
  const child = spawn(file, args, { stdio: ['pipe', 'pipe', 'pipe'], ...options });
  children.push(child);
  child.log = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { child.log = (child.log + text).slice(-20_000); });
  child.on('error', (error) => { child.log += error.message; });
  return child;
}

/** Ends all that was started. */
async function endAll() {
  for (const child of children.splice(0)) {
    child.kill();
    if (child.exitCode === null && child.signalCode === null) await Promise.race([once(child, 'exit'), sleep(5000)]);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  }
}

/** Waits until `condition()` gives something, and for none of the children to end before. */
async function until(condition, what, deadlineMs = 60_000) {
  const end = Date.now() + deadlineMs;
  for (;;) {
    const value = await condition();
    if (value) return value;
    const gone = children.find(({ exitCode, signalCode }) => exitCode !== null || signalCode !== null);
    if (gone) throw new Error(`${path.basename(gone.spawnfile)} ended with ${gone.exitCode ?? gone.signalCode}:\n${gone.log}`);
    if (Date.now() > end) throw new Error(`still waiting for ${what}`);
    await sleep(200);
  }
}

/** What an address answers: `{ status, body, headers }`; status 0 where nobody does. */
function get(url, headers = {}) {
  return new Promise((resolve) => {
    http.get(url, { agent: false, headers }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text) => { body += text; }).on('end', () => resolve({ status: response.statusCode, body, headers: response.headers }));
    }).on('error', () => resolve({ status: 0, body: '', headers: {} }));
  });
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  await new Promise((resolve) => { server.close(resolve); });
  return port;
}

/** Starts both in `folder`: `scrape` is Prometheus's scrape_config, `receiverPort` where Alertmanager's webhooks go. Gives where Prometheus is. */
async function startStack({ prometheus, alertmanager, around }, folder, { receiverPort, scrape }) {
  const alertmanagerAt = `127.0.0.1:${await freePort()}`;
  // JSON is YAML.
  fs.writeFileSync(path.join(folder, 'alertmanager.yml'), JSON.stringify({
    route: { receiver: 'test', group_by: ['alertname', 'instance'], group_wait: '1s', group_interval: '2s', repeat_interval: '1h' },
    receivers: [{ name: 'test', webhook_configs: [{ url: `http://127.0.0.1:${receiverPort}/`, send_resolved: true }] }],
  }));
  const [command, ...before] = [...around, alertmanager];
  start(command, [
    ...before, `--config.file=${path.join(folder, 'alertmanager.yml')}`, `--storage.path=${path.join(folder, 'alertmanager')}`,
    `--web.listen-address=${alertmanagerAt}`, '--cluster.listen-address=',
  ], { cwd: folder });

  const prometheusAt = `127.0.0.1:${await freePort()}`;
  fs.writeFileSync(path.join(folder, 'prometheus.yml'), JSON.stringify({
    global: { scrape_interval: '1s', evaluation_interval: '1s' },
    rule_files: [RULES],
    alerting: { alertmanagers: [{ static_configs: [{ targets: [alertmanagerAt] }] }] },
    scrape_configs: [scrape],
  }));
  start(prometheus, [
    `--config.file=${path.join(folder, 'prometheus.yml')}`, `--storage.tsdb.path=${path.join(folder, 'prometheus')}`,
    `--web.listen-address=${prometheusAt}`,
  ], { cwd: folder });
  return { prometheusAt };
}

module.exports = { HOW_TO_GET, endAll, findPrograms, get, sleep, start, startStack, until };
