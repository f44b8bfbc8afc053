'use strict';

// `heapwarden report -o`: what gets into the page and how, without a browser. `npm run page` opens it in one.

const assert = require('node:assert');
const { createHash } = require('node:crypto');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const zlib = require('node:zlib');
const { chosenOf, pairOf } = require('../lib/report/heaps');
const { MOST_POINTS, lifeInBrief, lifeOf } = require('../lib/report/life');
const { inert } = require('../lib/report/page');
const { HOSTILE, fleetEvidence, wideHeap } = require('../scripts/page/evidence');
const { SECRETS, secret } = require('./fixtures/secretive');
const { ROOT, bridgeIsOff, evaluate, folder, run, until } = require('./support');

const MAIN = path.join(ROOT, 'lib', 'cli', 'main.js');
const heapwarden = (args, options) => run([MAIN, 'report', ...args], options);

/** The page's text, what it shows at once, and its blocks. */
function read(file) {
  const html = fs.readFileSync(file, 'utf8');
  const overview = JSON.parse(/<script type="application\/json" id="overview">(.*?)<\/script>/s.exec(html)[1]);
  const blocks = Object.fromEntries([...html.matchAll(/<script type="application\/gzip" id="block-([^"]+)">([^<]*)<\/script>/g)]
    .map(([, name, packed]) => [name, JSON.parse(zlib.gunzipSync(Buffer.from(packed, 'base64')))]));
  return { html, overview, blocks };
}

/** The page about `places`; fails where the command does. */
async function page(t, places, args = []) {
  const file = path.join(folder(t), 'report.html');
  const { code, stdout, stderr } = await heapwarden([...places, '-o', file, ...args]);
  assert.deepEqual([code, stdout, stderr], [0, '', '']);
  return { file, ...read(file) };
}

test('of a fleet: which leak, on how many hosts, since when, and the life of each pod', async (t) => {
  const dir = folder(t);
  fleetEvidence(dir);
  const { file, overview, blocks } = await page(t, [dir]);
  if (process.platform !== 'win32') assert.equal(fs.statSync(file).mode & 0o777, 0o600);
  const [worst, second] = overview.leaks;
  assert.deepEqual([worst.constructorName, worst.hosts, worst.by.length, worst.first], ['RequestRecord', 31, 31, 31]);
  assert.deepEqual([second.constructorName, second.hosts, second.first], ['(closure) onPriceChange', 12, 5]);
  assert.deepEqual([...new Set(worst.by.map(({ since }) => since))].sort()[0], worst.since);
  assert.ok(worst.by.every(({ bytesPerSecond, host }) => bytesPerSecond >= 1200 && bytesPerSecond <= 1800 && host.startsWith('checkout-')));
  // A second culprit has no rate of its own: the floor's is that of both.
  assert.equal(second.by.filter(({ bytesPerSecond }) => bytesPerSecond === null).length, 7);

  assert.equal(overview.processes.length, 40);
  const counts = (of) => overview.processes.filter(({ verdict }) => verdict.status === of).length;
  assert.deepEqual([counts('leak'), counts('healthy')], [36, 4], 'series are judged by the detector');
  assert.deepEqual(overview.processes.filter(({ leaks }) => leaks.length === 2).length, 7);
  const leaking = overview.processes[0];
  assert.ok(leaking.host.startsWith('checkout-') && leaking.leaks[0] === 1);
  const life = blocks[leaking.block];
  assert.ok(life.at.length > 1000 && life.at.length <= MOST_POINTS + 2 && life.at.every((at, i) => i === 0 || at > life.at[i - 1]));
  assert.ok(life.floor.length > 100 && life.floor.at(-1) > life.floor[0] * 2);
  assert.ok(life.events.some(({ type, status }) => type === 'verdict' && status === 'leak'));
  assert.ok(life.requests.some((rate) => rate > 5));
  const healthy = overview.processes.find(({ verdict }) => verdict.status === 'healthy');
  assert.match(healthy.host, /^checkout\/checkout-/, 'a pod without a report is called by its folder');
});

