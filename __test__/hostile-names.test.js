'use strict';

// Names are the program's users', or a stranger's: wherever they are shown they are text, and nothing else. And what is secret of the
// configuration is shown nowhere.

const assert = require('node:assert');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { test } = require('node:test');
const native = require('../lib/load');
const { alertMessage } = require('../lib/messages');
const { renderText } = require('../lib/metrics/text');
const { jsonForNative } = require('../lib/plain');
const { inert } = require('../lib/report/page');
const { ROOT, folder, run } = require('./support');

const CLI = path.join(ROOT, 'lib', 'cli', 'main.js');
const GOLDEN = require('./golden/leak-report.json');

/** What ends a line, moves a cursor, colours, titles a window, turns a direction, ends an element, begins an attribute, a label, a link. */
const PIECES = [
  '\u001b[2J', '\u001b]0;owned\u0007', '\u009b31m', '\r\nheapwarden: all is well', '\u202egnp.exe', '\u2066', '\u2028', '\u0000', '\b\b\b', '\u007f', '\ufeff',
  '</script><script>alert(1)</script>', '<!--', '"onmouseover="x', '\'"`${7*7}', '\\"} 1\n# HELP up', '{{policy}}', '$&$\'', '__proto__', '%s%n', '\ud800', '\u{1f4a3}'.repeat(30),
];

/** Made names, the same in each run. */
function* names(count) {
  let seed = 7;
  const next = (below) => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  for (let i = 0; i < count; i++) yield `N${i}${Array.from({ length: 1 + next(5) }, () => PIECES[next(PIECES.length)]).join('x')}`;
}

const NAMES = [...PIECES.map((piece) => `A${piece}Z`), ...names(200)];
// eslint-disable-next-line no-control-regex
const ACTS = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u202a-\u202e\u2066-\u2069\u2028\u2029]/;

/** Text for people: nothing in it acts, and no name has made a line of its own. */
function assertHarmless(text, what) {
  const at = text.search(ACTS);
  assert.equal(at, -1, `${what}: ${JSON.stringify(text.slice(Math.max(0, at - 60), at + 20))}`);
  assert.ok(!/^heapwarden: all is well/m.test(text), `${what}: a line that a name has made`);
}

/** The golden report with `name` wherever a heap's names are. */
function reportWith(name) {
  const report = structuredClone(GOLDEN);
  for (const culprit of report.culprits) {
    Object.assign(culprit, { constructorName: name, advice: `Bound ${name}.` });
    if (culprit.location) culprit.location = { ...culprit.location, file: `/srv/${name}.js`, package: name };
    for (const step of culprit.retainerPath) Object.assign(step, { name, edge: name });
    if (culprit.holder) Object.assign(culprit.holder, { name, constructorName: name, event: name });
  }
  for (const row of [...report.constructors, ...(report.census ?? [])]) row.constructorName = name;
  return report;
}

test('what is said of an event is one line', () => {
  for (const name of NAMES) {
    const growth = { reason: 'rising', kind: 'emitter', label: name, constructorName: name, event: name, count: 9, countDelta: 8, growthPerHour: 5, functions: [{ name }], location: { file: name, line: 1 }, emitters: 1 };
    const death = { pid: 7, threadId: 0, lastSeenAt: 'now', endedAt: null, cause: { certainty: 'certain', what: `an exception: ${name}` }, culprits: reportWith(name).culprits, file: name };
    const told = { leak: reportWith(name), 'heap-limit': reportWith(name), 'container-limit': reportWith(name), listeners: growth, postmortem: death, error: new Error(name) };
    for (const [event, payload] of Object.entries(told)) {
      const line = alertMessage(event, payload);
      assertHarmless(line, event);
      assert.ok(!line.includes('\n'), event);
    }
  }
});

test('a report as text is a block of lines of its own', () => {
  const golden = native.renderLeakReport(JSON.stringify(GOLDEN)).split('\n').length;
  for (const name of NAMES) {
    const text = native.renderLeakReport(jsonForNative(reportWith(name)));
    assertHarmless(text, name);
    assert.ok(text.split('\n').length < golden * 4 && text.split('\n').every((line) => [...line].length <= 100), text);
  }
});

