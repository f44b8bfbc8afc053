'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { Readable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { test } = require('node:test');
const v8 = require('node:v8');
const zlib = require('node:zlib');
const { summarizeSnapshot } = require('..');
const { folder, evaluate, ROOT } = require('./support');

const META = {
  node_fields: ['type', 'name', 'id', 'self_size', 'edge_count', 'detachedness'],
  node_types: [['hidden', 'object', 'synthetic'], 'string', 'number', 'number', 'number', 'number'],
  edge_fields: ['type', 'name_or_index', 'to_node'],
  edge_types: [['context', 'property'], 'string_or_number', 'node'],
  location_fields: ['object_index', 'script_id', 'line', 'column'],
};

/** A small snapshot, as text; parts may be replaced. */
const snapshot = ({ meta = {}, nodes = [2, 0, 1, 0, 1, 0, 1, 1, 3, 16, 0, 0], edges = [1, 1, 6], strings = ['', 'Session'],
  node_count = nodes.length / 6, edge_count = edges.length / 3, locations = [] } = {}) => JSON.stringify({
  snapshot: { meta: { ...META, ...meta }, node_count, edge_count, trace_function_count: 0 }, nodes, edges, locations, strings,
});

const CASES = {
  'an empty file': ['', 'HEAPWARDEN_ERR_SNAPSHOT_TRUNCATED'],
  'a page of HTML': ['<!doctype html>', 'HEAPWARDEN_ERR_SNAPSHOT_SYNTAX'],
  'an array': ['[1, 2, 3]', 'HEAPWARDEN_ERR_SNAPSHOT_SYNTAX'],
  'JSON of another kind': ['{"name": "heapwarden"}', 'HEAPWARDEN_ERR_SNAPSHOT_SCHEMA'],
  'binary': ['\u0000\u0001\u0002', 'HEAPWARDEN_ERR_SNAPSHOT_SYNTAX'],
  'more nodes declared than there are': [snapshot({ node_count: 1e9 }), 'HEAPWARDEN_ERR_SNAPSHOT_COUNT'],
  'more nodes declared than can be numbered': [snapshot({ node_count: 4e9 }), 'HEAPWARDEN_ERR_SNAPSHOT_LIMIT'],
  'fewer nodes declared than there are': [snapshot({ node_count: 1 }), 'HEAPWARDEN_ERR_SNAPSHOT_COUNT'],
  'more edges declared than there are': [snapshot({ edge_count: 4e9 }), 'HEAPWARDEN_ERR_SNAPSHOT_COUNT'],
  'an edge to nowhere': [snapshot({ edges: [1, 1, 600] }), 'HEAPWARDEN_ERR_SNAPSHOT_INDEX'],
  'an edge into the middle of a node': [snapshot({ edges: [1, 1, 7] }), /HEAPWARDEN_ERR_SNAPSHOT_/],
  'a name that is not there': [snapshot({ strings: [''] }), 'HEAPWARDEN_ERR_SNAPSHOT_INDEX'],
  'a type that is not there': [snapshot({ nodes: [9, 0, 1, 0, 1, 0, 1, 1, 3, 16, 0, 0] }), 'HEAPWARDEN_ERR_SNAPSHOT_INDEX'],
  'a place of no object': [snapshot({ locations: [600, 1, 1, 1] }), 'HEAPWARDEN_ERR_SNAPSHOT_INDEX'],
  'a negative number': [snapshot().replace('"nodes":[2', '"nodes":[-2'), 'HEAPWARDEN_ERR_SNAPSHOT_SYNTAX'],
  'a number past 64 bits': [snapshot().replace('"nodes":[2', `"nodes":[${'9'.repeat(30)}`), /HEAPWARDEN_ERR_SNAPSHOT_/],
  'ten million fields': [snapshot({ meta: { node_fields: new Array(1e7).fill('x') } }), 'HEAPWARDEN_ERR_SNAPSHOT_LIMIT'],
  'words for numbers': [snapshot().replace('"nodes":[2', '"nodes":["2"'), 'HEAPWARDEN_ERR_SNAPSHOT_SYNTAX'],
  'a second file behind the first': [`${snapshot()}${snapshot()}`, 'HEAPWARDEN_ERR_SNAPSHOT_SYNTAX'],
};

test('the small snapshot that the cases are made of is a good one', async (t) => {
  const file = path.join(folder(t), 'good.heapsnapshot');
  fs.writeFileSync(file, snapshot());
  const { nodeCount, edgeCount, totalShallowSize } = await summarizeSnapshot(file);
  assert.deepEqual([nodeCount, edgeCount, totalShallowSize], [2, 1, 16]);
});

