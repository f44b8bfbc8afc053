'use strict';

// docs/leak-report.schema.json: real reports, and the golden one, are what it says; what is not is refused.

const assert = require('node:assert');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const Ajv = require('ajv/dist/2020');
const { clones } = require('../lib/clone');
const { Evidence } = require('../lib/evidence');
const native = require('../lib/load');
const schema = require('../docs/leak-report.schema.json');
const { run } = require('./support');

const GOLDEN = require('./golden/leak-report.json');
const MB = 2 ** 20;

/** ISO 8601 in UTC, as all times of a report. */
const isTime = (text) => /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(text) && !Number.isNaN(Date.parse(text));
const validate = new Ajv({ strict: true, allErrors: true, allowUnionTypes: true, formats: { 'date-time': isTime } }).compile(schema);

function conforms(report) {
  const plain = JSON.parse(JSON.stringify(report));
  assert.ok(validate(plain), JSON.stringify(validate.errors, null, 2));
  // It can be told, too.
  native.renderLeakReport(JSON.stringify(plain));
}

class Order {
  constructor(id) {
    this.id = id;
  }
}

const orders = new Map();
const evidence = (options, room) => new Evidence({ directory: os.tmpdir(), intervalMs: 0, evidence: 'summary', ...options }, room);
const never = (error) => { throw error; };
const counters = () => ({ at: Date.now() - 1000, pauseMs: 0.5, durationMs: 1000 });

test('every field is described', () => {
  const missing = [];
  const visit = (value, at) => {
    for (const [name, field] of Object.entries(value.properties ?? {})) {
      const target = field.$ref ? schema.$defs[field.$ref.split('/').at(-1)] : field;
      if (!(field.description ?? target.description)) missing.push(`${at}.${name}`);
      visit(field, `${at}.${name}`);
      if (field.items) visit(field.items, `${at}.${name}[]`);
    }
  };
  visit(schema, '');
  for (const [name, value] of Object.entries(schema.$defs)) visit(value, name);
  assert.deepEqual(missing, []);
});

test('the golden report conforms', () => conforms(GOLDEN));

test('reports conform, with a graph and a second one', async (t) => {
  // Nothing of ours keeps a program alive: somebody has to wait for the second look.
  const alive = setInterval(() => {}, 1000);
  t.after(() => clearInterval(alive));
  const looks = evidence({ intervalMs: 50 });
  await looks.takeBaseline();
  for (let i = 0; i < 3000; i++) orders.set(i, new Order(i));
  const verdict = { ...GOLDEN.verdict, growthBytesPerSecond: 1, etaMs: null };
  delete verdict.evidence.confirmedBy;
  const report = await looks.report(verdict, never, undefined, counters);
  assert.equal(report.culprits[0].constructorName, 'Order');
  assert.ok(report.evidence.confirmation, 'a second look, too');
  conforms(report);
});

test('reports conform, with a census and with nothing', { skip: !clones.walk }, async () => {
  for (const ways of [['census'], []]) {
    const room = (way) => ({ heap: 8 * MB, memoryBytes: 4e9, shortage: ways.includes(way) ? undefined : '8 MB of heap: it may need much' });
    const looks = evidence({ evidence: 'auto' }, room);
    await looks.takeBaseline();
    for (let i = 0; i < 3000; i++) orders.set(orders.size, new Order(i));
    const report = await looks.report(GOLDEN.verdict, never, undefined, counters);
    assert.equal(report.evidence.rung, ways[0] ?? 'none');
    conforms(report);
  }
});

test('what a monitor tells of a program conforms', async () => {
  const { code, stdout, stderr } = await run([path.join(__dirname, 'fixtures', 'suspected.js'), 'leak', 'summary']);
  assert.equal(code, 0, stderr);
  const leaks = stdout.trim().split('\n').map((line) => JSON.parse(line)).filter(({ event }) => event === 'leak');
  assert.equal(leaks.length, 1, stdout);
  const [{ payload }] = leaks;
  const [first, second] = payload.evidence.ladder;
  assert.deepEqual([first.rung, second.rung], ['counters', 'graph']);
  assert.ok(first.pauseMs > 0 && first.pauseMs < first.durationMs);
  conforms(payload);
  const leak = { route: 'GET /users/:id', bytesPerRequest: 1330.2, intervalBytesPerRequest: [1290, 1370], requests: 500, share: 0.97 };
  conforms({ ...payload, routes: { leak, reason: null, floors: 60 } });
  conforms({ ...payload, routes: { leak: null, reason: 'no route explains most of the growth', floors: 60 } });
});

test('what is no report does not conform', () => {
  const broken = [
    (r) => { delete r.verdict; },
    (r) => { r.schemaVersion = 2; },
    (r) => { r.culprits[0].pattern = 'sorcery'; },
    (r) => { r.culprits[0].countDelta = '24000'; },
    (r) => { r.reportedAt = 'yesterday'; },
    (r) => { r.evidence.ladder[0].rung = 'stairs'; },
    (r) => { r.anything = 1; },
    (r) => { r.routes = { leak: { route: 'GET /' }, reason: null, floors: 1 }; },
  ];
  for (const harm of broken) {
    const report = structuredClone(GOLDEN);
    harm(report);
    assert.equal(validate(report), false, `${harm}`);
  }
});
