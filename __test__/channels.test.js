'use strict';

// Where alerts go: real servers that are slow, broken, silent or busy, and channels that fail beside others that do not.

const assert = require('node:assert');
const { EventEmitter, once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const pino = require('pino');
const { MemoryMonitor } = require('..');
const { Channels } = require('../lib/channels');
const { alertOf } = require('../lib/channels/alert');
const { logsOf } = require('../lib/channels/otlp');
const { askedMs, backoffMs } = require('../lib/channels/sender');
const { slackOf } = require('../lib/channels/webhook');
const { environmentOptions, monitorOptions } = require('../lib/options');
const { noteSpelled } = require('../lib/redact');
const { evaluate, folder, run, until } = require('./support');

/** A report of which it is known what the program spells, as of one that was made in this process. */
const spelling = (report) => noteSpelled(report, [...JSON.stringify(report).matchAll(/"(?:name|edge|event|constructorName)":"([^"]*)"/g)].map(([, name]) => name));
const REPORT = spelling(require('./golden/leak-report.json'));

/** A server that answers as `answer(request, response, number)` does, and keeps what it was sent. */
async function server(t, answer = (request, response) => response.end()) {
  const received = [];
  const made = http.createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text) => { body += text; }).on('end', () => {
      received.push({ url: request.url, headers: request.headers, body: body && JSON.parse(body), at: Date.now() });
      answer(request, response, received.length);
    });
    request.on('error', () => {});
  });
  await once(made.listen(0, '127.0.0.1'), 'listening');
  t.after(() => { made.closeAllConnections?.(); made.close(); });
  return { url: `http://127.0.0.1:${made.address().port}/hook?secret=s3cr3t`, received };
}

const channelsOf = (channels, more = {}, emit = () => {}) => {
  const made = new Channels(monitorOptions({ channels, ...more }), emit);
  return made;
};
const FAST = { type: 'webhook', retryMs: 5, timeoutMs: 2000 };
const crossing = (metric = 'rss') => ['threshold', { metric, valueBytes: 200 << 20, thresholdBytes: 180 << 20 }];
const countsOf = (channels, index = 0) => channels.counts()[index];

/** Waits with the process kept alive, since nothing of ours does. */
async function settled(channels, what) {
  await until(() => channels.counts().every(({ waiting }) => waiting === 0), what);
  return channels.counts();
}

test('a leak arrives as JSON: what leaks, where, who, and no string of the heap', async (t) => {
  const { url, received } = await server(t);
  const channels = channelsOf([{ ...FAST, url, headers: { authorization: 'Bearer t0ken' } }], { service: 'shop' });
  assert.equal(channels.tell('leak', REPORT), true);
  await settled(channels, 'the webhook');
  const [{ body, headers, url: at }] = received;
  assert.equal(at, '/hook?secret=s3cr3t');
  assert.equal(headers.authorization, 'Bearer t0ken');
  assert.equal(headers['content-type'], 'application/json');
  assert.equal(headers.connection, 'close');
  assert.equal(body.event, 'leak');
  assert.equal(body.severity, 'critical');
  assert.equal(body.service, 'shop');
  assert.match(body.fingerprint, /^[0-9a-f]{16}$/);
  assert.match(body.message, /^Memory leak \(heap\): growing by /);
  assert.equal(body.leak.culprits[0].constructorName, 'RequestRecord');
  assert.equal(body.leak.culprits[0].location.line > 0, true);
  assert.equal(body.leak.files, undefined);
  assert.deepEqual(countsOf(channels), { channel: 'webhook 1', sent: 1, failed: 0, dropped: 0, retried: 0, suppressed: 0, waiting: 0 });
});

