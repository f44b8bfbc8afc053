'use strict';

// The judge of a soak, on the first 34 minutes of an hour that was recorded: it says nothing of them, and tells of whatever is added to them.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { COUNTS, NUMBERS, SIZES, judge } = require('../bench/soak/judge');
const { slopeWithInterval, student, theilSen } = require('../bench/soak/slope');
const { table } = require('../bench/soak/table');
const { seeded } = require('../bench/snapshots/random');

const KB = 1024;

/** The recorded hour, as `run.js --json` has it: a fresh one each time, for it is changed. */
function hour() {
  const { readings, ...run } = JSON.parse(JSON.stringify(require('./fixtures/soak/hour.json')));
  const rows = ({ t, ...columns }) => t.map((time, i) => {
    const row = Object.fromEntries(Object.entries(columns).map(([key, values]) => [key, values[i]]));
    // Recorded before code was told apart; what there is of it does not matter here.
    return { t: time, ...row, heapObjects: row.heapUsed - 2048 * KB };
  });
  return { ...run, readings: { app: rows(readings.app), twin: rows(readings.twin) } };
}

/** The hour in which the service grows in one figure: `more` gets a reading's place in the hour, from 0 to 1. */
function growing(key, more) {
  const run = hour();
  const end = run.readings.app.at(-1).t;
  for (const reading of run.readings.app) reading[key] += more(reading.t / end);
  return run;
}

const told = ({ problems }) => problems.join('\n');

test('an hour in which nothing grew is said to be one, and its table has a row for each figure', async () => {
  const run = hour();
  const verdict = await judge(run);
  assert.deepEqual(verdict.problems, []);
  const text = table(run, verdict);
  for (const name of [...Object.values(SIZES), ...Object.values(NUMBERS), ...Object.values(COUNTS)]) assert.ok(text.includes(`| ${name} |`), name);
  assert.match(text, /Nothing grows\.$/);
});

for (const [key, perHour] of Object.entries({ heapUsed: 256 * KB, external: 64 * KB, arrayBuffers: 64 * KB, brk: 4096 * KB, rss: 64 * 1024 * KB, rssAnon: 64 * 1024 * KB, pss: 64 * 1024 * KB, mappings: 2000 })) {
  test(`growth of ${key} is told, and the same growth of both is not`, async () => {
    const run = growing(key, (share) => Math.round(share * perHour));
    if (key === 'heapUsed') run.readings.app.forEach((reading) => { reading.heapObjects = reading.heapUsed - 2048 * KB; });
    assert.ok(told(await judge(run)).includes(`(${key}) grows`));
    const end = run.readings.app.at(-1).t;
    for (const reading of run.readings.twin) reading[key] += Math.round((reading.t / end) * perHour);
    if (key === 'heapUsed') run.readings.twin.forEach((reading) => { reading.heapObjects = reading.heapUsed - 2048 * KB; });
    assert.doesNotMatch(told(await judge(run)), new RegExp(`\\(${key}\\)`));
  });
}

test('a heap that grows by compiled code alone is told as that, and by anything else as growth', async () => {
  const grown = (ofIt) => {
    const run = growing('heapUsed', (share) => Math.round(share * 256 * KB));
    const end = run.readings.app.at(-1).t;
    for (const reading of run.readings.app) reading.heapObjects += Math.round((reading.t / end) * 256 * KB * ofIt);
    return run;
  };
  const byCode = await judge(grown(0));
  assert.deepEqual(byCode.problems, []);
  assert.match(table(grown(0), byCode), /\| V8 heap that collections leave \|.*\| code \|/);
  assert.match(told(await judge(grown(1))), /\(heapUsed\) grows[^]*\(heapObjects\) grows/);
});

for (const key of Object.keys(COUNTS)) {
  test(`two more of ${key} are told`, async () => {
    const run = growing(key, (share) => (share > 0.8 ? 2 : 0));
    assert.ok(told(await judge(run)).includes(`(${key}) grows`));
  });
}

test('our own detector is asked as well, of what was seen from outside', async () => {
  const { detector, problems } = await judge(growing('heapUsed', (share) => Math.round(share * 60 * 1024 * KB)));
  assert.deepEqual([detector.app.isLeak, detector.app.kind, detector.twin.isLeak], [true, 'heap', false]);
  assert.ok(problems.some((problem) => problem.includes('our own detector')));
});

test('what the monitor inside has reported is told', async () => {
  const run = hour();
  run.inside.leaks.push('Memory leak (heap)');
  assert.match(told(await judge(run)), /the monitor inside reported: Memory leak/);
});

test('too short a run is refused', async () => {
  const run = hour();
  const few = (rows) => rows.filter(({ cycle }) => cycle < 12);
  run.readings = { app: few(run.readings.app), twin: few(run.readings.twin) };
  await assert.rejects(judge(run), /expected 8 cycles/);
});

test('intervals hold the slope as often as they say, whatever one value says of the next', () => {
  const RUNS = 300;
  for (const persistence of [0, 0.5, 0.8]) {
    const random = seeded(5);
    const error = () => Array.from({ length: 12 }, () => random.next()).reduce((sum, value) => sum + value, -6);
    let above = 0;
    for (let run = 0; run < RUNS; run++) {
      let level = 0;
      const values = Array.from({ length: 90 }, (_, i) => { level = persistence * level + error(); return level + i / 9; }).slice(45);
      const { low, value, high } = slopeWithInterval(values.map((_, i) => i), values);
      assert.ok(low <= value && value <= high);
      if (low > 1 / 9) above += 1;
    }
    // A fortieth is expected.
    assert.ok(above / RUNS < 0.06, `${above} of ${RUNS} at ${persistence}`);
  }
});

test('a slope is exact on a line, and one wild value in five does not bend it', () => {
  const times = Array.from({ length: 40 }, (_, i) => i);
  assert.equal(theilSen(times, times.map((t) => 3 * t + 7)), 3);
  assert.ok(Math.abs(theilSen(times, times.map((t) => (t % 5 === 0 ? 1e6 * ((t % 3) - 1) : 3 * t))) - 3) < 0.5);
  // W. S. Gosset's table.
  for (const [degrees, quantile] of [[3, 3.182], [5, 2.571], [10, 2.228], [30, 2.042]]) assert.ok(Math.abs(student(degrees) / quantile - 1) < 0.01);
});