/** A snapshot of objects of hostile classes. */
function snapshotOf(classes) {
  const strings = ['', ...classes];
  const nodes = [2, 0, 1, 0, classes.length, 0];
  const edges = [];
  classes.forEach((_, i) => {
    nodes.push(1, i + 1, 3 + 2 * i, 16 + i, 0, 0);
    edges.push(1, i + 1, 6 * (i + 1));
  });
  return JSON.stringify({
    snapshot: {
      meta: {
        node_fields: ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'],
        node_types: [['hidden', 'object', 'synthetic'], 'string', 'number', 'number', 'number', 'number'],
        edge_fields: ['type', 'name_or_index', 'to_node'], edge_types: [['context', 'property'], 'string_or_number', 'node'],
        location_fields: ['object_index', 'script_id', 'line', 'column'],
      },
      node_count: classes.length + 1, edge_count: classes.length, trace_function_count: 0,
    },
    nodes, edges, locations: [], strings,
  });
}

test('what the commands print of files of strangers is text', async (t) => {
  const dir = folder(t);
  const at = (name) => path.join(dir, name);
  fs.writeFileSync(at('a.heapsnapshot'), snapshotOf(NAMES.slice(0, 100)));
  fs.writeFileSync(at('b.heapsnapshot'), snapshotOf(NAMES));
  fs.mkdirSync(at('pods'));
  NAMES.slice(0, 40).forEach((name, i) => {
    const report = { ...reportWith(name), host: name, pid: i + 1, node: name, reportedAt: `2026-11-21T10:00:${String(i).padStart(2, '0')}.000Z` };
    fs.writeFileSync(at(`pods/heapwarden-leak-20261121T1000${String(i).padStart(2, '0')}-000Z-${i + 1}-0.json`), JSON.stringify(report));
  });
  const [first] = fs.readdirSync(at('pods'));
  fs.writeFileSync(at('bad.json'), `{"culprits": ${PIECES[0]}\u009b31m`);
  fs.writeFileSync(at('series.jsonl'), `${JSON.stringify({ id: NAMES[0], n: 3, intervalMs: 1000, cols: {} })}\n`);
  const cases = [
    ['summarize', at('b.heapsnapshot'), '--top', '1000'], ['summarize', at('b.heapsnapshot'), '--histogram', '--top', '1000'],
    ['diff', at('a.heapsnapshot'), at('b.heapsnapshot'), '--top', '1000'], ['report', at('pods')], ['fingerprint', at(`pods/${first}`)],
    ['fingerprint', at('bad.json')], ['replay', at('series.jsonl'), '--text'], ['summarize', at('bad.json')], ['postmortem', at('bad.json')],
  ];
  for (const args of cases) {
    const { stdout, stderr } = await run([CLI, ...args]);
    assert.ok(stdout.length + stderr.length > 0);
    assertHarmless(stdout, args.join(' '));
    assertHarmless(stderr, args.join(' '));
  }
  const { code, stderr } = await run([CLI, 'report', dir, '-o', at('page.html')]);
  assert.equal(code, 0, stderr);
  const html = fs.readFileSync(at('page.html'), 'utf8');
  assert.equal(html.split('alert(1)</script>').length, 1, 'no name ends a script');
  const overview = /<script type="application\/json" id="overview">(.*?)<\/script>/s.exec(html)[1];
  assert.ok(!/[<>&]/.test(overview) && JSON.parse(overview));
});

test('what is put into a page comes out as it was, and ends nothing', () => {
  for (const name of NAMES) {
    const text = inert(JSON.stringify({ [name]: name }));
    assert.ok(!/[<>&\u2028\u2029]/.test(text));
    assert.deepEqual(JSON.parse(text), JSON.parse(JSON.stringify({ [name]: name })));
  }
});

test('a label is one label, whatever is in it', () => {
  for (const format of ['prometheus', 'openmetrics']) {
    for (const name of NAMES) {
      const text = renderText([{ name: 'heapwarden_x', type: 'gauge', help: 'Help.', samples: [{ labels: { route: name, b: 'c' }, value: 1 }] }], format);
      const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('# '));
      assert.equal(lines.length, 1, text);
      assert.match(lines[0], /^heapwarden_x\{route="(?:[^"\\\n]|\\["\\n])*",b="c"\} 1$/);
    }
  }
});

