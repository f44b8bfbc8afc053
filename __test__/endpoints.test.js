'use strict';

// The endpoints in Express 4, Express 5, Fastify and plain node:http: who may ask, what is told, and what a hostile client gets out of it.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const http2 = require('node:http2');
const net = require('node:net');
const path = require('node:path');
const { test } = require('node:test');
const zlib = require('node:zlib');
const { MemoryMonitor, summarizeSnapshot } = require('..');
const { encodingFor } = require('../lib/plugins/download');
const { heapwarden } = require('../lib/plugins/http');
const { Bucket, Buckets } = require('../lib/plugins/limits');
const { folder, sleep, until } = require('./support');

const TOKEN = 'a-token-of-the-tests-0123456789';
const AUTH = { authorization: `Bearer ${TOKEN}` };
const SECRET = ['hunter', process.pid, 'two'].join('-');
globalThis.heldByTheTests = { [SECRET]: { value: SECRET } };

const node = Number(process.versions.node.split('.')[0]);

/** Starts a server and gives `{ port, close }`. */
async function listening(t, server) {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => { server.closeAllConnections(); server.close(); });
  return server.address().port;
}

const MOUNTS = {
  async http(t, options) {
    const handler = heapwarden({ ...options, prefix: '/_heap' });
    t.after(() => handler.close());
    return listening(t, http.createServer((request, response) => {
      if (!handler(request, response)) response.end('application');
    }));
  },
  express4: (t, options) => express(t, options, 'express-4'),
  express5: (t, options) => express(t, options, 'express'),
  async fastify(t, options) {
    const app = require('fastify')({ forceCloseConnections: true });
    app.get('/', async () => 'application');
    app.register(require('../lib/plugins/fastify'), { prefix: '/_heap', ...options });
    await app.listen({ port: 0, host: '127.0.0.1' });
    t.after(() => app.close());
    return app.server.address().port;
  },
};
// The newest Fastify is not for Node 18.
if (node < 20) delete MOUNTS.fastify;

async function express(t, options, name) {
  const app = require(name)();
  const handler = require('../lib/plugins/express').heapwarden(options);
  t.after(() => handler.close());
  app.use('/_heap', handler);
  app.get('/', (_, response) => response.end('application'));
  return listening(t, http.createServer(app));
}

/** One request: `{ status, headers, body }`. */
function ask(port, url, headers = AUTH, options = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', path: url, headers, agent: false, ...options }, async (response) => {
      const parts = [];
      try {
        for await (const part of response) parts.push(part);
      } catch (error) {
        reject(error);
        return;
      }
      resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(parts) });
    });
    request.on('error', reject);
    request.end();
  });
}

const temporary = (directory) => fs.readdirSync(directory).filter((name) => name.startsWith('heapwarden-'));

for (const [name, mount] of Object.entries(MOUNTS)) {
  test(`${name}: every route answers who has the token, and nobody else`, async (t) => {
    const directory = folder(t);
    const port = await mount(t, { token: TOKEN, directory, capturesPerMinute: 600 });
    // What looks at the heap is the same behind all of them, and takes its time.
    const captures = name === 'http' ? ['/summary', '/listeners', '/snapshot'] : ['/snapshot'];
    for (const route of ['/status', '/samples', '/report', '/metrics', ...captures]) {
      const { status, headers, body } = await ask(port, `/_heap${route}`);
      assert.equal(status, route === '/report' ? 204 : 200, `${route}: ${body}`);
      assert.equal(headers['cache-control'], 'no-store');
      assert.equal(headers['x-content-type-options'], 'nosniff');
      assert.ok(!body.includes(SECRET), route);
      if (/json/.test(headers['content-type'])) JSON.parse(body);
      for (const refused of [{}, { authorization: 'Bearer wrong' }, { authorization: `Basic ${TOKEN}` }, { authorization: `Bearer ${TOKEN}x` }]) {
        const answer = await ask(port, `/_heap${route}`, refused);
        assert.deepEqual([answer.status, answer.body.length, answer.headers['www-authenticate']], [401, 0, 'Bearer realm="heapwarden"']);
      }
    }
    assert.equal((await ask(port, '/', {})).body.toString(), 'application');
    assert.equal((await ask(port, '/_heap/none')).status, 404);
    assert.equal((await ask(port, '/_heap/none', {})).status, 401, 'which routes there are is told to nobody');
    assert.equal((await ask(port, '/_heap/status', AUTH, { method: 'POST' })).status, 405);
    assert.equal((await ask(port, '/_heap/summary?level=full')).status, 403);
    assert.equal((await ask(port, '/_heap/summary?level=some')).status, 400);
    assert.deepEqual(temporary(directory), []);
  });
}

