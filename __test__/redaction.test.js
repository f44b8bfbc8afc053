'use strict';

// What leaves the process at a level: a program's thousand secrets are looked for in every file, byte by byte.

const assert = require('node:assert/strict');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const zlib = require('node:zlib');
const { captureSummary, auditListeners, redactReport, summarizeSnapshot, writeSnapshot } = require('..');
const { oracle } = require('./support/oracle');
const { heapwarden } = require('../lib/plugins/http');
const { folder, until } = require('./support');
const secrets = require('./fixtures/secrets');

const SECRETS = secrets.make(1000);
const heap = secrets.keep(SECRETS);

/** The secrets that `text` holds. */
const leaked = (text) => SECRETS.filter((secret) => text.includes(secret));

/** All but names: the numbers of a snapshot, with types. */
function numbers(text) {
  const { snapshot, nodes, edges, locations, strings } = JSON.parse(text);
  return { nodes: nodes.length, edges: edges.length, locations: locations.length, strings: strings.length, count: snapshot.node_count };
}

for (const level of ['names', 'shape']) {
  test(`no secret is in a snapshot at ${level}, however it is written`, async (t) => {
    const directory = folder(t);
    for (const [mode, compress] of level === 'names' ? [['auto', false], ['inline', 'gzip']] : [['auto', 'gzip']]) {
      const file = path.join(directory, `${mode}.heapsnapshot`);
      const written = await writeSnapshot({ path: file, mode, compress, redact: level });
      const bytes = fs.readFileSync(written.path);
      const text = (compress ? zlib.gunzipSync(bytes) : bytes).toString('latin1');
      assert.deepEqual(leaked(text), []);
      assert.equal(written.bytes, text.length);
      assert.deepEqual(leaked(JSON.stringify(written.summary)), []);
      const { nodes, strings, count } = numbers(text);
      assert.ok(nodes > count && strings > 1000);
      assert.ok(text.startsWith('{"snapshot":{"heapwarden_redaction":"' + level));
      // What can be counted is what it was: read by ours and by a naive reader.
      const [ours, naive] = [await summarizeSnapshot(written.path, { shallowSizes: 'file', sourceMaps: false }), oracle(text)];
      assert.equal(ours.nodeCount, naive.nodeCount);
      assert.equal(ours.edgeCount, naive.edgeCount);
      assert.equal(ours.totalShallowSize, naive.totalShallowSize);
      const vaults = naive.constructors.get('SecretVault');
      assert.equal(vaults?.count, level === 'names' ? SECRETS.length : undefined);
      assert.equal(text.includes('"plainTextSecret"'), level === 'names', 'a property that code spells is told at names');
      assert.equal(text.includes('"openVault"'), level === 'names', 'a function');
      assert.equal(text.includes('secrets.js'), level === 'names', 'a file');
      assert.ok(text.includes('"system / Context"') && text.includes('"prototype"'));
    }
  });
}

test('at full everything is there, so that the other levels have something to take away', async (t) => {
  const written = await writeSnapshot({ path: path.join(folder(t), 'full.heapsnapshot'), summary: false });
  assert.equal(leaked(fs.readFileSync(written.path, 'latin1')).length, SECRETS.length);
  assert.equal(heap.vaults.length, SECRETS.length);
});

test('a summary and an audit of listeners are redacted before they are made', async () => {
  const { summary } = await captureSummary({ redact: 'names' });
  assert.deepEqual(leaked(JSON.stringify(summary)), []);
  assert.ok(summary.constructors.some(({ constructorName }) => constructorName === 'SecretVault'));
  assert.deepEqual(leaked(JSON.stringify(await auditListeners({ redact: 'names' }))), []);
  const audit = JSON.stringify(await auditListeners());
  assert.ok(leaked(audit).length > 0, 'events that are named by data');
});

test('no page of the endpoints tells a secret at names, nor a name of the program at shape', async (t) => {
  const token = 'a-token-of-the-tests-0123456789';
  const handler = heapwarden({ token, directory: folder(t), capturesPerMinute: 600, allowFull: true });
  const server = http.createServer(handler).listen(0, '127.0.0.1');
  t.after(() => { handler.close(); server.close(); });
  await once(server, 'listening');
  const { port } = server.address();
  const page = (url) => new Promise((resolve, reject) => {
    http.get({ port, host: '127.0.0.1', path: url, headers: { authorization: `Bearer ${token}` }, agent: false }, (response) => {
      const parts = [];
      response.on('data', (part) => parts.push(part)).on('end', () => resolve({ status: response.statusCode, text: Buffer.concat(parts).toString('latin1') }));
    }).on('error', reject);
  });
  assert.ok(leaked((await page('/listeners?level=full')).text).length > 0, 'at full there is something to hide');
  for (const level of ['names', 'shape']) {
    for (const route of ['/status', '/samples', '/report', '/metrics', '/summary', '/listeners', '/snapshot']) {
      // The last byte of an answer may be here before the server knows that it is.
      await until(async () => !JSON.parse((await page('/status')).text).capturing, 'the end of the capture before');
      const { status, text } = await page(`${route}?level=${level}`);
      assert.equal(status, route === '/report' ? 204 : 200, route);
      assert.deepEqual(leaked(text), [], `${route} at ${level}`);
      assert.ok(level === 'names' || !/SecretVault|plainTextSecret|openVault|secrets\.js/.test(text), `${route} at ${level}`);
    }
  }
});

test('a report is redacted by what is known of its names', () => {
  const report = {
    culprits: [{
      constructorName: 'Hunter', holder: { name: 'hunter2', constructorName: 'Map', event: 'hunter3', location: { file: '/a/b.js', line: 1, column: 1 } },
      retainerPath: [{ name: 'Object', edge: 'hunter2' }, { name: '(closure) handler', edge: 'context' }, { name: 'Object', edge: '0' }],
      advice: 'Remove what `hunter2` of Hunter keeps.', fingerprint: '0011', files: [],
    }],
    verdict: { evidence: { confirmedBy: { constructorName: 'Hunter', holder: 'hunter2 of Object', captures: 3 } } },
    files: ['/a/b.heapsnapshot'],
  };
  const names = redactReport(report, 'names');
  assert.ok(!/hunter/i.test(JSON.stringify(names)), JSON.stringify(names));
  assert.equal(names.culprits[0].retainerPath[1].name, '(closure) handler');
  assert.equal(names.culprits[0].retainerPath[0].name, 'Object');
  assert.equal(names.culprits[0].holder.location.file, '/a/b.js');
  assert.deepEqual(names.files, ['/a/b.heapsnapshot']);
  const shape = redactReport(report, 'shape');
  assert.ok(!/hunter|handler|b\.js|b\.heap/i.test(JSON.stringify(shape)), JSON.stringify(shape));
  assert.deepEqual(redactReport(report, 'full'), report);
  assert.match(JSON.stringify(report), /hunter2/, 'the report itself is left alone');
  assert.throws(() => redactReport(report, 'some'), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
});

test('a level that is none is refused before anything is looked at', async () => {
  await assert.rejects(writeSnapshot({ redact: 'some' }), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
});

