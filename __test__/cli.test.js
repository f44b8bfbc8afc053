'use strict';

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const zlib = require('node:zlib');
const manifest = require('../package.json');
const { ROOT, folder } = require('./support');

/** Runs the command as a user does, with `input` on its stdin, in pieces. */
function heapwarden(args, input = '') {
  return new Promise((resolve, reject) => {
    const env = { ...process.env };
    delete env.NODE_TEST_CONTEXT;
    const child = spawn(process.execPath, [path.join(ROOT, manifest.bin.heapwarden), ...args], { env });
    const result = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => { result.stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { result.stderr += text; });
    child.once('error', reject);
    child.once('close', (code, signal) => resolve({ ...result, code, signal }));
    // It may end before it has read everything.
    child.stdin.on('error', () => {});
    const bytes = Buffer.from(input);
    child.stdin.write(bytes.subarray(0, bytes.length >> 1));
    setImmediate(() => child.stdin.end(bytes.subarray(bytes.length >> 1)));
  });
}

const then = (n, first, step) => Array.from({ length: n }, (_, i) => (i === 0 ? first : step));

/** A columnar trace whose floor rises by `step` KiB a sample. */
const trace = (id, step, n = 400) => JSON.stringify({
  id, dt: 30, n, limit: 4 << 20,
  cols: {
    heapUsed: then(n, 60_000, step), heapTotal: then(n, 90_000, step), external: then(n, 2000, 0), rss: then(n, 150_000, step),
    alloc: then(n, 400_000, 400_000), cpu: then(n, 3000, 3000), req: then(n, 2000, 2000),
  },
  gc: { t: then(n, 290, 300), k: 'M'.repeat(n), used: then(n, 40_000, step), ext: then(n, 2000, 0) },
});

const TRACES = `${trace('leaky', 2000)}\n${trace('healthy', 0)}\n`;
const VERDICTS = (text) => text.trimEnd().split('\n').map((line) => JSON.parse(line));

test('a leak among traces is called, in each form that is asked for', async (t) => {
  const file = path.join(folder(t), 'traces.jsonl');
  fs.writeFileSync(file, TRACES);
  const table = await heapwarden(['replay', file, '--text']);
  assert.deepEqual([table.code, table.stderr], [0, '']);
  assert.match(table.stdout, /^leaky: leak of heap after \d+ s, 3\.\d\d MB a minute .*\nhealthy: no leak \(400 samples, at the end healthy\)\n$/);

  const verdicts = await heapwarden(['replay', file, '--verdicts']);
  assert.equal((await heapwarden(['replay', file])).stdout, verdicts.stdout, 'what is printed unless something else is asked for');
  const [leaky, healthy] = VERDICTS(verdicts.stdout);
  assert.deepEqual(Object.keys(leaky), ['id', 't', 'kind', 'rate', 'alarms', 'suspects']);
  assert.deepEqual([leaky.id, leaky.kind, leaky.alarms.length], ['leaky', 'heap', 1]);
  assert.deepEqual(leaky.alarms[0], [leaky.t, leaky.kind, leaky.rate]);
  assert.ok(leaky.t % 30 === 0 && Math.abs(leaky.rate / (2000 * 1024 / 30) - 1) < 0.1, JSON.stringify(leaky));
  assert.deepEqual(healthy, { id: 'healthy', t: null, kind: null, rate: null, alarms: [], suspects: [] });

  const json = await heapwarden(['replay', file, '--json', '--timing']);
  const { traces, timing } = JSON.parse(json.stdout);
  assert.deepEqual(traces.map(({ id, samples }) => [id, samples]), [['leaky', 400], ['healthy', 400]]);
  assert.deepEqual(Object.keys(timing[0]), ['file', 'updates', 'meanUs', 'p50Us', 'p99Us', 'p999Us', 'maxUs']);

  const [strict] = VERDICTS((await heapwarden(['replay', file, '--verdicts', '--strictness', '2'])).stdout);
  assert.ok(strict.t > leaky.t, `${strict.t} after ${leaky.t}`);

  const explained = VERDICTS((await heapwarden(['replay', file, '--explain'])).stdout);
  const called = explained.find((change) => change.verdict.status === 'leak');
  assert.deepEqual([called.id, called.t], ['leaky', leaky.t]);
  assert.ok(called.verdict.evidence !== undefined && called.verdict.growthBytesPerSecond > 0);
  assert.equal(explained[0].from, 'warming-up');
});

