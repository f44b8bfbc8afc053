'use strict';

// A LeakReport of a real leak, told at each level: what names the leak stays, what data named goes.

const assert = require('node:assert/strict');
const { randomBytes } = require('node:crypto');
const { EventEmitter } = require('node:events');
const os = require('node:os');
const { test } = require('node:test');
const { redactReport } = require('..');
const { Evidence } = require('../lib/evidence');

const secret = () => `s${randomBytes(8).toString('hex')}`;
const TENANT = secret();
const CHANNEL = secret();

class LeakySession {
  constructor(user) {
    this.user = user;
  }
}

const keptOrders = [];
const registryOfTenants = { [TENANT]: { openSessions: [] } };
const bus = new EventEmitter().setMaxListeners(0);

test('a report names the leak at names and tells no secret', async () => {
  const looks = new Evidence(
    { directory: os.tmpdir(), intervalMs: 0, evidence: 'summary' }, () => ({ heap: 8 << 20, memoryBytes: 4e9 }));
  await looks.takeBaseline();
  const users = Array.from({ length: 2000 }, secret);
  users.forEach((user) => registryOfTenants[TENANT].openSessions.push(new LeakySession(user)));
  users.forEach((user) => bus.on(CHANNEL, function leakyListener() { return user; }));
  const report = await looks.report({ status: 'leak', kind: 'heap' }, (error) => { throw error; });
  const leaked = (told) => [TENANT, CHANNEL, ...users].filter((text) => JSON.stringify(told).includes(text));
  assert.deepEqual(leaked(report).sort(), [TENANT, CHANNEL].sort(), 'a path over a key, and the name of an event');

  const names = redactReport(report);
  assert.deepEqual(leaked(names), []);
  const sessions = names.culprits.find(({ constructorName }) => constructorName === 'LeakySession');
  assert.ok(sessions, JSON.stringify(names.culprits));
  const edges = sessions.retainerPath.map(({ edge }) => edge);
  assert.ok(edges.includes('openSessions') && edges.includes('registryOfTenants') && edges.includes('(redacted)'), `${edges}`);
  const listeners = names.culprits.find(({ pattern }) => pattern === 'listener');
  assert.deepEqual([listeners.holder.event, listeners.holder.name], ['(redacted)', 'bus']);
  assert.match(listeners.constructorName, /leakyListener/);
  assert.match(listeners.location.file, /report-redaction/);
  assert.match(listeners.advice, /\(redacted\)/);

  const shape = JSON.stringify(redactReport(report, 'shape'));
  assert.ok(!/LeakySession|registryOfTenants|openSessions|leakyListener|report-redaction/.test(shape), shape);
  assert.deepEqual(leaked(shape), []);
  assert.ok(shape.includes('"EventEmitter"'));
  // Read from a file it is the same text, of whose names nothing is known.
  const read = JSON.stringify(redactReport(JSON.parse(JSON.stringify(report))));
  assert.deepEqual(leaked(read), []);
  assert.ok(!read.includes('registryOfTenants'));
  assert.equal(registryOfTenants[TENANT].openSessions.length + bus.listenerCount(CHANNEL), 4000);
});

test('plain objects are told by what they have, and a property that data named is redacted', async () => {
  const looks = new Evidence(
    { directory: os.tmpdir(), intervalMs: 0, evidence: 'summary' }, () => ({ heap: 8 << 20, memoryBytes: 4e9 }));
  await looks.takeBaseline();
  for (let i = 0; i < 3000; i++) keptOrders.push({ orderText: `order ${i}`, placedBy: `user ${i}`, [TENANT]: `value ${i}` });
  const report = await looks.report({ status: 'leak', kind: 'heap' }, (error) => { throw error; });
  const [first] = report.culprits;
  assert.deepEqual([first.constructorName, first.properties], ['Object', ['orderText', 'placedBy', TENANT]]);
  assert.deepEqual(redactReport(report).culprits[0].properties, ['orderText', 'placedBy', '(redacted)']);
  assert.deepEqual(redactReport(report, 'shape').culprits[0].properties, Array(3).fill('(redacted)'));
  assert.equal(keptOrders.length, 3000);
});