test('leaks whose names are not told are still told apart', async (t) => {
  const dir = folder(t);
  fleetEvidence(dir, { pods: 16 });
  const summary = (leaks) => leaks.map(({ hosts, reports, first }) => [hosts.length ?? hosts, reports, first]);
  const [full, shape] = [await page(t, [dir]), await page(t, [dir], ['--redact', 'shape'])];
  assert.equal(full.overview.leaks.length, 2);
  assert.deepEqual(summary(shape.overview.leaks), summary(full.overview.leaks));
  assert.deepEqual(shape.overview.leaks.map(({ constructorName, fingerprint }) => [constructorName, fingerprint]), [['(redacted)', null], ['(redacted)', null]]);
  const { leaks } = JSON.parse((await heapwarden([dir, '--redact', 'shape', '--json'])).stdout);
  assert.deepEqual(summary(leaks), summary(full.overview.leaks));
  assert.ok(leaks.every(({ keys }) => keys === undefined));

  // Two leaks without fingerprints that differ by their names alone.
  const alike = folder(t);
  const report = JSON.parse(fs.readFileSync(path.join(ROOT, '__test__', 'golden', 'leak-report.json'), 'utf8'));
  const [culprit] = report.culprits;
  delete culprit.fingerprint;
  report.culprits = ['One', 'Other'].map((constructorName) => ({ ...culprit, constructorName }));
  fs.writeFileSync(path.join(alike, 'heapwarden-leak-20261121T171929-296Z-25631-0.json'), JSON.stringify(report));
  for (const level of ['full', 'names', 'shape']) assert.equal((await page(t, [alike], ['--redact', level])).overview.leaks.length, 2, level);
});

test('the same evidence gives the same bytes, wherever it lies', async (t) => {
  const [one, other] = [folder(t), folder(t)];
  for (const dir of [one, other]) {
    fleetEvidence(dir, { pods: 9 });
    wideHeap(path.join(dir, 'a.heapsnapshot'), 300);
  }
  const pages = [await page(t, [one]), await page(t, [one]), await page(t, [other])];
  assert.equal(pages[0].html, pages[1].html);
  // The heaps' names of places are the same: they lie in no file of this machine.
  assert.equal(pages[0].html, pages[2].html);
  assert.ok(!pages[0].html.includes(one));
});

test('names that are markup stay text, and nothing but what is in the page may run', async (t) => {
  const dir = folder(t);
  fleetEvidence(dir, { pods: 16, hostile: true });
  wideHeap(path.join(dir, 'wide.heapsnapshot'), 50);
  const { html, overview, blocks } = await page(t, [dir]);
  assert.equal(overview.leaks[0].constructorName, HOSTILE);
  assert.ok(blocks['heap0.classes'].columns.constructorName.includes(HOSTILE));
  assert.ok(!html.includes('<img'));
  // Each element of the data is as it was made; what a parser would see besides is the template alone.
  const template = fs.readFileSync(path.join(ROOT, 'lib', 'report', 'page.html'), 'utf8');
  const without = html.replace(/<script type="application\/(json|gzip)" id="[\w.-]+">[^<]*<\/script>\n?/g, '');
  assert.equal(without, template.replace('<!--evidence-->\n', ''));

  const [, policy] = /<meta http-equiv="Content-Security-Policy" content="([^"]+)">/.exec(html);
  assert.match(policy, /^default-src 'none'; /);
  assert.ok(!/unsafe|https?:|\*/.test(policy), policy);
  const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;
  const [, script] = /<script type="module">(.*)<\/script>\n<\/body>/s.exec(html);
  const [, style] = /<style>(.*?)<\/style>/s.exec(html);
  assert.ok(policy.includes(`script-src ${hash(script)};`) && policy.includes(`style-src ${hash(style)};`));
  assert.ok(script.includes('Leon Sorokin') && script.includes('Mike Bostock'), 'the licences of what is bundled');
  assert.ok(!/\beval\(|new Function|innerHTML/.test(script));
});