test('what is read is told by its content: plain, compressed, from a file or from stdin', async (t) => {
  const dir = folder(t);
  const expected = (await heapwarden(['replay', '-', '--verdicts'], TRACES)).stdout;
  assert.equal(VERDICTS(expected).length, 2);
  const zipped = zlib.gzipSync(TRACES);
  assert.equal((await heapwarden(['replay', '-', '--verdicts'], zipped)).stdout, expected);
  const file = path.join(dir, 'no-extension');
  fs.writeFileSync(file, zipped);
  const out = path.join(dir, 'verdicts.jsonl');
  const twice = await heapwarden(['replay', file, '-', '--verdicts', '--out', out], TRACES);
  assert.deepEqual([twice.code, twice.stdout, twice.stderr], [0, '', '']);
  assert.equal(fs.readFileSync(out, 'utf8'), expected + expected);
  assert.deepEqual(fs.readdirSync(dir).sort(), ['no-extension', 'verdicts.jsonl']);
});

test('bad input is exit code 1, with the file, the line and the byte', async (t) => {
  const dir = folder(t);
  const cases = [
    [`${TRACES}{"t":1`, new RegExp(`line 3: expected a JSON object, found EOF while parsing an object \\(at byte ${TRACES.length + 5}\\)`)],
    ['\n{"a":1}\n', /line 2: expected a header, a record or a columnar trace, .* \(at byte 1\)/],
    ['{"format":"heapwarden-series","version":7}\n', /line 1: expected format "heapwarden-series", version 1, found .* version 7/],
    [trace('short', 1, 5).replace('"n":5', '"n":6'), /line 1: expected 6 numbers in cols.heapUsed, found 5 \(at byte 0\)/],
    [zlib.gzipSync(TRACES).subarray(0, -20), /gzip input ends early: .* \(at byte \d+\)/],
  ];
  for (const [i, [content, message]] of cases.entries()) {
    const file = path.join(dir, `bad-${i}.jsonl`);
    fs.writeFileSync(file, content);
    for (const [args, input] of [[['replay', file], ''], [['replay', '-'], content]]) {
      const { code, stdout, stderr } = await heapwarden(args, input);
      assert.deepEqual([code, stdout], [1, ''], stderr);
      assert.match(stderr, message);
      assert.ok(stderr.startsWith(`heapwarden: ${args[1]}: `), stderr);
      assert.equal(stderr.trimEnd().split('\n').length, 1, 'one line, no stack');
    }
  }
  const missing = await heapwarden(['replay', path.join(dir, 'missing')]);
  assert.equal(missing.code, 1);
  assert.match(missing.stderr, /^heapwarden: cannot open .*missing: No such file/);
  const nowhere = await heapwarden(['replay', '-', '--out', path.join(dir, 'bad-0.jsonl', 'x')], TRACES);
  assert.deepEqual([nowhere.code, nowhere.stdout], [1, '']);
});

test('called in a way that is not understood it is exit code 2, and says how', async () => {
  const cases = [
    [[], 'expected a command'],
    [['improve'], 'expected a command, found "improve"'],
    [['constructor'], 'expected a command, found "constructor"'],
    [['replay'], 'expected a file to replay'],
    [['replay', '-', '-'], 'expected - once at most'],
    [['replay', 'a', '--fast'], '--fast'],
    [['replay', 'a', '--json', '--verdicts'], 'expected one of'],
    [['replay', 'a', '--out', ''], '--out: expected a file'],
    [['replay', 'a', '--strictness', '0.09'], '--strictness: expected a number from 0.1 to 10, found "0.09"'],
    [['replay', 'a', '--strictness', 'NaN'], '--strictness: expected a number'],
    [['replay', 'a', '--strictness', ' '], '--strictness: expected a number'],
  ];
  for (const [args, words] of cases) {
    const { code, stdout, stderr } = await heapwarden(args);
    assert.deepEqual([code, stdout], [2, ''], args.join(' '));
    assert.ok(stderr.startsWith('heapwarden: ') && stderr.includes(words), stderr);
    assert.match(stderr, /\nTry: heapwarden (replay )?--help\n$/);
  }
});

test('help and version are answers', async () => {
  const version = await heapwarden(['--version']);
  assert.deepEqual([version.code, version.stdout], [0, `${manifest.version}\n`]);
  const help = await heapwarden(['--help']);
  assert.deepEqual([help.code, help.stderr], [0, '']);
  assert.match(help.stdout, /\n {2}replay +judges recorded series again\n/);
  const replay = await heapwarden(['replay', '--help']);
  assert.equal(replay.code, 0);
  for (const option of ['--verdicts', '--text', '--json', '--explain', '--timing', '--strictness', '--out', 'Exit codes']) {
    assert.ok(replay.stdout.includes(option), option);
  }
});
