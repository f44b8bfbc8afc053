'use strict';

// The package as its users meet it: packed, installed into fresh apps beside the newest Express 4, Express 5 and Fastify, the README's lines
// pasted, a leak under load. The alert has to arrive at a webhook with the culprit, Prometheus has to fire, and the report and its page in a
// browser have to name it.
//
//   npm run scratch [-- --only express-5,fastify] [--require]     --require: fail where Prometheus or Chromium is not there, instead of saying so

const { spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { distHere } = require('./dist');
const { chromium, launch, opened } = require('./page/browser');
const { HOW_TO_GET, endAll, findPrograms, get, start, startStack, until } = require('./prometheus-stack');
const { APPS, startArguments } = require('./scratch-apps');
const { setup } = require('./setup');
const { run, say, seconds } = require('./steps');

const DEADLINE_MS = 300_000;
const REQUESTS_PER_SECOND = 200;
const TOKEN = 'scratch-5f0c8e17a3b2d4906a1e';
/** Samples five times a second instead of twice a minute, so that a leak is proven while somebody waits. */
const INTERVAL_MS = '200';

/** A server on loopback that keeps what it is sent, parsed. */
async function receiver() {
  const told = [];
  const server = http.createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text) => { body += text; }).on('end', () => {
      told.push(JSON.parse(body));
      response.end();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { told, port: server.address().port, close() { server.close(); server.closeAllConnections(); } };
}

/** An app in a folder of its own, from the tarballs and the registry. */
async function install(root, tarballs, name) {
  const { framework, program } = APPS[name];
  const folder = path.join(root, name);
  fs.mkdirSync(folder);
  fs.writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ name: `scratch-${name}`, private: true }));
  fs.writeFileSync(path.join(folder, 'server.js'), program());
  await run(`install ${name}`, 'npm', ['install', '--no-audit', '--no-fund', ...tarballs, framework], { cwd: folder, quiet: true, timeoutMs: 300_000 });
  const [module] = framework.split('@');
  const { version } = JSON.parse(fs.readFileSync(path.join(folder, 'node_modules', module, 'package.json'), 'utf8'));
  say(`  ${name}: ${module} ${version}`);
  return { name, folder, evidence: path.join(folder, 'evidence') };
}

async function serve(app, webhookPort) {
  app.child = start(process.execPath, startArguments(), {
    cwd: app.folder,
    env: {
      ...process.env,
      HEAPWARDEN_INTERVAL_MS: INTERVAL_MS,
      HEAPWARDEN_DIR: app.evidence,
      HEAPWARDEN_TOKEN: TOKEN,
      HEAPWARDEN_WEBHOOK_URL: `http://127.0.0.1:${webhookPort}/`,
      OTEL_SERVICE_NAME: app.name,
    },
  });
  app.port = await until(() => /^listening on (\d+)$/m.exec(app.child.log)?.[1], `${app.name} to listen`);
}

function load(app) {
  const autocannon = require('autocannon');
  const instance = autocannon({ url: `http://127.0.0.1:${app.port}/users/7`, connections: 5, overallRate: REQUESTS_PER_SECOND, duration: DEADLINE_MS / 1000 });
  return { over: async () => { instance.stop(); const { errors, non2xx, '2xx': answered } = await instance; return { errors, non2xx, answered }; } };
}

function check(condition, what) {
  if (!condition) throw new Error(what);
}

/** What is wrong with how a culprit is named, or undefined. */
function misnamed(app, { constructorName, retainerPath = [], location } = {}) {
  const line = fs.readFileSync(path.join(app.folder, 'server.js'), 'utf8').split('\n').findIndex((text) => text.includes('constructor(')) + 1;
  if (constructorName !== 'Session') return `the culprit is ${constructorName}, not Session`;
  if (!retainerPath.some(({ edge }) => edge === 'sessionsByRequest')) return `its path does not name sessionsByRequest: ${JSON.stringify(retainerPath)}`;
  const place = `${path.basename(location?.file ?? '')}:${location?.line}`;
  return place === `server.js:${line}` ? undefined : `it is placed at ${place}, not server.js:${line}`;
}

/** The endpoints of the README's lines: nothing without the token, the leak with it. */
async function askEndpoints(app) {
  const base = `http://127.0.0.1:${app.port}/_heap`;
  for (const headers of [{}, { authorization: `Bearer ${TOKEN}0` }]) {
    const { status, body } = await get(`${base}/report`, headers);
    check(status === 401 && body === '', `${app.name}: ${status} and ${body.length} bytes without the right token, not 401 and none`);
  }
  const { status, body } = await get(`${base}/report`, { authorization: `Bearer ${TOKEN}` });
  check(status === 200, `${app.name}: /report answers ${status}`);
  const wrong = misnamed(app, JSON.parse(body).culprits[0]);
  check(wrong === undefined, `${app.name}: /report: ${wrong}`);
}