test('JSON within a page ends no element', () => {
  const value = { a: '</script><!--<script>&amp;\u2028\u2029', '<b>': 1 };
  const text = inert(JSON.stringify(value));
  assert.ok(!/[<>&\u2028\u2029]/.test(text));
  assert.deepEqual(JSON.parse(text), value);
});

test('a heap: its classes in columns, the map without a byte counted twice, and what changed', async (t) => {
  const dir = folder(t);
  const name = (n) => path.join(dir, `heapwarden-2026112${n}T100000-000Z-7-0-${n}.heapsnapshot`);
  wideHeap(name(1), 200);
  wideHeap(name(2), 5000);
  wideHeap(name(3), 6000);
  const { overview, blocks } = await page(t, [dir]);
  assert.deepEqual(overview.heaps.map(({ file }) => file), [3, 1].map((n) => path.basename(name(n))), 'the newest, and the oldest of its process');
  assert.equal(overview.passedOver.snapshots, 1);
  const { length, columns } = blocks['heap0.classes'];
  assert.ok(length > 6000 && Object.values(columns).every((column) => column.length === length));
  const map = blocks['heap0.map'].columns;
  const inside = map.parent.map(() => 0);
  map.parent.forEach((parent, i) => { if (parent !== null) inside[parent] += map.retainedSize[i]; });
  assert.ok(map.retainedSize.every((size, i) => map.count[i] > 1 || inside[i] + map.shallowSize[i] <= size));
  assert.equal(map.retainedSize[0], overview.heaps[0].totalShallowSize);
  assert.deepEqual([overview.comparison.before, overview.comparison.after], [1, 3].map((n) => path.basename(name(n))));
  const deltas = blocks.comparison;
  assert.equal(deltas.length, overview.comparison.classCount);
  assert.ok(deltas.columns.sizeDelta[0] > 0);

  const none = await page(t, [dir], ['--snapshots', '0']).catch((error) => error);
  assert.match(none.message, /expected a leak report, a recording, a series or a snapshot, found none/);
  const named = await page(t, [name(2)], ['--snapshots', '0']);
  assert.deepEqual([named.overview.heaps.length, named.overview.comparison], [1, null]);
});

test('which snapshots are looked at, and which two are compared', () => {
  const [a1, a2, a3] = [1, 2, 3].map((n) => `/e/a/heapwarden-2026112${n}T100000-000Z-7-0-1.heapsnapshot`);
  const b = '/e/b/heapwarden-20261122T110000-000Z-8-0-1.heapsnapshot';
  const files = [a3, b, a2, a1];
  assert.deepEqual(chosenOf(files, [], 0), []);
  assert.deepEqual(chosenOf(files, [], 1), [a3]);
  assert.deepEqual(chosenOf(files, [], 2), [a3, a1]);
  assert.deepEqual(chosenOf(files, [], 3), [a3, a1, b]);
  assert.deepEqual(chosenOf([b], [], 2), [b]);
  assert.deepEqual(chosenOf(files, [b, a1], 1), [b, a1], 'what was named is looked at in any case');
  assert.deepEqual(pairOf([a3, a1, b], []), [a1, a3]);
  assert.deepEqual(pairOf([a3, b], []), undefined);
  assert.deepEqual(pairOf([b, a1], [b, a1]), [b, a1], 'as they were named');
});