for (const [name, mount] of Object.entries(MOUNTS)) {
  test(`${name}: without authentication nothing is mounted, and the error says how to`, async (t) => {
    const saved = process.env.HEAPWARDEN_TOKEN;
    delete process.env.HEAPWARDEN_TOKEN;
    t.after(() => { if (saved !== undefined) process.env.HEAPWARDEN_TOKEN = saved; });
    await assert.rejects(async () => mount(t, {}), (error) => {
      assert.equal(error.code, 'HEAPWARDEN_ERR_NO_AUTH');
      assert.match(error.message, /token.*HEAPWARDEN_TOKEN.*guard/);
      return true;
    });
    await assert.rejects(async () => mount(t, { token: 'with space' }), (error) => !error.message.includes('with space'));
    process.env.HEAPWARDEN_TOKEN = TOKEN;
    const port = await mount(t, {});
    assert.equal((await ask(port, '/_heap/status')).status, 200);
    delete process.env.HEAPWARDEN_TOKEN;
  });
}

test('a guard decides alone, and with a token both have to agree', async (t) => {
  const asked = [];
  const guard = async (request) => {
    asked.push(request.headers['x-user'] ?? null);
    if (request.headers['x-user'] === 'broken') throw new Error(SECRET);
    return request.headers['x-user'] === 'admin' || 'yes';
  };
  const alone = await MOUNTS.http(t, { guard });
  assert.equal((await ask(alone, '/_heap/status', { 'x-user': 'admin' })).status, 200);
  for (const user of ['other', 'broken']) assert.equal((await ask(alone, '/_heap/status', { 'x-user': user })).status, 401);
  assert.deepEqual(asked, ['admin', 'other', 'broken']);
  const both = await MOUNTS.http(t, { guard, token: TOKEN });
  assert.equal((await ask(both, '/_heap/status', { 'x-user': 'admin' })).status, 401);
  assert.equal((await ask(both, '/_heap/status', { 'x-user': 'admin', ...AUTH })).status, 200);
});