/** `heapwarden report` of the installed package on the evidence; gives what it prints. */
function report(app, ...options) {
  const command = path.join(app.folder, 'node_modules', '.bin', process.platform === 'win32' ? 'heapwarden.cmd' : 'heapwarden');
  const { status, stdout, stderr } = spawnSync(command, ['report', app.evidence, ...options], { cwd: app.folder, encoding: 'utf8', shell: process.platform === 'win32' });
  check(status === 0, `${app.name}: heapwarden report ended with ${status}: ${stderr}`);
  return stdout;
}

function readEvidence(app) {
  const { leaks } = JSON.parse(report(app, '--json'));
  const wrong = misnamed(app, leaks[0]);
  check(wrong === undefined, `${app.name}: heapwarden report: ${wrong}`);
}

/** The page of the evidence, as a browser shows it. */
async function openPage(app, browser) {
  const file = path.join(app.folder, 'report.html');
  report(app, '-o', file);
  const text = await opened(browser, file, {}, (page) => page.evaluate('document.body.innerText'));
  for (const what of ['Session', 'sessionsByRequest', 'server.js']) check(text.includes(what), `${app.name}: the page does not show ${what}`);
}

async function prove(app, webhook, browser) {
  const since = Date.now();
  const alert = await until(() => webhook.told.find(({ service, event }) => service === app.name && event === 'leak'), `the alert of ${app.name}`, DEADLINE_MS);
  const wrong = misnamed(app, alert.leak.culprits[0]);
  check(wrong === undefined, `${app.name}: the alert: ${wrong}`);
  await askEndpoints(app);
  readEvidence(app);
  if (browser) await openPage(app, browser);
  say(`  ${app.name}: told after ${seconds(since)}: ${alert.message}`);
}

/** Prometheus, with the token of the endpoints, and the rules of examples/prometheus. */
async function fires(programs, root, app) {
  const folder = path.join(root, 'prometheus');
  fs.mkdirSync(folder);
  const alerts = await receiver();
  const since = Date.now();
  await startStack(programs, folder, {
    receiverPort: alerts.port,
    scrape: { job_name: app.name, metrics_path: '/_heap/metrics', authorization: { credentials: TOKEN }, static_configs: [{ targets: [`127.0.0.1:${app.port}`] }] },
  });
  const isOurs = ({ labels, status }) => labels.alertname === 'HeapwardenLeak' && labels.job === app.name && status === 'firing';
  await until(() => alerts.told.some((message) => message.alerts.some(isOurs)), 'Prometheus to fire', DEADLINE_MS);
  say(`  ${app.name}: Prometheus fired HeapwardenLeak after ${seconds(since)}`);
  alerts.close();
}

async function main() {
  const { values } = parseArgs({ options: { only: { type: 'string', default: Object.keys(APPS).join(',') }, require: { type: 'boolean', default: false } } });
  const names = values.only.split(',').filter(Boolean);
  const unknown = names.filter((name) => !(name in APPS));
  check(unknown.length === 0 && names.length > 0, `--only: expected some of ${Object.keys(APPS).join(', ')}, found ${values.only}`);
  const { programs, missing } = findPrograms();
  check(missing.length === 0 || !values.require, `${missing.join(', ')} not found (${HOW_TO_GET})`);
  const executable = chromium();
  check(executable !== undefined || !values.require, 'no Chromium found (HEAPWARDEN_CHROMIUM)');
  await setup();

  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-scratch-')));
  const webhook = await receiver();
  const browser = executable && await launch(executable);
  try {
    const { tarballs } = await distHere(root);
    const apps = [];
    for (const name of names) apps.push(await install(root, tarballs, name));
    const loads = [];
    for (const app of apps) {
      await serve(app, webhook.port);
      loads.push(load(app));
    }
    // At once: each mostly waits for its leak to grow.
    await Promise.all([...apps.map((app) => prove(app, webhook, browser)), ...(missing.length === 0 ? [fires(programs, root, apps.at(-1))] : [])]);
    for (const { over } of loads) {
      const { errors, non2xx, answered } = await over();
      check(errors === 0 && non2xx === 0 && answered > 0, `of the load ${answered} requests were answered, ${errors} failed and ${non2xx} were refused`);
    }
    if (missing.length > 0) say(`SKIPPED: ${missing.join(', ')} not found: whether Prometheus fires was NOT checked (${HOW_TO_GET})`);
    if (!browser) say('SKIPPED: no Chromium found: whether the page shows the leak was NOT checked (HEAPWARDEN_CHROMIUM)');
    say(`${apps.length} apps: alert, endpoints, report${browser ? ' and its page' : ''} name the culprit${missing.length === 0 ? '; Prometheus fired' : ''}`);
  } finally {
    webhook.close();
    await browser?.close();
    await endAll();
    fs.rmSync(root, { recursive: true, force: true });
  }
}

main().then(() => process.exit(0), (error) => {
  say(`FAILED: ${error.message}`);
  process.exit(1);
});