test('names that the program does not spell are not sent, wherever they stand', () => {
  const secret = 'tokOfAnaMaria';
  const report = noteSpelled(structuredClone(REPORT), ['RequestRecord', 'sessions']);
  const [culprit] = report.culprits;
  culprit.holder = { ...culprit.holder, name: secret, event: secret };
  culprit.retainerPath = [{ name: 'Object', edge: secret, location: null }, { name: 'Object', edge: 'sessions', location: null }];
  culprit.advice = `Bound ${secret}, or remove entries of ${secret}.`;
  const growth = { reason: 'rising', kind: 'emitter', label: secret, constructorName: 'EventEmitter', event: secret, count: 900, countDelta: 800, growthPerHour: 50, since: null, functions: [], location: null, emitters: 1 };
  const error = Object.assign(new Error(`cannot read ${secret}`), { code: 'EIO' });
  const death = { pid: 7, threadId: 0, node: 'v20', title: secret, file: `/x/${secret}`, startedAt: 'then', lastSeenAt: 'now', endedAt: null, cause: { kind: 'uncaught-exception', certainty: 'certain', what: 'an exception', exitCode: 1, signal: null }, exception: { text: secret }, culprits: report.culprits };
  const events = [['leak', report], ['heap-limit', report], ['container-limit', report], ['listeners', growth], ['error', error], ['postmortem', death]];
  for (const level of ['names', 'shape']) {
    for (const [event, payload] of events) {
      const alert = alertOf(event, payload, { level });
      assert.equal(alert.redaction, level);
      for (const text of [JSON.stringify(alert), JSON.stringify(slackOf(alert)), JSON.stringify(logsOf(alert))]) {
        assert.ok(!text.includes(secret), text);
        if (level === 'shape') assert.ok(!/RequestRecord|sessions|\.js/.test(text), text);
      }
      assert.ok(alert.message.length > 10);
    }
  }
  const told = alertOf('leak', report).leak.culprits[0];
  assert.deepEqual([told.constructorName, told.retainerPath.map(({ edge }) => edge)], ['RequestRecord', ['(redacted)', 'sessions']]);
  assert.match(JSON.stringify(alertOf('leak', report, { level: 'full' })), /tokOfAnaMaria/);
  assert.notEqual(alertOf('listeners', growth).fingerprint, alertOf('listeners', growth, { level: 'full' }).fingerprint, 'a hash that can be guessed is as good as the name');
  assert.equal(alertOf('listeners', growth).fingerprint, alertOf('listeners', growth).fingerprint);
});

test('limits and deaths are told, each to the channels that want them', async (t) => {
  const { url, received } = await server(t);
  const file = path.join(folder(t), 'alerts.jsonl');
  const channels = channelsOf([{ ...FAST, url }, { type: 'file', path: file, events: ['leak'] }]);
  const risk = { kind: 'heap', reason: 'heap-limit', at: 'now', usedBytes: 90 << 20, limitBytes: 96 << 20, raisedToBytes: 120 << 20, report: '/somewhere' };
  assert.equal(channels.tell('oom-risk', risk), true);
  assert.equal(channels.tell('listeners', {}), false, 'nobody is told of these: the logger is');
  await settled(channels, 'the webhook');
  assert.deepEqual(received.map(({ body }) => [body.event, body.severity, body.risk.raisedToBytes]), [['oom-risk', 'critical', 120 << 20]]);
  assert.match(received[0].body.message, /^The heap is at its limit/);
  assert.equal(received[0].body.risk.report, undefined);
  assert.equal(fs.existsSync(file), false);
});

test('a server that is busy or broken is asked again, one that refuses is not', async (t) => {
  const flaky = await server(t, (request, response, number) => { response.statusCode = number < 3 ? 503 : 204; response.end(); });
  const refusing = await server(t, (request, response) => { response.statusCode = 404; response.end('no such hook'); });
  const moved = await server(t, (request, response) => { response.writeHead(302, { location: flaky.url }).end(); });
  const warnings = [];
  const listener = (warning) => warnings.push(warning);
  process.on('warning', listener);
  t.after(() => process.off('warning', listener));
  const channels = channelsOf([{ ...FAST, url: flaky.url }, { ...FAST, url: refusing.url }, { ...FAST, url: moved.url }]);
  channels.tell(...crossing());
  const [first, second, third] = await settled(channels, 'all three');
  assert.deepEqual([first.sent, first.retried, first.failed], [1, 2, 0]);
  assert.deepEqual([second.sent, second.retried, second.failed], [0, 0, 1]);
  assert.deepEqual([third.sent, third.failed, flaky.received.length], [0, 1, 3], 'a redirection is not followed');
  await until(() => warnings.length === 2, 'a complaint for each that failed');
  assert.match(warnings[0].message, /webhook 2 failed: it answered 404/);
  for (const { message, stack } of warnings) assert.ok(!message.includes('s3cr3t') && !stack.includes('s3cr3t'));
});