test('a snapshot comes as the client wants it, at the level that it may have', async (t) => {
  const directory = folder(t);
  const port = await MOUNTS.http(t, { token: TOKEN, directory, allowFull: true, capturesPerMinute: 600 });
  const read = async (name, { body, headers }, decode) => {
    const file = path.join(directory, name);
    const text = decode ? decode(body) : body;
    assert.equal(Number(headers['content-length']), body.length);
    fs.writeFileSync(file, text);
    assert.ok((await summarizeSnapshot(file, { sourceMaps: false })).nodeCount > 10_000);
    return text.toString('latin1');
  };
  const plain = await ask(port, '/_heap/snapshot');
  assert.deepEqual([plain.headers['content-encoding'], plain.headers['heapwarden-redaction']], [undefined, 'names']);
  assert.ok(!(await read('a', plain)).includes(SECRET));
  const gzip = await ask(port, '/_heap/snapshot?level=shape', { ...AUTH, 'accept-encoding': 'gzip' });
  assert.equal(gzip.headers['content-encoding'], 'gzip');
  assert.ok(!(await read('b', gzip, zlib.gunzipSync)).includes('heldByTheTests'));
  const file = await ask(port, '/_heap/snapshot?level=full&file=gz');
  assert.match(file.headers['content-disposition'], /heapsnapshot\.gz"$/);
  assert.ok((await read('c', file, zlib.gunzipSync)).includes(SECRET));
  assert.deepEqual(temporary(directory), []);
});

test('the newest report is told at the level asked for', async (t) => {
  const report = { schemaVersion: 1, reportedAt: 'now', culprits: [{ constructorName: 'Object', retainerPath: [{ name: 'Object', edge: SECRET }], advice: `Drop ${SECRET}.` }] };
  const monitor = { verdict: () => ({ status: 'healthy' }), report: () => [], leakReport: () => report };
  const port = await MOUNTS.http(t, { token: TOKEN, monitor });
  const { body } = await ask(port, '/_heap/report');
  assert.ok(!body.includes(SECRET) && JSON.parse(body).culprits[0].retainerPath[0].name === 'Object');
});

test('errors say nothing of what went wrong inside', async (t) => {
  const monitor = { verdict() { throw new Error(SECRET); }, report: () => [] };
  const port = await MOUNTS.http(t, { token: TOKEN, monitor, directory: `/${SECRET}` });
  for (const route of ['/status', '/snapshot']) {
    const { status, body } = await ask(port, `/_heap${route}`);
    assert.equal(status, 500);
    assert.deepEqual(JSON.parse(body), { error: 'HEAPWARDEN_ERR_INTERNAL', message: 'the request failed' });
  }
});

test('metrics are ours, as the scraper wants them, or what the application gives', async (t) => {
  const monitor = new MemoryMonitor({ intervalMs: 60_000, evidence: 'none' }).start();
  t.after(() => monitor.stop());
  monitor.sample();
  const port = await MOUNTS.http(t, { token: TOKEN, monitor });
  const plain = await ask(port, '/_heap/metrics');
  assert.match(plain.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  assert.match(plain.body.toString(), /^heapwarden_heap_used_bytes\{thread="0"\} \d+$/m);
  assert.ok(!plain.body.includes(SECRET));
  const open = await ask(port, '/_heap/metrics', { ...AUTH, accept: 'application/openmetrics-text; version=1.0.0' });
  assert.match(open.headers['content-type'], /openmetrics/);
  assert.ok(open.body.toString().endsWith('# EOF\n'));
  const own = await MOUNTS.http(t, { token: TOKEN, monitor, metrics: async (given, { headers }) => ({ body: `${given === monitor} ${headers.host}`, contentType: 'text/x' }) });
  const told = await ask(own, '/_heap/metrics', { ...AUTH, host: 'here' });
  assert.deepEqual([told.body.toString(), told.headers['content-type']], ['true here', 'text/x']);
  assert.equal((await ask(port, '/_heap/metrics', {})).status, 401);
});

test('one capture at a time, and so many a minute', async (t) => {
  const port = await MOUNTS.http(t, { token: TOKEN, capturesPerMinute: 2, directory: folder(t) });
  const statuses = (await Promise.all(Array.from({ length: 20 }, () => ask(port, '/_heap/summary')))).map((answer) => answer.status);
  assert.equal(statuses.filter((status) => status === 200).length, 1, `${statuses}`);
  assert.equal(statuses.filter((status) => status === 409).length, 19);
  assert.equal((await ask(port, '/_heap/listeners')).status, 200);
  const limited = await ask(port, '/_heap/summary');
  assert.equal(limited.status, 429);
  assert.ok(Number(limited.headers['retry-after']) >= 1);
});

test('a client that does not read, or goes away, leaves no file and no capture behind', async (t) => {
  const directory = folder(t);
  // More than the sockets of a system take on their way. A file of texts is large soon.
  globalThis.ballast = Array.from({ length: 30_000 }, (_, i) => `${i} `.repeat(1000).slice(0, 1000));
  t.after(() => { delete globalThis.ballast; });
  const port = await MOUNTS.http(t, { token: TOKEN, directory, stallMs: 300, capturesPerMinute: 600 });
  const raw = () => {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {});
    socket.write(`GET /_heap/snapshot HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${TOKEN}\r\n\r\n`);
    return socket;
  };
  const free = () => until(async () => (await ask(port, '/_heap/listeners')).status === 200, 'the next capture');
  const slow = raw();
  const parts = [];
  let closed = false;
  slow.on('close', () => { closed = true; });
  slow.on('data', (part) => {
    parts.push(part);
    slow.pause();
  });
  await until(() => parts.length > 0, 'the first piece');
  await free();
  await until(() => temporary(directory).length === 0, 'no file');
  slow.resume();
  slow.on('data', () => slow.resume());
  await until(() => closed, 'the connection that was cut');
  const answer = Buffer.concat(parts);
  const length = Number(/content-length: (\d+)/i.exec(answer.subarray(0, 2000).toString('latin1'))[1]);
  assert.ok(answer.length < length, `${answer.length} of ${length}`);
  const gone = raw();
  await sleep(30);
  gone.destroy();
  await free();
  await until(() => temporary(directory).length === 0, 'no file');
});

test('a thousand hostile requests leave the service answering, with no capture beyond the one allowed', async (t) => {
  const directory = folder(t);
  const before = fs.readdirSync(directory);
  const port = await MOUNTS.express5(t, { token: TOKEN, directory, capturesPerMinute: 1 });
  const paths = ['/_heap/../../etc/passwd', '/_heap/snapshot/../../../etc/passwd', '/_heap/%2e%2e/%2e%2e/etc/passwd', '/_heap//etc/passwd',
    '/_heap/snapshot?path=/etc/passwd&directory=/etc', '/_heap/..%5c..%5cwindows', '/_heap/%00', `/_heap/${'a'.repeat(3000)}`, '/_heap/__proto__',
    '/_heap/constructor', '/_heap/snapshot%2f..', '/_heap/?level=%ff'];
  const kinds = [
    (i) => ask(port, paths[i % paths.length]),
    (i) => ask(port, paths[i % paths.length], {}),
    (i) => ask(port, '/_heap/snapshot', { authorization: `Bearer ${TOKEN.slice(0, i % TOKEN.length)}` }),
    () => ask(port, '/_heap/summary', { authorization: `Bearer ${'x'.repeat(7000)}` }),
    () => ask(port, '/_heap/status', { ...AUTH, 'x-large': 'y'.repeat(20_000) }),
    () => ask(port, '/_heap/summary'),
    () => ask(port, '/_heap/status', { ...AUTH, 'content-length': '1000000' }, { method: 'POST' }),
  ];
  const statuses = new Map();
  let captures = 0;
  // Clients that never finish asking, and clients that ask and never read.
  const idle = Array.from({ length: 40 }, (_, i) => {
    const socket = net.connect(port, '127.0.0.1').on('error', () => {}).pause();
    socket.write(`GET /_heap/${i % 4 === 1 ? 'snapshot' : 'samples'} HTTP/1.1\r\nHost: a\r\n`);
    if (i % 2 === 1) socket.write(`Authorization: Bearer ${TOKEN}\r\n\r\n`);
    return socket;
  });
  t.after(() => idle.forEach((socket) => socket.destroy()));
  for (let i = 0; i < 1000; i += 50) {
    await Promise.all(Array.from({ length: 50 }, async (_, j) => {
      const kind = kinds[(i + j) % kinds.length];
      const { status, headers, body } = await kind(i + j).catch((error) => ({ status: error.code, headers: {}, body: '' }));
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      assert.ok(!body.includes('root:') && !body.includes(TOKEN));
      if (status === 200 && headers['content-type']?.includes('json') && body.includes('nodeCount')) captures += 1;
    }));
  }
  const told = JSON.stringify([...statuses]);
  assert.ok(captures <= 2, `${captures} captures: one, and one that a minute may have brought; ${told}`);
  assert.equal(statuses.get(500), undefined, told);
  assert.ok(statuses.get(401) >= 90 && statuses.get(431) > 50, told);
  assert.equal((await ask(port, '/')).body.toString(), 'application');
  assert.equal((await ask(port, '/_heap/status')).status, 200, 'the right token is let in, whoever else is at its address');
  idle.forEach((socket) => socket.destroy());
  await until(async () => !JSON.parse((await ask(port, '/_heap/status')).body).capturing, 'the end of a capture for somebody who is gone');
  await until(() => fs.readdirSync(directory).length === before.length, 'no file');
});

test('HTTP/2 is answered, too', async (t) => {
  const handler = heapwarden({ token: TOKEN, directory: folder(t) });
  t.after(() => handler.close());
  const server = http2.createServer(handler).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const client = http2.connect(`http://127.0.0.1:${server.address().port}`);
  t.after(() => { client.destroy(); server.close(); });
  const answer = (headers, body) => new Promise((resolve, reject) => {
    const stream = client.request(headers);
    let status;
    let bytes = 0;
    stream.on('response', (told) => { status = told[':status']; }).on('data', (part) => { bytes += part.length; });
    stream.on('end', () => resolve({ status, bytes })).on('error', reject).end(body);
  });
  assert.deepEqual(await answer({ ':path': '/status', ':method': 'POST' }, 'body'), { status: 401, bytes: 0 });
  assert.equal((await answer({ ':path': '/status', ...AUTH })).status, 200);
  const { status, bytes } = await answer({ ':path': '/snapshot', ...AUTH, 'accept-encoding': 'gzip' });
  assert.ok(status === 200 && bytes > 100_000, `${status}, ${bytes} bytes`);
});

test('what is mounted is undone: a monitor that was started for it stops', async (t) => {
  const handler = heapwarden({ token: TOKEN });
  t.after(() => handler.close());
  assert.ok(handler.monitor instanceof MemoryMonitor);
  const again = heapwarden({ token: TOKEN });
  assert.equal(again.monitor, handler.monitor, 'one that runs is used');
  handler.close();
  assert.ok(again.monitor.sample(), 'which the other still has');
  again.close();
  const other = heapwarden({ token: TOKEN });
  assert.notEqual(other.monitor, handler.monitor, 'one that was stopped is not');
  other.close();
});

test('buckets fill at their rate, and addresses are bounded', () => {
  const bucket = new Bucket(2, 1000);
  assert.deepEqual([bucket.take(), bucket.take()], [0, 0]);
  assert.ok(new Bucket(1, 0.1).waitSeconds() === 0);
  const slow = new Bucket(1, 0.1);
  assert.deepEqual([slow.take(), slow.take()], [0, 10]);
  const buckets = new Buckets(1, 0.001);
  const first = buckets.of('a');
  first.take();
  assert.equal(buckets.of('a'), first);
  for (let i = 0; i < 1000; i += 1) buckets.of(`b${i}`);
  assert.notEqual(buckets.of('a'), first);
});

test('encodings are chosen as the client weighs them', () => {
  assert.equal(encodingFor(undefined), false);
  assert.equal(encodingFor('gzip, deflate, br'), 'gzip');
  assert.equal(encodingFor('gzip, zstd'), 'zstd');
  assert.equal(encodingFor('gzip;q=1, zstd;q=0.5'), 'gzip');
  assert.equal(encodingFor('gzip;q=0, zstd;q=0'), false);
  assert.equal(encodingFor('GZIP; q=0.1'), 'gzip');
  assert.equal(encodingFor('identity'), false);
});
