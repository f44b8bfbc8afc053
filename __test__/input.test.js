'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { Readable } = require('node:stream');
const { before, after, test } = require('node:test');
const { pathToFileURL } = require('node:url');
const v8 = require('node:v8');
const { Worker } = require('node:worker_threads');
const zlib = require('node:zlib');
const { diffSnapshots, summarizeSnapshot, writeSnapshot } = require('..');
const { MATCHED_BY, evaluate, folder, ownThreads, ROOT, sleep, until } = require('./support');

const onUnix = { skip: process.platform === 'win32' && 'named pipes are made with mkfifo' };

/** One snapshot in all its guises, made once: `plain`, `gzip`, `zstd` are paths, `text` its bytes. */
const made = {};
let dir;

before(async () => {
  dir = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'heapwarden-input-'));
  made.plain = v8.writeHeapSnapshot(path.join(dir, 'a.heapsnapshot'));
  made.text = fs.readFileSync(made.plain);
  // Under a name that says nothing: the bytes must.
  made.gzip = path.join(dir, 'gzipped');
  fs.writeFileSync(made.gzip, zlib.gzipSync(made.text, { level: 1 }));
  const { path: zstd } = await writeSnapshot({ path: path.join(dir, 'b'), compress: 'zstd', summary: false });
  made.zstd = path.join(dir, 'zstandard');
  fs.renameSync(zstd, made.zstd);
  made.summary = await summarizeSnapshot(made.plain);
});
after(() => fs.rmSync(dir, { recursive: true, force: true }));

/** `bytes` in chunks of `size`, from a generator that counts what it gave and whether it was left. */
function chunked(bytes, size = 64 * 1024) {
  const state = { given: 0, left: false };
  const iterable = (async function* chunks() {
    try {
      for (let at = 0; at < bytes.length; at += size) {
        const chunk = bytes.subarray(at, at + size);
        state.given += chunk.length;
        yield chunk;
      }
    } finally {
      state.left = true;
    }
  })();
  return { iterable, state };
}

/** Gives the first bytes, then nothing for ever. */
function stalling(bytes) {
  let given = false;
  return new Readable({
    read() {
      if (!given) this.push(bytes);
      given = true;
    },
  });
}

const quiet = () => until(() => ownThreads().filter((name) => name.startsWith('heapwarden-work')).length === 0, 'the worker to end');

/** A signal that knows how many listeners it has. */
function countedSignal() {
  const controller = new AbortController();
  const { signal } = controller;
  const listeners = new Set();
  const { addEventListener, removeEventListener } = signal;
  signal.addEventListener = function add(type, listener, options) {
    listeners.add(listener);
    return addEventListener.call(this, type, listener, options);
  };
  signal.removeEventListener = function remove(type, listener, options) {
    listeners.delete(listener);
    return removeEventListener.call(this, type, listener, options);
  };
  return { controller, signal, listeners };
}

test('a path, a URL, a stream and an async iterable give the same', async () => {
  const { iterable } = chunked(made.text, 1000);
  const web = new ReadableStream({
    start(controller) {
      controller.enqueue(new Uint8Array(made.text));
      controller.close();
    },
  });
  for (const source of [pathToFileURL(made.plain), fs.createReadStream(made.plain), iterable, Readable.from([made.text.toString()]), web]) {
    assert.deepEqual(await summarizeSnapshot(source), made.summary);
  }
});

test('gzip, by path or as a stream, in members that follow each other', async () => {
  const half = made.text.length >> 1;
  const members = Buffer.concat([zlib.gzipSync(made.text.subarray(0, half)), zlib.gzipSync(made.text.subarray(half))]);
  for (const source of [made.gzip, fs.createReadStream(made.gzip), chunked(members, 777).iterable]) {
    assert.deepEqual(await summarizeSnapshot(source), made.summary);
  }
});

