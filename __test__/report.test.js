'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const native = require('../lib/load');
const { folder } = require('./support');

const golden = (name) => fs.readFileSync(path.join(__dirname, 'golden', name), 'utf8');

test('the golden report reads in JavaScript as it does in Rust', () => {
  assert.equal(native.renderLeakReport(golden('leak-report.json')), golden('leak-report.txt'));
  assert.equal(JSON.parse(golden('leak-report.json')).schemaVersion, native.LEAK_REPORT_SCHEMA_VERSION);
});

test('what is no report is refused in words', () => {
  for (const text of ['', '{}', '[]', golden('leak-report.json').slice(0, -10)]) {
    assert.throws(() => native.renderLeakReport(text), /HEAPWARDEN_ERR_INVALID_ARG.*expected a LeakReport/);
  }
});

test('a file appears whole, with its folders, for its owner alone', (t) => {
  const dir = folder(t);
  const file = path.join(dir, 'a', 'b', 'report.json');
  native.writeFileAtomic(file, 'one');
  native.writeFileAtomic(file, 'two');
  assert.equal(fs.readFileSync(file, 'utf8'), 'two');
  assert.deepEqual(fs.readdirSync(path.dirname(file)), ['report.json']);
  if (process.platform !== 'win32') {
    assert.equal(fs.statSync(file).mode & 0o777, 0o600);
    assert.equal(fs.statSync(path.dirname(file)).mode & 0o777, 0o700);
  }
});
