'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const semver = require('semver');
const { leaks, version } = require('../data/known-leaks.json');
const { withFirstSeen } = require('../lib/first-seen');
const { withKnownLeaks } = require('../lib/known-leaks');
const { Packages } = require('../lib/packages');
const { withPositions } = require('../lib/positions');
const native = require('../lib/load');
const { ROOT, folder, run } = require('./support');

const PATTERNS = ['listener', 'closure', 'collection', 'timer', 'promise', 'buffer', 'pool', 'global', 'string', 'unknown'];

test('the list of known leaks is what docs/known-leaks.md says', () => {
  assert.equal(version, 1);
  const text = (value) => typeof value === 'string' && value !== '';
  const list = (value, of) => value === undefined || (Array.isArray(value) && value.length > 0 && value.every(of));
  for (const entry of leaks) {
    const { package: name, versions, fixedIn, reference, pattern, names, steps, fingerprints, note, ...rest } = entry;
    assert.deepEqual(rest, {}, name);
    assert.match(name, /^(@[a-z0-9][\w.-]*\/)?[a-z0-9][\w.-]*$/);
    assert.ok(semver.validRange(versions) && semver.validRange(versions) !== '*', `${name}: ${versions}`);
    if (fixedIn !== null) {
      assert.ok(semver.valid(fixedIn), name);
      assert.ok(!semver.satisfies(fixedIn, versions), `${name}: ${fixedIn} is fixed and leaks`);
      assert.ok(semver.ltr(semver.minVersion(versions), fixedIn), name);
    }
    assert.match(reference, /^([\w.-]+\/[\w.-]+#\d+|https:\/\/\S+)$/);
    assert.ok(PATTERNS.includes(pattern), name);
    assert.ok(list(names, text) && list(steps, (step) => / of /.test(step)) && list(fingerprints, (print) => /^[0-9a-f]{16}$/.test(print)), name);
    assert.ok(names || steps || fingerprints, `${name}: by what is it recognised?`);
    assert.ok(text(note) && note.length <= 200 && note.endsWith('.'), name);
  }
  const order = leaks.map((entry) => entry.package);
  assert.deepEqual(order, [...order].sort(), 'sorted by package');
});

/** An application with these packages, and the path of a file in it. */
function application(t, packages) {
  const dir = folder(t);
  for (const [name, has] of Object.entries(packages)) {
    const at = path.join(dir, 'node_modules', name);
    fs.mkdirSync(at, { recursive: true });
    fs.writeFileSync(path.join(at, 'package.json'), JSON.stringify({ name, version: has }));
  }
  return (...names) => ({ file: path.join(dir, ...names), line: 1, column: 1 });
}

const culprit = (rest) => ({ constructorName: 'Object', pattern: 'unknown', fingerprint: '00000000000000aa', location: null, retainerPath: [], ...rest });

async function known(one, entries) {
  const packages = new Packages();
  await withPositions(one, packages);
  await withKnownLeaks([one], packages, entries);
  return one.known;
}

test('a leak that goes through what a leaky version keeps is known', async (t) => {
  const at = application(t, { debug: '4.1.1', 'lru-cache': '7.8.0', '@nestjs/throttler': '2.0.0' });
  const instances = culprit({
    constructorName: '(closure) debug',
    location: at('node_modules', 'debug', 'src', 'common.js'),
    retainerPath: [{ name: 'Array', edge: '[n]', location: null }, { name: '(closure) createDebug', edge: 'instances', location: at('node_modules', 'debug', 'src', 'common.js') }],
  });
  assert.deepEqual(await known(instances), { package: 'debug', version: '4.1.1', fixedIn: '4.3.0', reference: 'debug-js/debug#678' });
  // No function of the package is on the path: a class that is nobody else's tells, and the version is that which the program gets.
  const cached = culprit({
    constructorName: 'Page',
    retainerPath: [
      { name: 'Array', edge: '[n]', location: null }, { name: 'LRUCache', edge: 'valList', location: null },
      { name: '(closure) get', edge: 'cache', location: at('src', 'pages.js') },
    ],
  });
  assert.equal((await known(cached)).reference, 'isaacs/node-lru-cache#227');
});

test('what is fixed, somebody else\'s, or on the way by chance is not', async (t) => {
  const fixed = application(t, { debug: '4.3.4', 'lru-cache': '7.8.1' });
  const leaky = application(t, { debug: '4.1.1', 'lru-cache': '7.8.0' });
  const through = (at, ...edges) => culprit({
    retainerPath: edges.map((edge) => ({ name: '(closure) f', edge, location: at('node_modules', 'debug', 'src', 'common.js') })),
  });
  assert.equal(await known(through(fixed, 'instances')), null, 'the fixed version');
  assert.equal(await known(through(leaky, 'other')), null, 'another variable of the package');
  const own = culprit({ retainerPath: [{ name: '(closure) f', edge: 'instances', location: leaky('src', 'a.js') }] });
  assert.equal(await known(own), null, 'the program\'s own variable of that name');
  const step = (at) => culprit({ retainerPath: [{ name: 'LRUCache', edge: 'valList', location: null }, { name: '(closure) f', edge: 'x', location: at('a.js') }] });
  assert.equal(await known(step(fixed)), null);
  assert.equal(await known(step(application(t, {}))), null, 'a class of that name, and no such package');
});

test('a fingerprint tells by itself, unless the version is known to be another', async (t) => {
  const entries = [{ package: 'x', versions: '<2', fixedIn: '2.0.0', reference: 'a/b#1', fingerprints: ['00000000000000aa'] }];
  assert.deepEqual(await known(culprit({}), entries), { package: 'x', version: null, fixedIn: '2.0.0', reference: 'a/b#1' });
  const at = (version) => culprit({ location: application(t, { x: version })('node_modules', 'x', 'i.js') });
  assert.equal((await known(at('1.9.0'), entries)).version, '1.9.0');
  assert.equal(await known(at('2.0.0'), entries), null);
  assert.equal(await known(culprit({ fingerprint: '00000000000000ab' }), entries), null);
});

const REPORT = require('./golden/leak-report.json');
const reportName = (time) => `heapwarden-leak-${time.replace(/[-:]/g, '').replace('.', '-')}-1-0.json`;

test('a leak was seen first when the earliest report says so', async (t) => {
  const dir = folder(t);
  const now = '2026-03-04T00:00:00.000Z';
  const seen = async (...fingerprints) => {
    const culprits = await withFirstSeen(fingerprints.map((fingerprint) => ({ fingerprint })), dir, now);
    return culprits.map(({ firstSeen }) => firstSeen);
  };
  const put = (time, culprits) => fs.writeFileSync(path.join(dir, reportName(time)), JSON.stringify({ reportedAt: time, culprits }));
  assert.deepEqual(await seen('a', ''), [now, now]);
  put('2026-03-02T10:00:00.000Z', [{ fingerprint: 'a' }, {}]);
  put('2026-03-03T10:00:00.000Z', [{ fingerprint: 'a' }, { fingerprint: 'b', firstSeen: '2026-01-01T00:00:00.000Z' }, { fingerprint: 'c', firstSeen: 'yesterday' }]);
  assert.deepEqual(await seen('a', 'b', 'c', 'd'), ['2026-03-02T10:00:00.000Z', '2026-01-01T00:00:00.000Z', '2026-03-03T10:00:00.000Z', now]);
  // What is no report of ours, or broken, is passed over.
  fs.writeFileSync(path.join(dir, reportName('2025-01-01T00:00:00.000Z')), '{"culprits":[{"fingerprint":"a"');
  fs.writeFileSync(path.join(dir, reportName('2025-01-02T00:00:00.000Z')), '{"culprits":7}');
  fs.writeFileSync(path.join(dir, 'other.json'), JSON.stringify({ reportedAt: '2025-01-01T00:00:00.000Z', culprits: [{ fingerprint: 'a' }] }));
  fs.mkdirSync(path.join(dir, reportName('2025-01-03T00:00:00.000Z')));
  assert.deepEqual(await seen('a'), ['2026-03-02T10:00:00.000Z']);
  assert.deepEqual((await withFirstSeen([{ fingerprint: 'a' }], path.join(dir, 'none'), now))[0].firstSeen, now);
});

test('only the newest reports are read, and tell what older ones said', async (t) => {
  const dir = folder(t);
  for (let day = 0; day < 60; day++) {
    const time = new Date(Date.UTC(2026, 0, 1 + day)).toISOString();
    fs.writeFileSync(path.join(dir, reportName(time)), JSON.stringify({
      reportedAt: time,
      culprits: [{ fingerprint: 'kept', firstSeen: '2025-12-31T00:00:00.000Z' }, ...(day === 0 ? [{ fingerprint: 'old' }] : [])],
    }));
  }
  const now = '2026-06-01T00:00:00.000Z';
  const culprits = await withFirstSeen([{ fingerprint: 'kept' }, { fingerprint: 'old' }], dir, now);
  assert.deepEqual(culprits.map(({ firstSeen }) => firstSeen), ['2025-12-31T00:00:00.000Z', now]);
});

test('a report says what is known', () => {
  const report = structuredClone(REPORT);
  Object.assign(report.culprits[0], {
    fingerprint: '0123456789abcdef', firstSeen: '2026-03-02T10:00:00.000Z',
    known: { package: 'debug', version: '4.1.1', fixedIn: '4.3.0', reference: 'debug-js/debug#678' },
  });
  const text = native.renderLeakReport(JSON.stringify(report));
  assert.match(text, /^ {3}known {7}debug@4\.1\.1, fixed in 4\.3\.0 \(debug-js\/debug#678\)$/m);
  assert.match(text, /^ {3}fingerprint 0123456789abcdef, first seen 2026-03-02T10:00:00\.000Z$/m);
  report.culprits[0].known = null;
  assert.doesNotMatch(native.renderLeakReport(JSON.stringify(report)), /^ {3}known /m);
});

test('the command prints the fingerprints of a report', async (t) => {
  const file = path.join(folder(t), 'report.json');
  const report = structuredClone(REPORT);
  report.culprits = [{ ...report.culprits[0], fingerprint: '0123456789abcdef', constructorName: 'Odd\u001b[2JName' }];
  fs.writeFileSync(file, JSON.stringify(report));
  const cli = (...args) => run([path.join(ROOT, 'lib', 'cli', 'main.js'), 'fingerprint', ...args]);
  const { code, stdout } = await cli(file);
  assert.equal(code, 0);
  assert.match(stdout, /^0123456789abcdef {2}Odd \[2JName {2}\[\w+\]/);
  assert.equal(JSON.parse((await cli('--json', file)).stdout).fingerprint, '0123456789abcdef');
  fs.writeFileSync(file, '{}');
  const wrong = await cli(file);
  assert.deepEqual([wrong.code, /expected a leak report/.test(wrong.stderr)], [1, true]);
  assert.equal((await cli()).code, 2);
});