test('no address, header or token is told in a log, an error, a file or an answer', async (t) => {
  const directory = path.join(folder(t), 'evidence');
  // Not worth another attempt, so that it fails at once.
  const refusing = http.createServer((_, response) => response.writeHead(400).end()).listen(0, '127.0.0.1');
  await once(refusing, 'listening');
  t.after(() => refusing.close());
  const place = `127.0.0.1:${refusing.address().port}`;
  const secrets = { url: 's3cr3t-in-the-path', query: 's3cr3t-in-the-query', user: 's3cr3t-user', header: 's3cr3t-header', token: 's3cr3t-token-0123456789' };
  const source = `
    const http = require('node:http');
    const { inspect } = require('node:util');
    const { MemoryMonitor, writeSnapshot } = require(${JSON.stringify(ROOT)});
    const { heapwarden } = require(${JSON.stringify(path.join(ROOT, 'lib/plugins/http'))});
    const token = process.env.HEAPWARDEN_TOKEN;
    const handler = heapwarden({ token, prefix: '/_heap' });
    const failed = [];
    process.on('warning', (warning) => failed.push(warning.message));
    const server = http.createServer((request, response) => handler(request, response)).listen(0, async () => {
      const told = [inspect(handler, { depth: 9, showHidden: true })];
      while (!failed.some((message) => /alert channel .* failed/.test(message))) await new Promise((resolve) => setTimeout(resolve, 20));
      for (const place of ['status', 'samples', 'report', 'metrics', 'listeners?level=shape', 'nowhere']) {
        for (const authorization of ['Bearer ' + token, 'Bearer wrong']) {
          const answer = await new Promise((resolve, reject) => http.get({ port: server.address().port, path: '/_heap/' + place, headers: { authorization } }, (response) => {
            let text = JSON.stringify(response.headers);
            response.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => resolve(text));
          }).on('error', reject));
          told.push(answer);
        }
      }
      for (const channel of [{ url: 'ftp://${secrets.user}@x/${secrets.url}' }, { url: '${secrets.url}' }, { url: 'http://x/', headers: { 'a': '${secrets.header}\\n' } }, { url: 'http://x/', headers: { 'n0t a name': '' } }]) {
        try { new MemoryMonitor({ channels: [{ type: 'webhook', ...channel }] }); told.push('accepted'); } catch (error) { told.push(error.stack); }
      }
      const monitor = new MemoryMonitor({ channels: [{ type: 'webhook', url: process.env.HEAPWARDEN_WEBHOOK_URL, headers: { authorization: process.env.HEAPWARDEN_WEBHOOK_AUTHORIZATION } }] });
      told.push(inspect(monitor, { depth: 9, showHidden: true }), JSON.stringify(monitor.metrics()), JSON.stringify(monitor.report()));
      await writeSnapshot({ directory: process.env.HEAPWARDEN_DIR, redact: 'names', summary: false });
      console.log(told.join('\\n'));
      process.exit();
    });
  `;
  const { code, stdout, stderr } = await run(['-r', path.join(ROOT, 'lib', 'register.js'), '-e', source], {
    env: {
      HEAPWARDEN_DIR: directory, HEAPWARDEN_INTERVAL_MS: '20', HEAPWARDEN_ALERT_THRESHOLD_MB: '1', HEAPWARDEN_EVIDENCE: 'none', HEAPWARDEN_FLUSH_MS: '0',
      HEAPWARDEN_WEBHOOK_URL: `http://${secrets.user}:pw@${place}/${secrets.url}?key=${secrets.query}`,
      HEAPWARDEN_WEBHOOK_AUTHORIZATION: `Bearer ${secrets.header}`, HEAPWARDEN_TOKEN: secrets.token,
      HEAPWARDEN_OTLP_LOGS_URL: `http://${place}/${secrets.url}`,
    },
  });
  assert.equal(code, 0, stderr);
  assert.ok(!stdout.includes('accepted'));
  const files = fs.readdirSync(directory);
  assert.ok(files.some((name) => name.endsWith('.heapsnapshot')));
  const told = { stdout, stderr, ...Object.fromEntries(files.map((name) => [name, fs.readFileSync(path.join(directory, name), 'latin1')])) };
  assert.ok(!stdout.includes('n0t a name'));
  for (const [where, text] of Object.entries(told)) {
    for (const [what, secret] of Object.entries(secrets)) {
      const at = text.indexOf(secret);
      assert.equal(at, -1, `${what} in ${where}: ${JSON.stringify(text.slice(Math.max(0, at - 100), at + 40))}`);
    }
  }
});