test('429 with Retry-After is waited for', async (t) => {
  const { url, received } = await server(t, (request, response, number) => {
    if (number === 1) response.writeHead(429, { 'retry-after': '1' });
    response.end();
  });
  const channels = channelsOf([{ ...FAST, url }]);
  channels.tell(...crossing());
  const [{ sent, retried }] = await settled(channels, 'the second attempt');
  assert.deepEqual([sent, retried], [1, 1]);
  assert.ok(received[1].at - received[0].at >= 900, 'not before its time');
  assert.equal(askedMs('120'), 120_000);
  assert.equal(askedMs('99999999'), 600_000, 'but not for ever');
  assert.equal(askedMs('Wed, 21 Oct 2015 07:28:00 GMT', Date.parse('2015-10-21T07:27:00Z')), 60_000);
  assert.equal(askedMs('Wed, 21 Oct 2015 07:28:00 GMT', Date.parse('2016-01-01T00:00:00Z')), 0);
  assert.equal(askedMs('soon'), undefined);
  assert.equal(askedMs(undefined), undefined);
});

test('waits double, with a random part, up to a minute', () => {
  const waits = [1, 2, 3, 4, 20].map((attempt) => backoffMs(attempt, 1000, () => 1));
  assert.deepEqual(waits, [1000, 2000, 4000, 8000, 60_000]);
  assert.equal(backoffMs(3, 1000, () => 0.25), 1000);
});

test('a server that hangs takes its time and no more; what comes meanwhile waits, the oldest makes way', async (t) => {
  const { url, received } = await server(t, () => {});
  const channels = channelsOf([{ ...FAST, url, timeoutMs: 60, maxAttempts: 2, maxWaiting: 2, cooldownMs: 0 }]);
  const began = process.hrtime.bigint();
  for (let i = 0; i < 6; i++) channels.tell(...crossing());
  assert.ok(process.hrtime.bigint() - began < 1_000_000_000n, 'nobody waits for it');
  assert.equal(countsOf(channels).dropped, 3, 'one is being sent, two wait');
  const [{ sent, failed, dropped, retried }] = await settled(channels, 'the end of patience');
  assert.deepEqual({ sent, failed, dropped, retried }, { sent: 0, failed: 3, dropped: 3, retried: 3 });
  assert.equal(received.length, 6);
});

test('nobody listens: it fails with a code, after its attempts', async () => {
  const closed = http.createServer().listen(0, '127.0.0.1');
  await once(closed, 'listening');
  const { port } = closed.address();
  await new Promise((resolve) => { closed.close(resolve); });
  const channels = channelsOf([{ ...FAST, url: `http://127.0.0.1:${port}/`, maxAttempts: 3 }]);
  channels.tell(...crossing());
  const [{ failed, retried }] = await settled(channels, 'all attempts');
  assert.deepEqual([failed, retried], [1, 2]);
});

test('a server that never ends its answer costs nothing', async (t) => {
  const { url } = await server(t, (request, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write('x'.repeat(65536)), 1);
    response.on('close', () => clearInterval(timer)).on('error', () => {});
  });
  const channels = channelsOf([{ ...FAST, url }]);
  channels.tell(...crossing());
  const [{ sent }] = await settled(channels, 'the first line of the answer');
  assert.equal(sent, 1);
});

test('the same is told once in a cooldown, its recovery if it was told', async (t) => {
  const { url, received } = await server(t);
  const channels = channelsOf([{ ...FAST, url, cooldownMs: 3_600_000 }, { type: 'event', events: ['leak'] }]);
  channels.tell('recovered', { from: 'threshold' });
  channels.tell(...crossing());
  channels.tell(...crossing());
  channels.tell(...crossing('heapUsed'));
  channels.tell('recovered', { from: 'threshold' });
  channels.tell('recovered', { from: 'threshold' });
  channels.tell('listeners', {});
  const [first, second] = await settled(channels, 'the webhook');
  assert.deepEqual(received.map(({ body }) => body.event), ['threshold', 'threshold', 'recovered']);
  assert.equal(received[2].body.from, 'threshold');
  assert.equal(received[2].body.severity, 'info');
  assert.deepEqual([first.sent, first.suppressed], [3, 3]);
  assert.deepEqual([second.sent, second.suppressed], [0, 0], 'events that are not its own are nothing to it');
  const now = channelsOf([{ ...FAST, url, cooldownMs: 0 }]);
  now.tell(...crossing());
  now.tell(...crossing());
  assert.equal((await settled(now, 'both'))[0].sent, 2);
});

