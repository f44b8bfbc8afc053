'use strict';

// The rules of examples/prometheus in a real Prometheus, with a real Alertmanager behind it: the alert arrives for a program that leaks, and
// none for its twin. Everything listens on loopback and ends with this.
//
//   npm run prometheus [-- --require]     takes `prometheus`, `promtool` and an Alertmanager from HEAPWARDEN_PROMETHEUS_BIN or the PATH
//
// Where they are not there, the packages of Debian or Ubuntu are fetched into .cache. Where that cannot be, this is skipped, and says so; with --require it
// fails.

const { spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { HOW_TO_GET, endAll, findPrograms, get, sleep, start, startStack, until } = require('./prometheus-stack');
const { ROOT, say } = require('./steps');

const EXAMPLES = path.join(ROOT, 'examples', 'prometheus');
const FIXTURE = path.join(ROOT, '__test__', 'fixtures', 'metered.js');
const DEADLINE_MS = 300_000;
/** How long the healthy twin is watched after the leak was told. */
const LONGER_MS = 20_000;

/** Runs `promtool`; what it finds fault with is an error. */
function promtool(tool, ...args) {
  const { status, stdout, stderr } = spawnSync(tool, args, { cwd: EXAMPLES, encoding: 'utf8' });
  if (status !== 0) throw new Error(`promtool ${args.join(' ')}: ${stdout}${stderr}`);
  say(`promtool ${args.slice(0, 2).join(' ')}: ${stdout.trim().split('\n').at(-1).trim()}`);
}

/** The dashboard's queries as rules, so that promtool reads each. */
function checkDashboard(tool, folder) {
  const queries = [];
  const visit = (value) => {
    if (value === null || typeof value !== 'object') return;
    if (typeof value.expr === 'string') queries.push(value.expr);
    Object.values(value).forEach(visit);
  };
  visit(JSON.parse(fs.readFileSync(path.join(EXAMPLES, 'dashboard.json'), 'utf8')));
  const rules = queries.map((expr, i) => ({ record: `dashboard:query:${i}`, expr: expr.replace(/\$(job|instance)/g, '.*') }));
  const file = path.join(folder, 'dashboard.rules.yml');
  // JSON is YAML.
  fs.writeFileSync(file, JSON.stringify({ groups: [{ name: 'dashboard', rules }] }));
  promtool(tool, 'check', 'rules', file);
}

async function metered(mode) {
  const child = start(process.execPath, [FIXTURE, mode], { cwd: ROOT });
  const port = await until(() => /^(\d+)$/m.exec(child.log)?.[1], `the ${mode} program`);
  return `127.0.0.1:${port}`;
}

/** Asks both programs alike, until it is told to stop. */
function drive(targets) {
  const state = { over: false };
  const agent = new http.Agent({ keepAlive: true });
  const ask = (target) => new Promise((resolve) => {
    http.get(`http://${target}/baskets/1`, { agent }, (response) => response.resume().on('end', resolve)).on('error', resolve);
  });
  state.done = (async () => {
    while (!state.over) {
      await Promise.all(targets.flatMap((target) => [ask(target), ask(target)]));
      await sleep(4);
    }
    agent.destroy();
  })();
  return state;
}

async function live(programs, folder) {
  const told = [];
  const receiver = http.createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text) => { body += text; }).on('end', () => {
      told.push(...JSON.parse(body).alerts);
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');

  const leaky = await metered('leak');
  const healthy = await metered('healthy');
  const traffic = drive([leaky, healthy]);

  const { prometheusAt } = await startStack(programs, folder, {
    receiverPort: receiver.address().port, scrape: { job_name: 'app', static_configs: [{ targets: [leaky, healthy] }] },
  });

  const query = async (expr) => {
    const { status, body } = await get(`http://${prometheusAt}/api/v1/query?query=${encodeURIComponent(expr)}`);
    return status === 200 ? JSON.parse(body).data.result : [];
  };
  await until(async () => (await query('up{job="app"} == 1')).length === 2, 'both programs to be scraped');
  const { body } = await get(`http://${prometheusAt}/api/v1/targets`);
  const errors = JSON.parse(body).data.activeTargets.map(({ lastError }) => lastError).filter(Boolean);
  if (errors.length > 0) throw new Error(`a scrape failed: ${errors}`);
  const metadata = JSON.parse((await get(`http://${prometheusAt}/api/v1/metadata?limit=1000`)).body).data;
  const known = Object.keys(metadata).filter((name) => name.startsWith('heapwarden_'));
  say(`prometheus knows ${known.length} metrics of ours`);

  const since = Date.now();
  const isLeak = ({ labels, status }) => labels.alertname === 'HeapwardenLeak' && status === 'firing';
  await until(() => told.some((alert) => isLeak(alert) && alert.labels.instance === leaky), 'the alert of the leak', DEADLINE_MS);
  say(`the alert of the leak arrived after ${Math.round((Date.now() - since) / 1000)} s: ${told.find(isLeak).annotations.summary}`);
  await sleep(LONGER_MS);
  const wrong = told.filter(({ labels, status }) => status === 'firing' && labels.instance === healthy);
  if (wrong.length > 0) throw new Error(`alerts of the healthy twin: ${JSON.stringify(wrong.map(({ labels }) => labels))}`);
  const [count] = await query('job:heapwarden_leaking:count');
  if (count?.value[1] !== '1') throw new Error(`one leaks, and the recording rule says ${JSON.stringify(count)}`);
  say('no alert of the healthy twin');

  traffic.over = true;
  await traffic.done;
  receiver.close();
  receiver.closeAllConnections();
}

async function main() {
  const { programs, missing } = findPrograms();
  if (missing.length > 0) {
    say(`SKIPPED: ${missing.join(', ')} not found: the rules, the alerts and the dashboard were NOT checked (${HOW_TO_GET})`);
    process.exit(process.argv.includes('--require') ? 1 : 0);
  }
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-prometheus-'));
  try {
    promtool(programs.promtool, 'check', 'rules', 'heapwarden.rules.yml');
    promtool(programs.promtool, 'test', 'rules', 'heapwarden.rules.test.yml');
    promtool(programs.promtool, 'check', 'config', '--syntax-only', 'prometheus.yml');
    checkDashboard(programs.promtool, folder);
    await live(programs, folder);
  } finally {
    await endAll();
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

main().then(() => process.exit(0), (error) => {
  say(`FAILED: ${error.message}`);
  process.exit(1);
});