test('a life that is thinned out keeps its ends, its peaks, its lowest floors and all its requests', () => {
  const samples = Array.from({ length: 20_000 }, (_, i) => ({ at: i * 1000, heapUsed: i === 12_345 ? 1e9 : 1000 + (i % 7), external: 1, rss: 2, requests: 3 }));
  const floors = Array.from({ length: 9000 }, (_, i) => ({ at: i * 2000, bytes: i === 4321 ? 5 : 900 + (i % 5) }));
  const life = lifeOf({ samples, floors, events: Array.from({ length: 400 }, (_, at) => ({ type: 'note', at, text: 'x' })) });
  assert.ok(life.at.length <= MOST_POINTS + 2 && life.floor.length <= MOST_POINTS);
  assert.deepEqual([life.at[0], life.at.at(-1)], [0, 19_999_000]);
  assert.ok(life.heapUsed.includes(1e9) && life.floor.includes(5));
  assert.ok(life.at.every((at, i) => i === 0 || at > life.at[i - 1]));
  assert.deepEqual([life.events.length, life.eventsLeftOut, life.events[0].at], [300, 100, 100]);
  const seconds = life.at.map((at, i) => (i === 0 ? 0 : (at - life.at[i - 1]) / 1000));
  const asked = life.requests.reduce((sum, rate, i) => sum + (rate ?? 0) * seconds[i], 0);
  assert.ok(Math.abs(asked - 3 * 19_999) < 60, `${asked} requests`);
  assert.deepEqual(lifeInBrief({ samples: [], floors: [] }).spark, []);
  assert.equal(lifeInBrief({ samples, floors }).spark.length, 48);
});

test('no secret is in a page at names or shape: of a report, a recording, a death, a snapshot', { skip: process.platform !== 'linux' || bridgeIsOff }, async (t) => {
  const dir = folder(t);
  // A heap with secrets for classes, properties and events, of a process whose title and last words are secrets.
  const { stderr } = await evaluate(`
    const { secret, SECRETS } = require('./__test__/fixtures/secretive');
    globalThis.kept = Array.from({ length: SECRETS }, (_, n) => ({ [Symbol.toStringTag]: secret(n), ['of_' + secret(n)]: { token: secret(n) } }));
    for (let n = 0; n < 10; n += 1) process.on('event ' + secret(n), () => {});
    process.title = secret(2);
    setTimeout(() => require('.').writeSnapshot({ directory: ${JSON.stringify(dir)}, summary: false }).then(() => { throw new Error(secret(3)); }), 300);
  `, { env: { HEAPWARDEN_DIR: dir, HEAPWARDEN_INTERVAL_MS: '20', NODE_OPTIONS: `--require ${path.join(ROOT, 'lib', 'register.js')}` } });
  assert.ok(stderr.includes(secret(3)), stderr);
  const report = JSON.parse(fs.readFileSync(path.join(ROOT, '__test__', 'golden', 'leak-report.json'), 'utf8'));
  const [culprit] = report.culprits;
  Object.assign(culprit, { constructorName: `Of_${secret(4)}`, advice: `Remove \`Of_${secret(4)}\` from \`${secret(5)}\`.` });
  culprit.holder.name = secret(5);
  culprit.retainerPath[1].edge = secret(5);
  culprit.retainerPath[4].name = secret(6);
  report.evidence.reason = `Of_${secret(4)} was too large`;
  fs.writeFileSync(path.join(dir, 'heapwarden-leak-20261121T171929-296Z-25631-0.json'), JSON.stringify(report));

  const secrets = Array.from({ length: SECRETS }, (_, n) => secret(n));
  const told = {};
  for (const level of ['full', 'names', 'shape']) {
    const { overview, blocks } = await page(t, [dir], ['--redact', level]);
    const text = JSON.stringify([overview, blocks]);
    told[level] = secrets.filter((one) => text.includes(one)).length;
    assert.equal(/requestsById|RequestRecord/.test(text), false);
    assert.equal(/leaky\.js/.test(text), level !== 'shape');
    assert.equal(overview.heaps.length, 1);
    assert.equal(overview.redaction, level);
    assert.ok(overview.processes.some(({ samples }) => samples > 5), 'the recording is told');
    assert.equal(overview.deaths[0].cause.kind, 'uncaught-exception');
    for (const form of [['--json'], []]) {
      const out = (await heapwarden([dir, '--redact', level, ...form])).stdout;
      assert.equal(secrets.some((one) => out.includes(one)), level === 'full', `the text at ${level}`);
    }
  }
  assert.ok(told.full > SECRETS / 2, `the page that tells all tells ${told.full} secrets: nothing is shown by the others`);
  assert.deepEqual([told.names, told.shape], [0, 0]);
});

