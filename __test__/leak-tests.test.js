'use strict';

// Leak tests: the judgement on a few functions (all of them: npm run leak-tests), the rounds, the assertions. As of bridge off, by snapshots alone.

const assert = require('node:assert');
const os = require('node:os');
const path = require('node:path');
const test = require('node:test');
const { promisify } = require('node:util');
const vm = require('node:vm');
const { inspectLeaks } = require('..');
const { assertLeaksLessThan, assertNoLeak } = require('../lib/testing/assert');
const { watchTimers } = require('../lib/testing/file-timers');
const { matchers } = require('../lib/testing/matchers');
const { beforeCollections } = require('../lib/testing/settle');
const { healthy } = require('./leak-tests/healthy');
const { canCount, judgeHealth, judgeLeak } = require('./leak-tests/judge');
const { leaks, others } = require('./leak-tests/leaks');
const { evaluate } = require('./support');

const FEW = { iterations: 250 };

const named = (table, name) => table.find((one) => one.name === name);

for (const [table, name] of [[leaks, 'map'], [leaks, 'emitter listener'], [leaks, 'concatenated string'], [others, 'one in ten calls']]) {
  test(`found: ${name}`, async () => {
    const { expected, make } = named(table, name);
    const { fn, close } = await make();
    const result = await inspectLeaks(fn, name === 'one in ten calls' ? { iterations: 500 } : FEW);
    close?.();
    assert.deepStrictEqual(judgeLeak(expected, result), [], result.message);
    assert.strictEqual(result.rung, 'snapshots');
    assert.match(result.message, /^LEAK: each call leaves /);
  });
}

const withoutCounts = canCount() ? false : 'this runtime does not say how many entries a collection has';

for (const name of ['numbers in a Map', 'fractions in an array']) {
  test(`found: ${name}`, { skip: withoutCounts }, async () => {
    const { expected, make } = named(others, name);
    const result = await inspectLeaks(make().fn, FEW);
    assert.deepStrictEqual(judgeLeak(expected, result), [], result.message);
    assert.strictEqual(result.culprits.length, 1, result.message);
    assert.match(result.message, /entries pile up in (Map|Array) `ids`/);
  });
}

for (const name of ['LRU that fills and is steady', 'lazy singleton', 'window of numbers', 'WeakRef cache with a registry', 'timers that fire']) {
  test(`left alone: ${name}`, async () => {
    const { fn, close } = await named(healthy, name).make();
    const result = await inspectLeaks(fn, { iterations: 400 });
    close?.();
    assert.deepStrictEqual(judgeHealth(result), []);
    assert.deepStrictEqual([result.culprits, result.growthBytesPerIteration, result.growthObjectsPerIteration], [[], 0, 0]);
    assert.match(result.message, /^no leak: nothing grew in proportion to/);
  });
}

test('calls are numbered, awaited, and divided into rounds between setup and teardown', async () => {
  const rounds = [];
  let isBusy = false;
  let next = 0;
  const { iterations, leaked } = await inspectLeaks(async (call) => {
    assert.ok(!isBusy, 'the call before is over');
    // From 0 again after the warm-up.
    if (call === 0) next = 0;
    assert.strictEqual(call, next++);
    isBusy = true;
    await null;
    isBusy = false;
    rounds[rounds.length - 1].calls += 1;
  }, {
    iterations: 203, warmup: 20, rounds: 5,
    setup: async () => { rounds.push({ calls: 0 }); },
    teardown: () => { rounds[rounds.length - 1].isOver = true; },
  });
  assert.strictEqual(leaked, false);
  assert.deepStrictEqual(rounds.slice(0, 6).map(({ calls }) => calls), [20, 41, 41, 41, 40, 40]);
  assert.ok(rounds.every(({ isOver }) => isOver));
  assert.ok(iterations >= 203, `${iterations}`);
  assert.strictEqual(next, iterations);
});

test('what the function throws is told, and teardown runs all the same', async () => {
  let tornDown = 0;
  const failing = inspectLeaks((call) => { if (call === 7) throw new RangeError('call 7'); }, { ...FEW, teardown: () => { tornDown += 1; } });
  await assert.rejects(failing, { name: 'RangeError', message: 'call 7' });
  assert.strictEqual(tornDown, 1);
  assert.strictEqual((await inspectLeaks(() => {}, { iterations: 4, warmup: 0 })).leaked, false, 'the next check is not held up');
});

test('options are checked', async () => {
  const refused = (fn, options, message) => assert.rejects(inspectLeaks(fn, options), { code: 'HEAPWARDEN_ERR_INVALID_ARG', message });
  const fn = () => {};
  await refused(7, {}, 'fn: expected a function, found 7');
  await refused(fn, { iterations: 3 }, 'iterations: expected a whole number from 4 to 10000000, found 3');
  await refused(fn, { rounds: 3 }, 'rounds: expected a whole number from 4 to 100, found 3');
  await refused(fn, { setup: 'x' }, /^setup: expected a function/);
  await refused(fn, [], /^options: expected an object/);
  await refused(fn, { iteration: 1000 }, 'options: expected iterations, rounds, warmup, settleMs, setup, teardown, found "iteration"');
  await refused(fn, { bytesPerIteration: 1000 }, /^options: expected iterations, .* found "bytesPerIteration"$/);
  await assert.rejects(assertLeaksLessThan(fn, { bytesPerCall: 9 }), /expected bytesPerIteration, objectsPerIteration, .* found "bytesPerCall"/);
  await assert.rejects(assertNoLeak(Promise.reject(new Error('its own'))), /expected a function, found a promise; .*Write `expect\(\(\) => work\(\)\)`/);
  await assert.rejects(assertNoLeak(), /what is expected not to leak: expected a function, found undefined/);
  await assert.rejects(assertLeaksLessThan(fn, {}), /bytesPerIteration, objectsPerIteration or both/);
  await assert.rejects(assertLeaksLessThan(fn, { bytesPerIteration: 0 }), /bytesPerIteration: expected a number above 0/);
});