for (const [name, [text, code]] of Object.entries(CASES)) {
  test(`${name} is refused with a byte offset`, async (t) => {
    const file = path.join(folder(t), 'bad.heapsnapshot');
    fs.writeFileSync(file, text);
    for (const chunkBytes of [1, 4096]) {
      if (chunkBytes === 1 && text.length > 1e6) continue;
      await assert.rejects(summarizeSnapshot(file, { chunkBytes }), (error) => {
        assert.match(error.code, code instanceof RegExp ? code : new RegExp(`^${code}$`));
        assert.ok(Number.isInteger(error.offset) && error.offset >= 0 && error.offset <= Buffer.byteLength(text), error.message);
        assert.match(error.message, /expected|declares/);
        return true;
      });
    }
  });
}

test('a real snapshot, cut anywhere, is refused with a byte offset', async (t) => {
  const dir = folder(t);
  const whole = v8.writeHeapSnapshot(path.join(dir, 'whole.heapsnapshot'));
  const text = fs.readFileSync(whole);
  const file = path.join(dir, 'cut.heapsnapshot');
  for (let i = 0; i < 40; i++) {
    const length = i < 20 ? i * 20 : Math.floor((text.length - 1) * ((i - 20) / 19));
    fs.writeFileSync(file, text.subarray(0, length));
    await assert.rejects(summarizeSnapshot(file), ({ code, offset }) => {
      assert.equal(code, 'HEAPWARDEN_ERR_SNAPSHOT_TRUNCATED');
      assert.equal(offset, length);
      return true;
    });
  }
});

test('a header that lies costs no memory', { skip: process.platform !== 'linux' && 'reads /proc' }, async () => {
  const lie = snapshot({ node_count: 1e9, edge_count: 4e9 });
  const { code, stdout, stderr } = await evaluate(`
    const fs = require('node:fs'), os = require('node:os'), path = require('node:path');
    const { summarizeSnapshot } = require(${JSON.stringify(ROOT)});
    const peak = () => Number(/VmHWM:\\s+(\\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-lie-'));
    const file = path.join(dir, 'lie.heapsnapshot');
    fs.writeFileSync(file, ${JSON.stringify(lie)});
    const before = peak();
    summarizeSnapshot(file).catch((error) => console.log(error.code, peak() - before < 16 ? 'small' : peak() - before))
      .finally(() => fs.rmSync(dir, { recursive: true }));
  `);
  assert.deepEqual([code, stdout, stderr], [0, 'HEAPWARDEN_ERR_SNAPSHOT_COUNT small\n', '']);
});

/** Pieces of text, each so many times, compressed. */
function bomb(file, ...parts) {
  const zipped = zlib.createGzip({ level: 1 });
  const done = pipeline(Readable.from((function* pieces() {
    for (const [text, count] of parts) {
      const block = Buffer.from(text.repeat(Math.min(count, 2 ** 16)));
      for (let left = count; left > 0; left -= 2 ** 16) yield left >= 2 ** 16 ? block : Buffer.from(text.repeat(left));
    }
  })()), zipped, fs.createWriteStream(file));
  return done;
}

test('a small file that unpacks to much is refused while it is read, and costs no memory', { skip: process.platform !== 'linux' && 'reads /proc' }, async (t) => {
  const dir = folder(t);
  const many = 100 * 2 ** 20;
  const [head] = snapshot().split('"strings":');
  const cases = [
    [[['{"snapshot":{"meta":{"x":', 1], ['[', many]], 'HEAPWARDEN_ERR_SNAPSHOT_LIMIT'],
    [[[`${head}"unknown":`, 1], ['[', many]], 'HEAPWARDEN_ERR_SNAPSHOT_LIMIT'],
    [[[`${head}"unknown":`, 1], ['{"a":', many / 5]], 'HEAPWARDEN_ERR_SNAPSHOT_LIMIT'],
    [[['{"', 1], ['k', many]], 'HEAPWARDEN_ERR_SNAPSHOT_TRUNCATED'],
    [[[`${head}"strings":["","`, 1], ['a', many]], 'HEAPWARDEN_ERR_SNAPSHOT_LIMIT'],
    [[['{"snapshot":{', 1], [' ', many]], 'HEAPWARDEN_ERR_SNAPSHOT_'],
  ];
  for (const [i, [parts, code]] of cases.entries()) {
    const file = path.join(dir, `${i}.gz`);
    await bomb(file, ...parts);
    assert.ok(fs.statSync(file).size < many / 100);
    const ran = await evaluate(`
      const { readFileSync } = require('node:fs');
      const { summarizeSnapshot } = require(${JSON.stringify(ROOT)});
      const peak = () => Number(/VmHWM:\\s+(\\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
      const before = peak();
      summarizeSnapshot(${JSON.stringify(file)}).then(() => 'none', ({ code }) => code).then((code) => console.log(code, Math.round(peak() - before)));
    `);
    assert.deepEqual([ran.code, ran.stderr], [0, '']);
    const [found, megabytes] = ran.stdout.trim().split(' ');
    assert.ok(found.startsWith(code), `${i}: ${found}`);
    assert.ok(Number(megabytes) < 64, `${i}: ${megabytes} MB`);
  }
});