test('Slack\'s format', () => {
  const report = spelling(structuredClone(REPORT));
  report.culprits[0].advice = 'Keep <fewer> & `remove` them.';
  report.routes = { leak: { route: 'GET /users/:id', bytesPerRequest: 1330.4, intervalBytesPerRequest: [1290, 1370], requests: 5, share: 1 }, reason: null, floors: 60 };
  const { text, blocks } = slackOf(alertOf('leak', report, { service: 'shop & co' }));
  assert.match(text, /^Memory leak/);
  assert.deepEqual(blocks.map(({ type }) => type), ['section', 'section', 'context']);
  const body = blocks[1].text.text;
  assert.match(body, /\*To do\* Keep &lt;fewer&gt; &amp; `remove` them\./);
  assert.match(body, /`GET \/users\/:id`, 1330 bytes per request/);
  assert.match(blocks[2].elements[0].text, /shop &amp; co/);
  assert.ok(JSON.stringify(blocks).length < 12_000 && blocks.every((block) => (block.text?.text.length ?? 0) <= 3000));
  assert.equal(slackOf(alertOf('recovered', { from: 'leak' })).blocks.length, 2);
});

test('an OTLP collector is sent a log record', async (t) => {
  const { url, received } = await server(t, (request, response) => response.writeHead(200, { 'content-type': 'application/json' }).end('{}'));
  const base = new URL(url);
  base.search = '';
  base.pathname = '/';
  const channels = channelsOf([{ type: 'otlp', url: String(base), retryMs: 5 }], { service: 'shop' });
  channels.tell('leak', REPORT);
  await settled(channels, 'the collector');
  const [{ url: at, body }] = received;
  assert.equal(at, '/v1/logs');
  const [{ resource, scopeLogs: [{ scope, logRecords: [record] }] }] = body.resourceLogs;
  const value = (list, key) => Object.values(list.find((entry) => entry.key === key).value)[0];
  assert.equal(value(resource.attributes, 'service.name'), 'shop');
  assert.equal(value(resource.attributes, 'process.pid'), String(process.pid));
  assert.equal(scope.name, 'heapwarden');
  assert.equal(record.severityNumber, 21);
  assert.match(record.timeUnixNano, /^\d{19}$/);
  assert.equal(record.eventName, 'heapwarden.leak');
  assert.match(record.body.stringValue, /^Memory leak/);
  assert.equal(value(record.attributes, 'heapwarden.leak.constructor'), 'RequestRecord');
  assert.equal(value(record.attributes, 'code.line.number'), String(REPORT.culprits[0].location.line));
});

test('a file gets a line each, is its owner\'s alone, and does not grow for ever', async (t) => {
  const file = path.join(folder(t), 'deep', 'alerts.jsonl');
  const channels = channelsOf([{ type: 'file', path: file, maxBytes: 1024, cooldownMs: 0 }]);
  for (let i = 0; i < 5; i++) channels.tell(...crossing());
  await settled(channels, 'the disk');
  const lines = (name) => fs.readFileSync(name, 'utf8').trim().split('\n').map((line) => JSON.parse(line));
  assert.ok(lines(file).every(({ event }) => event === 'threshold') && lines(`${file}.1`).length > 0);
  assert.ok(fs.statSync(file).size <= 1024 && fs.statSync(`${file}.1`).size <= 1024);
  if (process.platform !== 'win32') assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  const broken = channelsOf([{ type: 'file', path: path.join(file, 'below', 'a file') }]);
  broken.tell(...crossing());
  assert.equal((await settled(broken, 'the error'))[0].failed, 1);
});

test('pino is given fields and a line, at a level that fits', () => {
  const lines = [];
  const logger = pino({ level: 'info' }, { write: (line) => lines.push(JSON.parse(line)) });
  const channels = channelsOf([{ type: 'log', logger }]);
  channels.tell('leak', REPORT);
  channels.tell('recovered', { from: 'leak' });
  assert.deepEqual(lines.map(({ level }) => level), [50, 30]);
  assert.equal(lines[0].code, 'HEAPWARDEN_LEAK');
  assert.equal(lines[0].heapwarden.leak.culprits[0].constructorName, 'RequestRecord');
  assert.match(lines[0].msg, /^Memory leak/);
  const little = [];
  channelsOf([{ type: 'log', logger: { warn: (...given) => little.push(given) } }]).tell('leak', REPORT);
  assert.equal(little.length, 1, 'a logger that has only warn');
});

