'use strict';

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { ROOT, bridgeIsOff, run } = require('./support');

const LIMIT = 512 << 20;

/** A real memory control group with a limit, of whichever version is mounted; undefined where none can be made. */
function group(t) {
  const kinds = [
    ['/sys/fs/cgroup/memory', 'memory.limit_in_bytes'],
    ['/sys/fs/cgroup/unified', 'memory.max'],
    ['/sys/fs/cgroup', 'memory.max'],
  ];
  for (const [root, file] of kinds) {
    const dir = path.join(root, `heapwarden-test-${process.pid}-${bridgeIsOff ? 'off' : 'on'}`);
    try {
      if (!fs.existsSync(path.join(root, 'cgroup.procs'))) continue;
      fs.mkdirSync(dir);
      t.after(() => fs.rmdirSync(dir));
      fs.writeFileSync(path.join(dir, file), String(LIMIT));
      return dir;
    } catch {
      // Not allowed, or without the memory controller.
    }
  }
  return undefined;
}

test('the limit and the usage of a real memory control group are read, and judged by', async (t) => {
  const dir = group(t);
  if (dir === undefined) return t.skip('no memory control group can be made here');
  const { code, stdout, stderr } = await run(['-e', `
    require('node:fs').writeFileSync(${JSON.stringify(path.join(dir, 'cgroup.procs'))}, String(process.pid));
    const { MemoryMonitor } = require(${JSON.stringify(ROOT)});
    const monitor = new MemoryMonitor({ evidence: 'none' });
    const crossings = [];
    monitor.on('threshold', (crossing) => crossings.push(crossing));
    const before = monitor.sample();
    const held = Buffer.alloc(450 << 20, 1);
    const after = monitor.sample();
    console.log(JSON.stringify({ before, after, crossings, held: held.length }));
  `]);
  assert.equal(code, 0, stderr);
  const { before, after, crossings } = JSON.parse(stdout);
  assert.equal(before.containerLimit, LIMIT);
  assert.ok(before.containerUsed > 0 && after.containerUsed - before.containerUsed > 400 << 20);
  assert.deepEqual(crossings.map((c) => [c.metric, c.thresholdBytes]), [['rss', Math.floor(LIMIT * 0.9)]],
    '90 % of the container, not of the larger heap limit');
  return undefined;
});
