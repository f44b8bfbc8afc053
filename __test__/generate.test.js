'use strict';

// The generator of memory traces: what it promises is repeatable, readable, and labelled with the truth.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const { FAMILIES } = require('../bench/detect/families');
const { generate } = require('../bench/detect/generate');
const { Random } = require('../bench/detect/random');
const { TraceWriter, decode, encode, readTraces } = require('../bench/detect/trace-file');

const made = (seed, families) => [...generate({ seed, hours: 5, leaks: 6, families })];
const lines = (traces) => traces.map(({ trace, label }) => `${encode(trace)}\n${JSON.stringify(label)}`);

test('the same seed gives the same bytes, another seed does not', () => {
  const first = lines(made(7));
  assert.deepEqual(lines(made(7)), first);
  assert.notDeepEqual(lines(made(8)), first);
});

test('a label agrees with itself', () => {
  const leaks = [...generate({ seed: 3, hours: 0, leaks: 25 })];
  assert.equal(leaks.length, 25);
  for (const { label, trace } of leaks) {
    const end = label.hours * 3600;
    const last = label.knots[label.knots.length - 1];
    assert.ok(Math.abs(last[0] - end) <= 0.1, label.id);
    assert.equal(last[1], label.leakedKB);
    assert.ok(label.leakedKB > 0, label.id);
    assert.ok(Math.abs(label.rate - (label.leakedKB * 1024) / (end - label.onset)) <= 1 + label.rate * 1e-3, label.id);
    assert.ok(label.onset <= label.visible && label.visible <= end + 0.1, label.id);
    label.knots.forEach(([t, kib], i) => {
      assert.ok(i === 0 || (t > label.knots[i - 1][0] && kib >= label.knots[i - 1][1]), label.id);
      if (t <= label.onset) assert.equal(kib, 0, label.id);
    });
    assert.equal(label.ended === 'oom', trace.events.some(([, what]) => what === 'oom'), label.id);
  }
});

test('a leak shows where its label says', () => {
  const column = { heap: (gc, columns) => [gc.used, columns.heapUsed], external: (_, columns) => [columns.external], native: (_, columns) => [columns.rss] };
  for (const { trace, label } of generate({ seed: 5, hours: 0, leaks: 12, families: ['steady'] })) {
    if (label.kind === 'mixed') continue;
    for (const values of column[label.kind](trace.gc, trace.columns)) {
      const rise = values[values.length - 1] - Math.min(...values.slice(0, Math.ceil(values.length / 2)));
      assert.ok(rise > label.leakedKB * 0.3, `${label.id} ${label.kind}: rose by ${rise} of ${label.leakedKB} KiB`);
    }
  }
});

test('readings hold together, in every family', () => {
  const traces = [...Object.keys(FAMILIES).flatMap((family) => [...generate({ seed: 11, hours: 0.01, families: [family] })]), ...generate({ seed: 11, hours: 0, leaks: 10 })];
  for (const { trace } of traces) {
    const { columns, gc } = trace;
    columns.heapUsed.forEach((used, i) => {
      assert.ok(used > 0 && used <= columns.heapTotal[i], `${trace.id} sample ${i}`);
      assert.ok(columns.arrayBuffers[i] <= columns.external[i] && columns.rss[i] > 0, `${trace.id} sample ${i}`);
    });
    gc.t.forEach((t, i) => assert.ok(i === 0 || t >= gc.t[i - 1], `${trace.id} collection ${i}`));
    gc.used.forEach((used, i) => assert.ok(used <= trace.limit * 1.01, `${trace.id} collection ${i}`));
  }
});

test('a file is read back as it was written', async () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-generate-'));
  try {
    const written = made(9, ['restarts', 'at_limit', 'idle']);
    const writer = new TraceWriter(path.join(dir, 'a'));
    for (const { trace, label } of written) await writer.write(trace, label);
    await writer.close();
    const read = [...readTraces(path.join(dir, 'a.jsonl.gz'))];
    assert.equal(read.length, written.length);
    written.forEach(({ trace }, i) => {
      assert.deepEqual(Object.keys(read[i].columns), Object.keys(trace.columns));
      for (const [name, values] of Object.entries(trace.columns)) assert.deepEqual(read[i].columns[name], values.map(Math.round), name);
      assert.deepEqual(read[i].gc.kind, trace.gc.kind);
      assert.deepEqual(read[i].gc.used, trace.gc.used.map(Math.round));
      trace.gc.t.forEach((t, j) => assert.ok(Math.abs(read[i].gc.t[j] - t) <= 0.051));
      assert.deepEqual(read[i].events, trace.events);
      assert.deepEqual(decode(encode(trace)), read[i]);
    });
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
});

test('random numbers follow their distributions', () => {
  const random = new Random(1, 2);
  const mean = (draw) => Array.from({ length: 20_000 }, draw).reduce((a, b) => a + b, 0) / 20_000;
  for (const [expected, draw] of [
    [0.5, () => random.next()],
    [0, () => random.normal()],
    [1, () => random.normal() ** 2],
    [3, () => random.exponential(3)],
    [2.5, () => random.poisson(2.5)],
    [80, () => random.poisson(80)],
    [Math.log(10), () => Math.log(random.logUniform(1, 100))],
  ]) assert.ok(Math.abs(mean(draw) - expected) < 0.05 * Math.max(1, expected), `expected ${expected}`);
});