test('zstd, by path or as a stream', async () => {
  const { nodeCount, constructors } = await summarizeSnapshot(made.zstd);
  assert.ok(nodeCount > 1000 && constructors.length > 100);
  assert.equal((await summarizeSnapshot(fs.createReadStream(made.zstd))).nodeCount, nodeCount);
  if (typeof zlib.zstdDecompressSync !== 'function') return;
  const text = zlib.zstdDecompressSync(fs.readFileSync(made.zstd));
  assert.equal(JSON.parse(text).snapshot.node_count, nodeCount);
  assert.deepEqual(await summarizeSnapshot(chunked(zlib.zstdCompressSync(made.text), 999).iterable), made.summary);
});

test('a compressed file that was cut or damaged is an error with the offset in the file', async () => {
  for (const [format, file] of [['gzip', made.gzip], ['zstd', made.zstd]]) {
    const whole = fs.readFileSync(file);
    for (const length of [4, 11, whole.length >> 1, whole.length - 1]) {
      await assert.rejects(summarizeSnapshot(chunked(whole.subarray(0, length)).iterable), (error) => {
        assert.equal(error.code, 'HEAPWARDEN_ERR_COMPRESSION_TRUNCATED', error.message);
        assert.equal(error.offset, length);
        assert.match(error.message, new RegExp(`^${format} `));
        return true;
      });
    }
    const bad = Buffer.from(whole);
    bad.fill(0xA5, whole.length >> 1, (whole.length >> 1) + 64);
    await assert.rejects(summarizeSnapshot(chunked(bad).iterable), ({ code, offset }) => {
      // Damage that still inflates is noticed by the parser, unless the checksum is.
      assert.match(code, /^HEAPWARDEN_ERR_(COMPRESSION_CORRUPT|SNAPSHOT_)/);
      assert.ok(Number.isInteger(offset));
      return true;
    });
  }
});

test('writeSnapshot compresses: the name, both lengths and the content', async (t) => {
  const into = folder(t);
  for (const [compress, extension] of [['gzip', '.gz'], ['zstd', '.zst']]) {
    const given = path.join(into, `${compress}.heapsnapshot`);
    const written = await writeSnapshot({ path: given, compress });
    assert.equal(written.path, given + extension);
    assert.equal(written.fileBytes, fs.statSync(written.path).size);
    assert.ok(written.fileBytes * 2 < written.bytes, `${written.fileBytes} of ${written.bytes}`);
    assert.deepEqual(await summarizeSnapshot(written.path), written.summary);
    if (compress === 'gzip') assert.equal(zlib.gunzipSync(fs.readFileSync(written.path)).length, written.bytes);
    if (process.platform !== 'win32') assert.equal(fs.statSync(written.path).mode & 0o777, 0o600);
  }
  const own = await writeSnapshot({ directory: into, compress: 'gzip', summary: false });
  assert.match(path.basename(own.path), /\.heapsnapshot\.gz$/);
  assert.equal((await writeSnapshot({ path: own.path, compress: 'gzip', summary: false })).path, own.path);
  assert.equal(fs.readdirSync(into).length, 3, 'no temporary file');
});