test('what cannot be done is said, and leaves nothing behind', async (t) => {
  const dir = folder(t);
  const out = path.join(dir, 'out.html');
  const said = async (args) => {
    const { code, stderr } = await heapwarden(args);
    return [code, stderr];
  };
  fleetEvidence(dir, { pods: 1 });
  for (const args of [['--json'], ['--snapshots', 'two'], ['--top', '0'], ['--redact', 'some']]) assert.equal((await said([dir, '-o', out, ...args]))[0], 2);
  assert.equal((await said([dir, '--snapshots', '1']))[0], 2);
  assert.equal((await said([dir, '-o', '']))[0], 2);
  const [code, stderr] = await said([dir, '-o', path.join(dir, 'none', 'out.html')]);
  assert.equal(code, 1);
  assert.match(stderr, /--out: expected a folder at .*none, found none/);
  assert.match((await said([dir, '-o', dir]))[1], /expected a file, found the folder/);
  const empty = path.join(dir, 'empty');
  fs.mkdirSync(empty);
  assert.match((await said([empty, '-o', out]))[1], /expected a leak report, a recording, a series or a snapshot, found none/);
  fs.writeFileSync(path.join(empty, 'a.heapsnapshot'), '{"snapshot":');
  assert.match((await said([empty, '-o', out]))[1], /a\.heapsnapshot: .*at byte/);
  assert.ok(!fs.existsSync(out));

  // What else lies there is told in spite of it, and what is wrong is in the page.
  fs.writeFileSync(path.join(empty, 'b.jsonl'), '{"format":"heapwarden-series"}\nnone\n');
  fs.writeFileSync(path.join(empty, 'c.jsonl'), '{"id":"a","n":1}\n');
  fs.writeFileSync(path.join(empty, 'd.jsonl.zst'), Buffer.from([0x28, 0xb5, 0x2f, 0xfd, 0]));
  const { overview } = await page(t, [dir]);
  assert.equal(overview.processes.length, 1);
  assert.deepEqual(overview.unreadable.map(({ file, message }) => [file, /expected/.test(message)]).sort(), ['a.heapsnapshot', 'b.jsonl', 'c.jsonl', 'd.jsonl.zst'].map((name) => [`empty/${name}`, true]));
  assert.match(overview.unreadable.find(({ file }) => file === 'empty/b.jsonl').message, /at byte 31/);
});

test('SIGINT while snapshots are read: 130, and the page that was there stays', { skip: process.platform === 'win32' }, async (t) => {
  const dir = folder(t);
  const out = path.join(dir, 'out.html');
  fs.writeFileSync(out, 'before');
  const fifo = path.join(dir, 'endless.heapsnapshot');
  await new Promise((resolve) => { spawn('mkfifo', [fifo]).on('close', resolve); });
  const child = spawn(process.execPath, [MAIN, 'report', fifo, '-o', out], { stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_TEST_CONTEXT: undefined } });
  let stderr = '';
  child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
  const ended = new Promise((resolve) => { child.on('close', (code) => resolve(code)); });
  // Until somebody reads, nobody can be found to write to: then the work is under way.
  const pipe = await until(() => fs.promises.open(fifo, fs.constants.O_WRONLY | fs.constants.O_NONBLOCK).catch(() => undefined), 'the snapshot to be read');
  t.after(() => pipe.close());
  child.kill('SIGINT');
  assert.equal(await ended, 130, stderr);
  assert.match(stderr, /ended by SIGINT; nothing was written/);
  assert.deepEqual([fs.readFileSync(out, 'utf8'), fs.readdirSync(dir).sort()], ['before', ['endless.heapsnapshot', 'out.html']]);
});