test('assertions fail with the message, and a budget is what it says', async () => {
  const kept = [];
  const leaky = (call) => { kept.push({ call }); };
  await assert.rejects(assertNoLeak(leaky, FEW), { name: 'AssertionError', message: /but it does\.\n\nLEAK: each call leaves 1 Object[^]*Array `kept`/ });
  await assertNoLeak(() => {}, FEW);
  await assert.rejects(assertLeaksLessThan(leaky, { ...FEW, objectsPerIteration: 0.5 }), /less than 0.5 objects a call, but it leaks 1 object\./);
  await assertLeaksLessThan(leaky, { ...FEW, objectsPerIteration: 2, bytesPerIteration: 4096 });
  assert.strictEqual((await matchers.toLeak(leaky, FEW)).pass, true);
  assert.match((await matchers.toLeak(() => {}, FEW)).message(), /^Expected the function to leak, but it does not\.\n\nno leak/);
});

test('lines are those of the source of code that was compiled in memory', async () => {
  // As a test runner does it: the code goes by the name of the source, and has its map inside. Each line is ten lines further down there.
  const map = { version: 3, sources: ['kept.ts'], names: [], mappings: 'AAUA;AACA;AACA' };
  const code = ['const kept = [];', 'class Kept { constructor() { this.at = []; } }', '() => { kept.push(new Kept()); }'].join('\n');
  const url = `data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;
  const filename = path.join(os.tmpdir(), 'compiled in memory', 'kept.ts');
  const fn = vm.runInThisContext(`${code}\n//# sourceMappingURL=${url}`, { filename });
  const { culprits: [first], message } = await inspectLeaks(fn, FEW);
  assert.deepStrictEqual([first.constructorName, first.location.file, first.location.line], ['Kept', filename, 12], message);
  assert.strictEqual(first.location.generated.line, 2);
});

test('a leak is named although the clock and all timers are faked', async () => {
  const { code, stdout, stderr } = await evaluate(`
    const { inspectLeaks } = require('.');
    const { take } = require('./__test__/runners/suite/orders');
    for (const name of ['setTimeout', 'setInterval', 'setImmediate', 'queueMicrotask']) globalThis[name] = () => ({ unref() { return this; } });
    Date.now = () => 0;
    performance.now = () => 0;
    inspectLeaks(take, { iterations: 60 }).then(({ culprits: [first] }) => {
      console.log(first.constructorName, require('path').basename(first.declared?.file ?? first.location.file));
    });
  `);
  assert.deepStrictEqual([code, stdout], [0, 'Order orders.js\n'], stderr);
});

test('timers of a file: those that are left, by place, and nothing of those that are over', async () => {
  const target = { setTimeout, setInterval, setImmediate };
  const { left, sweep } = watchTimers(target);
  assert.strictEqual(target.setTimeout[promisify.custom], setTimeout[promisify.custom]);
  const [first, second] = [1, 2].map(() => target.setInterval(() => {}, 60_000));
  target.setInterval(() => {}, 60_000).unref();
  clearTimeout(target.setTimeout(() => {}, 60_000));
  assert.strictEqual(await new Promise((resolve) => { target.setTimeout(resolve, 1, 'an argument'); }), 'an argument');
  await new Promise((resolve) => { target.setImmediate(resolve); });
  const places = [...left()];
  assert.strictEqual(places.length, 1);
  assert.match(places[0][0], /leak-tests\.test\.js:\d+$/);
  assert.strictEqual(places[0][1], 2);
  clearInterval(first);
  assert.deepStrictEqual([...left().values()], [1]);
  clearInterval(second);
  assert.strictEqual(left().size, 0);

  beforeCollections(sweep);
  const { leaked, message } = await inspectLeaks(() => new Promise((resolve) => { target.setTimeout(resolve, 0); }), FEW);
  assert.strictEqual(leaked, false, message);
});

test('two checks at a time do not see each other', async () => {
  const kept = [];
  const [leaky, fine] = await Promise.all([inspectLeaks((call) => { kept.push({ call }); }, FEW), inspectLeaks(() => {}, FEW)]);
  assert.deepStrictEqual([leaky.leaked, fine.leaked], [true, false]);
});

test('objects are counted in a process that has WebAssembly loaded', async () => {
  // Names that were asked for while V8 walked over the heap crashed it: fetch brings a parser in WebAssembly.
  const { code, signal, stdout, stderr } = await evaluate(`
    const { once } = require('node:events');
    const http = require('node:http');
    const { captureCensus } = require('.');
    (async () => {
      const server = http.createServer((req, res) => res.end('{}')).listen(0, '127.0.0.1');
      await once(server, 'listening');
      const call = async () => (await fetch('http://127.0.0.1:' + server.address().port)).text();
      for (let i = 0; i < 20; i++) await call();
      for (let i = 0; i < 3; i++) {
        const { constructors } = await captureCensus({ mode: 'inline' });
        console.log(constructors.some(({ constructorName }) => constructorName.startsWith('WebAssembly.')));
        await call();
      }
      process.exit(0);
    })();
  `);
  assert.deepStrictEqual([code, signal], [0, null], stderr);
  assert.strictEqual(stdout, 'true\ntrue\ntrue\n');
});