test('a pipe is read as it is written, whoever comes first', onUnix, async (t) => {
  const pipe = path.join(folder(t), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const summary = summarizeSnapshot(pipe);
  await sleep(50);
  await fs.promises.writeFile(pipe, made.text);
  assert.deepEqual(await summary, made.summary);
});

test('a pipe that nobody writes to can be given up', onUnix, async (t) => {
  const pipe = path.join(folder(t), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const controller = new AbortController();
  const summary = summarizeSnapshot(pipe, { signal: controller.signal });
  await sleep(30);
  controller.abort();
  await assert.rejects(summary, { name: 'AbortError' });
  await quiet();
});

test('a signal that was aborted before rejects at once with its reason and closes the stream', async () => {
  const reason = new Error('enough');
  const signal = AbortSignal.abort(reason);
  await assert.rejects(summarizeSnapshot(made.plain, { signal }), reason);
  await assert.rejects(diffSnapshots([made.plain, made.plain], { signal: AbortSignal.abort() }), { name: 'AbortError' });
  const stream = fs.createReadStream(made.plain);
  await assert.rejects(summarizeSnapshot(stream, { signal }), reason);
  assert.ok(stream.destroyed);
});

test('an abort while a stream stalls: the reason, no listener, no thread, the stream destroyed', async () => {
  const { controller, signal, listeners } = countedSignal();
  const stream = stalling(made.text.subarray(0, 100_000));
  const second = fs.createReadStream(made.plain);
  const diff = diffSnapshots([stream, second], { signal });
  await sleep(30);
  assert.equal(listeners.size, 1);
  controller.abort(new RangeError('too slow'));
  await assert.rejects(diff, { name: 'RangeError', message: 'too slow' });
  assert.equal(listeners.size, 0);
  assert.ok(stream.destroyed && second.destroyed);
  await quiet();
});

test('a web stream that stalls is cancelled by an abort', async () => {
  let cancelled;
  const source = new ReadableStream({
    start(controller) { controller.enqueue(new Uint8Array(made.text.subarray(0, 1000))); },
    cancel() { cancelled = true; },
  });
  const controller = new AbortController();
  const summary = summarizeSnapshot(source, { signal: controller.signal });
  await sleep(30);
  controller.abort();
  await assert.rejects(summary, { name: 'AbortError' });
  await until(() => cancelled, 'the source to be cancelled');
  await quiet();
});

test('a worker that is terminated takes its analysis with it', onUnix, async (t) => {
  const pipe = path.join(folder(t), 'pipe');
  execFileSync('mkfifo', [pipe]);
  const worker = new Worker(`
    const { summarizeSnapshot } = require(${JSON.stringify(ROOT)});
    const { parentPort } = require('node:worker_threads');
    summarizeSnapshot(${JSON.stringify(pipe)}, { onProgress() {} });
    summarizeSnapshot((async function* never() { await new Promise(() => {}); })());
    parentPort.postMessage('begun');
  `, { eval: true });
  await once(worker, 'message');
  if (process.platform === 'linux') await until(() => ownThreads().includes('heapwarden-work'), 'the analyses to begin');
  await worker.terminate();
  await quiet();
});

test('an abort afterwards changes nothing, and no listener is left', async () => {
  const { controller, signal, listeners } = countedSignal();
  assert.deepEqual(await summarizeSnapshot(made.plain, { signal }), made.summary);
  assert.equal(listeners.size, 0);
  controller.abort();
  await assert.rejects(summarizeSnapshot(path.join(dir, 'none'), { signal: new AbortController().signal }), { code: 'HEAPWARDEN_ERR_IO' });
});

test('writeSnapshot: aborted before or while it is analysed it leaves no file', async (t) => {
  const into = folder(t);
  await assert.rejects(writeSnapshot({ directory: into, signal: AbortSignal.abort() }), { name: 'AbortError' });
  const { controller, signal, listeners } = countedSignal();
  // Until the pause is over no timer runs; then the analysis is under way or just done.
  const written = writeSnapshot({ directory: into, signal });
  controller.abort(new Error('enough'));
  await assert.rejects(written, { message: 'enough' });
  assert.equal(listeners.size, 0);
  assert.deepEqual(fs.readdirSync(into), []);
});

test('progress: stages in their order, bytes that only grow, nothing after the end', async () => {
  const told = [];
  const file = await summarizeSnapshot(made.gzip, { onProgress: (progress) => told.push(progress) });
  assert.deepEqual(file, made.summary);
  const { length } = told;
  const stages = told.map(({ stage }) => stage).filter((stage, i, all) => stage !== all[i - 1]);
  const order = ['reading', 'holding', 'distances', 'dominators', 'classes', 'retained', 'paths', 'writing', 'done'];
  assert.deepEqual(stages, order.filter((stage) => stages.includes(stage)), 'each stage once, in order');
  for (const stage of ['reading', 'writing', 'done']) assert.ok(stages.includes(stage), stages.join());
  const { size } = fs.statSync(made.gzip);
  assert.deepEqual(told.at(-1), { stage: 'done', bytes: size, totalBytes: size });
  told.reduce((last, { bytes }) => {
    assert.ok(bytes >= last);
    return bytes;
  }, 0);
  await sleep(250);
  assert.equal(told.length, length);
});

test('progress of a slow stream comes between the stages, and knows no total', async () => {
  async function* slow() {
    for (let at = 0; at < made.text.length; at += made.text.length >> 2) {
      yield made.text.subarray(at, at + (made.text.length >> 2));
      await sleep(150);
    }
  }
  const told = [];
  await summarizeSnapshot(slow(), { onProgress: (progress) => told.push(progress) });
  const reading = told.filter(({ stage }) => stage === 'reading');
  assert.ok(reading.length >= 3, JSON.stringify(told));
  assert.equal(new Set(reading.map(({ bytes }) => bytes)).size, reading.length, 'only what is new is told');
  assert.ok(told.every(({ totalBytes }) => totalBytes === null));
});

test('of two files the bytes and the total are those of both', async () => {
  const told = [];
  await diffSnapshots([made.plain, made.plain], { onProgress: (progress) => told.push(progress) });
  const total = 2 * made.text.length;
  assert.deepEqual(told.at(-1), { stage: 'done', bytes: total, totalBytes: total });
});

test('an onProgress that throws, at once or later, rejects with what it threw and ends the work', async () => {
  for (const onProgress of [() => { throw new TypeError('mine'); }, async () => { throw new TypeError('mine'); }]) {
    const stream = stalling(made.text.subarray(0, 1000));
    await assert.rejects(summarizeSnapshot(stream, { onProgress }), { name: 'TypeError', message: 'mine' });
    assert.ok(stream.destroyed);
    await assert.rejects(summarizeSnapshot(made.plain, { onProgress: () => { throw new TypeError('mine'); } }), { message: 'mine' });
    await quiet();
  }
});

test('an error of the stream is the error of the analysis', async () => {
  const failing = new Readable({ read() { this.destroy(new Error('the wire broke')); } });
  await assert.rejects(summarizeSnapshot(failing), { message: 'the wire broke' });
  await assert.rejects(diffSnapshots([made.plain, (async function* broken() {
    yield made.text.subarray(0, 10);
    throw new Error('the wire broke');
  })()]), { message: 'the wire broke' });
  await assert.rejects(summarizeSnapshot((async function* odd() { yield 7; })()), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  await assert.rejects(summarizeSnapshot(chunked(made.text.subarray(0, 5000)).iterable), { code: 'HEAPWARDEN_ERR_SNAPSHOT_TRUNCATED', offset: 5000 });
  await quiet();
});

test('what is no source is refused', async () => {
  for (const source of [undefined, 7, null, '', {}, [made.text], new URL('https://example.org/a')]) {
    await assert.rejects(summarizeSnapshot(source), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  }
  for (const options of [{ signal: {} }, { onProgress: 1 }, { chunkBytes: 0 }, 7]) {
    await assert.rejects(summarizeSnapshot(made.plain, options), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  }
});

test('a source that is refused early is left early', async () => {
  const bytes = Buffer.alloc(64 * 1024 * 1024, 0x20);
  bytes.write('[1, 2, 3]');
  const { iterable, state } = chunked(bytes);
  await assert.rejects(summarizeSnapshot(iterable), { code: 'HEAPWARDEN_ERR_SNAPSHOT_SYNTAX', offset: 0 });
  await until(() => state.left, 'the generator to be left');
  assert.ok(state.given < 8 * 1024 * 1024, `${state.given} bytes were asked for`);
});

test('a file that unpacks to gigabytes costs time, which an abort ends, and no memory', async () => {
  const before = process.memoryUsage().rss;
  const member = zlib.gzipSync(Buffer.alloc(16 << 20, 0x20));
  // Three gigabytes of spaces, where the text would begin.
  const source = Readable.from(Array.from({ length: 200 }, () => member));
  const controller = new AbortController();
  const told = [];
  const summary = summarizeSnapshot(source, { signal: controller.signal, onProgress: (progress) => {
    told.push(progress);
    if (progress.bytes > 0) controller.abort();
  } });
  await assert.rejects(summary, { name: 'AbortError' });
  await quiet();
  assert.ok(told.at(-1).bytes < 200 * member.length, 'given up before the end');
  assert.ok(process.memoryUsage().rss - before < 128 << 20, `${(process.memoryUsage().rss - before) >> 20} MB`);
});

for (const [mode, expected] of [['auto', MATCHED_BY], ['inline', 'id']]) {
  test(`of three snapshots (${mode}) only what grew in both intervals is told`, async (t) => {
    const into = folder(t);
    class Leaked { constructor(i) { this.i = i; } }
    class Filled { constructor(i) { this.i = i; } }
    const kept = (globalThis.keptByInputTest = []);
    t.after(() => { delete globalThis.keptByInputTest; });
    const paths = [];
    for (const [leaked, filled] of [[10, 10], [300, 300], [300, 0]]) {
      for (let i = 0; i < leaked; i++) kept.push(new Leaked(i));
      for (let i = 0; i < filled; i++) kept.push(new Filled(i));
      paths.push((await writeSnapshot({ path: path.join(into, `${paths.length}`), compress: 'zstd', summary: false, mode })).path);
    }
    const { constructors, matchedBy, matchedByReason } = await diffSnapshots(paths);
    const names = constructors.map(({ constructorName }) => constructorName);
    assert.deepEqual([names.includes('Leaked'), names.includes('Filled'), matchedBy, matchedByReason === null], [true, false, expected, expected === 'id']);
    assert.equal(constructors.find(({ constructorName }) => constructorName === 'Leaked').countDelta, 600);
  });
}

test('half a gigabyte of text through a stream costs no memory', { skip: process.platform !== 'linux' && 'reads /proc' }, async () => {
  const { code, stdout, stderr } = await evaluate(`
    const fs = require('node:fs');
    const { summarizeSnapshot } = require(${JSON.stringify(ROOT)});
    const peak = () => Number(/VmHWM:\\s+(\\d+) kB/.exec(fs.readFileSync('/proc/self/status', 'utf8'))[1]) / 1024;
    const META = { node_fields: ['type', 'name', 'id', 'self_size', 'edge_count'], node_types: [['object', 'synthetic'], 'string', 'number', 'number', 'number'],
      edge_fields: ['type', 'name_or_index', 'to_node'], edge_types: [['property'], 'string_or_number', 'node'] };
    const head = JSON.stringify({ snapshot: { meta: META, node_count: 1, edge_count: 0 }, nodes: [1, 0, 1, 0, 0], edges: [] }).slice(0, -1);
    const megabyte = Buffer.alloc(1 << 20, '1234567,');
    async function* text() {
      yield Buffer.from(head + ',"x":[');
      for (let i = 0; i < 500; i++) yield Buffer.from(megabyte);
      yield Buffer.from('0],"strings":[""]}');
    }
    // The generator's own garbage is not the question: what it takes without an analysis is the measure.
    (async () => {
      for await (const chunk of text()) await new Promise(setImmediate, chunk);
      const before = peak();
      const { nodeCount } = await summarizeSnapshot(text());
      console.log(nodeCount, peak() - before < 48 ? 'small' : peak() - before);
    })();
  `);
  assert.deepEqual([code, stdout, stderr], [0, '1 small\n', '']);
});
