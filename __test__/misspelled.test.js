'use strict';

// Options and variables that are nearly ones of ours.

const assert = require('node:assert');
const path = require('node:path');
const { test } = require('node:test');
const { MemoryMonitor } = require('..');
const { misspelled } = require('../lib/misspelled');
const { run } = require('./support');

test('an option that is nearly one is an error that says which, and a strange one is nobody\'s business', () => {
  for (const [name, meant] of [['intervalMS', 'intervalMs'], ['maxSample', 'maxSamples'], ['heaplimit', 'heapLimit'], ['allocationSite', 'allocationSites']]) {
    assert.throws(() => new MemoryMonitor({ [name]: 1000 }), { code: 'HEAPWARDEN_ERR_INVALID_ARG', message: `options: expected ${meant}, found ${name}, which is no option` });
  }
  new MemoryMonitor({ intervalMs: 1000, tenant: 'acme' });
});

test('names are near by two letters, and known ones are never wrong', () => {
  const known = ['HEAPWARDEN_MAX_FILES', 'HEAPWARDEN_MAX_BYTES', 'HEAPWARDEN_DIR'];
  assert.deepEqual(misspelled(known, known), []);
  assert.deepEqual(misspelled(['HEAPWARDEN_MAX_FIELS', 'HEAPWARDEN_DIRS', 'HEAPWARDEN_PORT', 'HEAPWARDEN_SERVICE_HOST'], known), [
    { name: 'HEAPWARDEN_MAX_FIELS', meant: 'HEAPWARDEN_MAX_FILES' }, { name: 'HEAPWARDEN_DIRS', meant: 'HEAPWARDEN_DIR' },
  ]);
});

test('a variable that is nearly one is told of, and the program is watched', async () => {
  const register = path.join(__dirname, '..', 'lib', 'register.js');
  const given = async (env) => {
    const { code, stderr } = await run(['--require', register, '-e', 'console.log(1)'], { env });
    assert.equal(code, 0, stderr);
    return stderr;
  };
  const told = await given({ HEAPWARDEN_INTERVALL_MS: '1000', HEAPWARDEN_SERVICE_HOST: '10.0.0.1', HEAPWARDEN_BLACK_BOX: 'off' });
  assert.match(told, /HEAPWARDEN_INTERVALL_MS is no variable of heapwarden's: is HEAPWARDEN_INTERVAL_MS meant\?/);
  assert.doesNotMatch(told, /SERVICE_HOST|not watching/);
  assert.doesNotMatch(await given({ HEAPWARDEN_INTERVAL_MS: '1000', HEAPWARDEN_BLACK_BOX: 'off', HEAPWARDEN_TOKEN: 'x', HEAPWARDEN_WEBHOOK_AUTHORIZATION: 'y' }), /no variable/);
});
