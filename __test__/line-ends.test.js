'use strict';

// V8's two traps: places of functions that are looked up the slow way (Node 18 and 20), and object ids that an inspector session
// takes with it when it is closed (every Node).

const assert = require('node:assert');
const path = require('node:path');
const { test } = require('node:test');
const { evaluate, folder, ROOT } = require('./support');

const PACKAGE = JSON.stringify(ROOT);
const suffers = parseInt(process.versions.v8, 10) < 12;

/** A script of four megabytes with ten thousand functions, loaded, and the CPU time of one snapshot after it in milliseconds. */
const snapshotCost = (before) => `
  const fs = require('node:fs'), os = require('node:os'), path = require('node:path'), v8 = require('node:v8'), vm = require('node:vm');
  const line = 'exports.push(function () { return "${'x'.repeat(340)}"; });\\n';
  const sandbox = { exports: [] };
  vm.runInNewContext(line.repeat(10_000), sandbox, { filename: 'big.js' });
  globalThis.keep = sandbox;
  ${before}
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-lines-'));
  const from = process.cpuUsage();
  v8.writeHeapSnapshot(path.join(dir, 'a.heapsnapshot'));
  const { user, system } = process.cpuUsage(from);
  fs.rmSync(dir, { recursive: true });
  console.log(Math.round((user + system) / 1000));
`;

async function cost(before) {
  const { code, stdout, stderr } = await evaluate(snapshotCost(before));
  assert.deepEqual([code, stderr], [0, '']);
  return Number(stdout);
}

test('a snapshot with a big script loaded costs a fifth or less, where V8 would look places up slowly', async () => {
  const without = await cost('');
  const cured = await cost(`require(${JSON.stringify(path.join(ROOT, 'lib/line-ends.js'))}).knowLineEnds();`);
  if (suffers) assert.ok(cured * 5 <= without, `${cured} ms of ${without} ms`);
  else assert.ok(without < 5000 && cured < 5000, `${cured} and ${without} ms: this V8 is free of it`);
});

test('it disturbs no coverage and no profile of another session, and does not keep the process alive', async () => {
  const { code, stdout, stderr } = await evaluate(`
    const { Session } = require('node:inspector');
    const { captureSummary } = require(${PACKAGE});
    const session = new Session();
    session.connect();
    const post = (method, params) => {
      let given;
      session.post(method, params, (error, result) => { if (error) throw error; given = result; });
      return given;
    };
    function hot() { return 1; }
    post('Profiler.enable');
    post('Profiler.startPreciseCoverage', { callCount: true, detailed: true });
    post('Profiler.start');
    (async () => {
      for (let look = 0; look < 2; look++) await captureSummary();
      for (let i = 0; i < 12_345; i++) hot();
      const functions = post('Profiler.takePreciseCoverage').result.flatMap((script) => script.functions);
      const { count } = functions.find(({ functionName }) => functionName === 'hot').ranges[0];
      console.log(count, post('Profiler.stop').profile.samples.length > 10);
    })();
  `);
  assert.deepEqual([code, stdout, stderr], [0, '12345 true\n', '']);
});

test('coverage that Node writes at the end is whole, in the main thread and in a worker', async (t) => {
  const dir = folder(t);
  const { code, stdout, stderr } = await evaluate(`
    const { Worker } = require('node:worker_threads');
    const work = 'const { captureSummary } = require(' + JSON.stringify(${PACKAGE}) + ');' +
      'captureSummary({ mode: "inline" }).then(({ summary }) => console.log(summary.nodeCount > 1000))';
    eval(work);
    new Worker(work, { eval: true });
  `, { env: { NODE_V8_COVERAGE: dir } });
  assert.deepEqual([code, stdout, stderr], [0, 'true\ntrue\n', '']);
  const files = require('node:fs').readdirSync(dir);
  assert.ok(files.length >= 2, files.join());
  for (const file of files) {
    const { result } = require(path.join(dir, file));
    const ours = result.find(({ url }) => url.endsWith('/lib/line-ends.js'));
    const [fn] = ours.functions.filter(({ functionName }) => functionName === 'knowLineEnds');
    assert.equal(fn.ranges[0].count, 1);
  }
});

/** Two inline looks (a clone numbers for itself) at a growing heap with `between` in between: how the growth was matched, by `evidence` and by files. */
const twoLooks = (between) => evaluate(`
  const fs = require('node:fs'), os = require('node:os'), path = require('node:path');
  const { Session } = require('node:inspector');
  const { writeSnapshot, diffSnapshots } = require(${PACKAGE});
  const { Evidence } = require(${JSON.stringify(path.join(ROOT, 'lib/evidence.js'))});
  class Ticket { constructor(id) { this.id = id; } }
  const tickets = (globalThis.tickets = []);
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-ids-'));
  (async () => {
    const evidence = new Evidence({ evidence: 'summary', intervalMs: 0, directory });
    const before = await writeSnapshot({ directory, summary: false, mode: 'inline' });
    await evidence.takeBaseline();
    ${between}
    for (let i = 0; i < 2000; i++) tickets.push(new Ticket(i));
    const after = await writeSnapshot({ directory, summary: false, mode: 'inline' });
    const { evidence: note } = await evidence.report({ status: 'leak' }, (error) => { throw error; });
    const diff = await diffSnapshots([before.path, after.path]);
    console.log(JSON.stringify([note.matchedBy, note.matchedByReason, diff.matchedBy, diff.matchedByReason,
      diff.constructors.find(({ constructorName }) => constructorName === 'Ticket').countDelta]));
  })().finally(() => fs.rmSync(directory, { recursive: true }));
`, { env: { HEAPWARDEN_CLONE: 'off' } });

test('our own looks leave the object ids as they are', async () => {
  const { code, stdout, stderr } = await twoLooks('');
  assert.deepEqual([code, stderr, JSON.parse(stdout)], [0, '', ['id', null, 'id', null, 2000]]);
});

test('a session of somebody else that was closed in between is noticed, and said', async () => {
  const { code, stdout, stderr } = await twoLooks('const other = new Session(); other.connect(); other.disconnect();');
  assert.deepEqual([code, stderr], [0, '']);
  const [inline, inlineReason, files, filesReason, countDelta] = JSON.parse(stdout);
  assert.deepEqual([inline, files, countDelta], ['path', 'path', 2000]);
  assert.match(inlineReason, /^object ids do not correspond: an inspector session .* was closed between the two looks/);
  assert.match(filesReason, /^object ids do not correspond: .*different processes/);
});

test('with profiling and inspection switched on by others it works and says nothing', async (t) => {
  const dir = folder(t);
  const script = path.join(dir, 'main.js');
  require('node:fs').writeFileSync(script, `
    require(${PACKAGE}).captureSummary().then(({ summary }) => console.log(summary.nodeCount > 1000));
  `);
  const { run } = require('./support');
  const { code, stdout, stderr } = await run(['--cpu-prof', '--cpu-prof-dir', dir, '--inspect=127.0.0.1:0', script], { cwd: dir });
  assert.deepEqual([code, stdout], [0, 'true\n']);
  // The first two lines are Node's own word on --inspect.
  assert.doesNotMatch(stderr, /attached|heapwarden/i);
  const [profile] = require('node:fs').readdirSync(dir).filter((name) => name.endsWith('.cpuprofile'));
  assert.ok(JSON.parse(require('node:fs').readFileSync(path.join(dir, profile), 'utf8')).samples.length > 10);
});