test('nothing is left in the process once all is sent', async (t) => {
  const { url } = await server(t);
  const listeners = process.listenerCount('beforeExit');
  const channels = channelsOf([{ ...FAST, url }]);
  channels.tell(...crossing());
  assert.equal(process.listenerCount('beforeExit'), listeners + 1);
  await settled(channels, 'the webhook');
  await until(() => process.listenerCount('beforeExit') === listeners, 'the listener to go');
});

test('what one channel does to itself is nothing to the others', async (t) => {
  const { url, received } = await server(t);
  const told = new EventEmitter();
  const alerts = [];
  told.on('alert', (alert) => alerts.push(alert));
  const channels = channelsOf([
    { type: 'log', logger: { warn() { throw new Error('no'); }, error() { throw new Error('no'); } } },
    { type: 'file', path: '/dev/null/never' },
    { ...FAST, url },
    'event',
  ], {}, (alert) => told.emit('alert', alert));
  channels.tell('leak', REPORT);
  const counts = await settled(channels, 'all');
  assert.deepEqual(counts.map(({ sent, failed }) => [sent, failed]), [[0, 1], [0, 1], [1, 0], [1, 0]]);
  assert.equal(received.length, 1);
  assert.equal(alerts[0].event, 'leak');
});

test('mistakes are named, and addresses are never told', () => {
  const secret = 'https//hooks.example.com/T0/s3cr3t';
  for (const [channels, expected] of [
    ['webhook', /channels: expected an array/],
    [['carrier pigeon'], /channels\[0\]\.type: expected "event" or "log"/],
    [[{ type: 'webhook' }], /channels\[0\]\.url: expected an http: or https: URL, found undefined/],
    [[{ type: 'webhook', url: secret }], /found something else, which is not shown/],
    [[{ type: 'webhook', url: 'ftp://s3cr3t@x/' }], /found something else, which is not shown/],
    [[{ type: 'webhook', url: 'http://x', headers: { 'a b': 's3cr3t' } }], /names of headers/],
    [[{ type: 'webhook', url: 'http://x', headers: { a: 's3cr3t\r\nx: y' } }], /headers\.a: expected a text/],
    [[{ type: 'webhook', url: 'http://x', format: 'xml' }], /format: expected "json" or "slack"/],
    [[{ type: 'webhook', url: 'http://x', maxWaiting: 0 }], /maxWaiting: expected a whole number/],
    [[{ type: 'file' }], /channels\[0\]\.path: expected a path/],
    [[{ type: 'log' }], /logger: expected an object/],
    [[{ type: 'event', events: ['sample'] }], /events\[0\]/],
    [[{ type: 'event', redact: 'some' }], /redact: expected/],
    [[{ type: 'event', name: 'a\nb' }], /name: expected a short text/],
  ]) {
    assert.throws(() => monitorOptions({ channels }), (error) => error.code === 'HEAPWARDEN_ERR_INVALID_ARG' && expected.test(error.message) && !error.message.includes('s3cr3t'), String(expected));
  }
});

test('the environment names channels', () => {
  const env = {
    HEAPWARDEN_WEBHOOK_URL: 'https://hooks.slack.com/services/T/B/x', HEAPWARDEN_OTLP_LOGS_URL: 'http://127.0.0.1:4318', HEAPWARDEN_ALERT_FILE: 'alerts.jsonl',
    HEAPWARDEN_WEBHOOK_AUTHORIZATION: 'Bearer x', HEAPWARDEN_ALERT_COOLDOWN_MS: '5000', HEAPWARDEN_ALERT_REDACT: 'shape', OTEL_SERVICE_NAME: 'shop',
  };
  const { channels, service } = monitorOptions(environmentOptions(env));
  assert.deepEqual(channels.map(({ type, cooldownMs, redact }) => [type, cooldownMs, redact]), [['webhook', 5000, 'shape'], ['otlp', 5000, 'shape'], ['file', 5000, 'shape']]);
  assert.equal(channels[0].format, 'slack');
  assert.deepEqual(channels[0].headers, { authorization: 'Bearer x' });
  assert.equal(service, 'shop');
  assert.deepEqual(monitorOptions(environmentOptions({})).channels, []);
});

test('a program that ends first sends what waits, and does not wait for a server that hangs', async (t) => {
  const good = await server(t);
  const hanging = await server(t, () => {});
  const script = (url) => `
    const { MemoryMonitor } = require('heapwarden');
    new MemoryMonitor({ intervalMs: 60_000, alertThresholdMB: 1, evidence: 'none', flushMs: 300, channels: [{ type: 'webhook', url: ${JSON.stringify(url)} }] }).start().sample();
    console.log('done');
  `;
  const sent = await evaluate(script(good.url));
  assert.deepEqual([sent.code, sent.stdout, sent.stderr], [0, 'done\n', '']);
  assert.equal(good.received[0].body.event, 'threshold');
  const lost = await evaluate(script(hanging.url), { deadlineMs: 30_000 });
  assert.deepEqual([lost.code, lost.stdout, lost.stderr], [0, 'done\n', '']);
});

test('a monitor: the alert is sent and emitted, and a listener hears its event as ever', async (t) => {
  const { url, received } = await server(t);
  const monitor = new MemoryMonitor({ intervalMs: 60_000, alertThresholdMB: 1, evidence: 'none', channels: [{ ...FAST, url }, 'event'] });
  t.after(() => monitor.stop());
  const heard = [];
  monitor.on('threshold', (payload) => heard.push(payload)).on('alert', (alert) => heard.push(alert));
  monitor.start().sample();
  assert.equal(await monitor.flush(5000), true);
  assert.equal(received[0].body.threshold.metric, 'heapUsed');
  assert.deepEqual(heard.map(({ event, metric }) => event ?? metric), ['heapUsed', 'threshold']);
  const { channels, alerts } = monitor.metrics();
  assert.equal(alerts.threshold, 1);
  assert.deepEqual(channels.map(({ channel, sent }) => [channel, sent]), [['webhook 1', 1], ['event 2', 1]]);
});

test('register: the report of a leak arrives at the webhook that the environment names', async (t) => {
  const { url, received } = await server(t);
  const { code, stdout } = await run(['--import', 'heapwarden/register', path.join(__dirname, 'fixtures', 'leaky.js')], {
    env: { HEAPWARDEN_INTERVAL_MS: '20', HEAPWARDEN_DIR: path.join(folder(t), 'evidence'), HEAPWARDEN_WEBHOOK_URL: url },
  });
  assert.deepEqual([code, stdout], [0, 'done\n']);
  const leaks = received.filter(({ body }) => body.event === 'leak');
  assert.equal(leaks.length, 1);
  assert.equal(leaks[0].body.leak.culprits[0].constructorName, 'Session');
  assert.match(leaks[0].body.message, /sessionsByToken|Session/);
});

test('of a heap full of secrets none is sent, in no format', async (t) => {
  const { SECRETS, secret } = require('./fixtures/secretive.js');
  const hooks = [await server(t), await server(t)];
  const file = path.join(folder(t), 'alerts.jsonl');
  const { code, stdout } = await run(['--import', 'heapwarden/register', path.join(__dirname, 'fixtures', 'secretive.js')], {
    env: {
      HEAPWARDEN_INTERVAL_MS: '20', HEAPWARDEN_DIR: path.join(folder(t), 'evidence'), HEAPWARDEN_ALERT_FILE: file,
      HEAPWARDEN_WEBHOOK_URL: hooks[0].url, HEAPWARDEN_WEBHOOK_FORMAT: 'slack', HEAPWARDEN_OTLP_LOGS_URL: new URL(hooks[1].url).origin,
    },
  });
  assert.deepEqual([code, stdout], [0, 'done\n']);
  const sent = JSON.stringify(hooks.map(({ received }) => received.map(({ body }) => body))) + fs.readFileSync(file, 'utf8');
  assert.match(sent, /Memory leak/);
  assert.match(sent, /secretive\.js/, 'where it is, is told');
  const told = Array.from({ length: SECRETS }, (_, n) => secret(n)).filter((text) => sent.includes(text));
  assert.deepEqual(told, []);
});
