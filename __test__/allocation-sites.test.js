'use strict';

// Where what survives was allocated: what is named and what is not, that it ends, and that nobody else's profiler is touched.

const assert = require('node:assert');
const fs = require('node:fs');
const { Session } = require('node:inspector');
const path = require('node:path');
const { describe, test } = require('node:test');
const { Worker } = require('node:worker_threads');
const zlib = require('node:zlib');
const { Profile } = require('pprof-format');
const { startAllocationProfile } = require('..');
const { Looks, objectCounter, pprofInput } = require('../lib/allocation-looks');
const { bridge } = require('../lib/bridge');
const { Evidence } = require('../lib/evidence');
const { environmentOptions, monitorOptions } = require('../lib/options');
const { SuspectSites } = require('../lib/suspect-sites');
const native = require('../lib/load');
const GOLDEN = require('./golden/leak-report.json');
const { ROOT, evaluate, folder, gc, run, sleep, until } = require('./support');

const FIXTURE = path.join(__dirname, 'fixtures', 'allocating.js');
const BUSY = { code: 'HEAPWARDEN_ERR_BUSY' };
const never = (error) => { throw error; };

/** A sampler of the program's own. */
function ownSession(t) {
  const session = new Session();
  session.connect();
  t.after(() => session.disconnect());
  const post = (method) => {
    let outcome;
    session.post(method, (error, result) => { outcome = { error, result }; });
    if (outcome.error) throw outcome.error;
    return outcome.result;
  };
  const isSampling = () => {
    try {
      post('HeapProfiler.getSamplingProfile');
      return true;
    } catch {
      return false;
    }
  };
  return { post, isSampling };
}

/** A profile as V8 gives it. `stacks`: functions from the outside in, as `name` or `name@url`, with the numbers of their live samples. */
function profileOf(stacks, size = 64 * 1025) {
  let id = 0;
  const node = (name, url) => ({
    callFrame: { functionName: name, scriptId: url.startsWith('node:') || url ? '7' : '0', url, lineNumber: 2, columnNumber: 4 },
    id: ++id, children: [], selfSize: 0,
  });
  const head = node('(root)', '');
  const samples = [];
  for (const [stack, ordinals] of stacks) {
    let at = head;
    for (const text of stack) {
      const [name, url = '/srv/app/a.js'] = text.split('@');
      let child = at.children.find(({ callFrame }) => callFrame.functionName === name && callFrame.url === url);
      if (!child) {
        child = node(name, url);
        at.children.push(child);
      }
      at = child;
    }
    at.selfSize += size * ordinals.length;
    samples.push(...ordinals.map((ordinal) => ({ size, nodeId: at.id, ordinal })));
  }
  return { head, samples };
}

/** Looks at 1, 2, 4, 8, 12, 16 seconds; `alive(seconds)` gives the stacks with the samples alive then, of 10 numbers a second. */
function looksAt(alive, seconds = [1, 2, 4, 8, 12, 16]) {
  const looks = new Looks(0, 65_536);
  for (const at of seconds) assert.equal(looks.add(profileOf(alive(at)), at * 1000), true);
  return looks.sites();
}

const upTo = (from, to, step = 1) => Array.from({ length: Math.max(0, Math.ceil((to - from) / step)) }, (_, i) => from + 1 + i * step);

describe('what a site is', () => {
  test('what grows throughout, with Node\'s own functions folded, recursion too, largest growth first', () => {
    const [first, second, ...rest] = looksAt((s) => [
      [['emit@node:events', 'serve', 'walk', 'walk', 'push@node:internal/x'], upTo(0, 10 * s)],
      [['serve', 'small'], upTo(1000, 1000 + 10 * s, 4)],
    ].map(([stack, ordinals]) => [stack, ordinals.map((n) => (n > 1000 ? (n - 1000) * 2 + 1 : n * 2))]));
    assert.deepEqual(rest, []);
    assert.deepEqual(first.stack.map(({ functionName }) => functionName), ['walk', 'serve']);
    assert.deepEqual([first.functionName, first.location], ['walk', { file: '/srv/app/a.js', line: 3, column: 5 }]);
    assert.equal(first.liveBytes, 160 * 65_600);
    assert.equal(first.growthBytes, 150 * 65_600);
    assert.equal(first.looks, 6);
    assert.deepEqual([second.functionName, second.liveBytes], ['small', 40 * 65_600]);
  });

  for (const [what, alive] of [
    ['what was live once', (s) => [[['once'], s === 8 ? upTo(60, 80) : []]]],
    ['what is replaced before long', (s) => [[['churn'], upTo(Math.max(0, 10 * s - 20), 10 * s)]]],
    ['what was filled early', (s) => [[['filled'], upTo(0, Math.min(40, 10 * s))]]],
    ['what only grew at the end', (s) => [[['late'], upTo(120, 10 * s)]]],
    ['what is too little to tell', (s) => [[['few'], upTo(0, 10 * s, 25)]]],
    ['what our own code allocates', (s) => [[[`sample@${path.join(ROOT, 'lib', 'monitor.js')}`], upTo(0, 10 * s)]]],
    ['a function that fills a cache beside one whose garbage waits', (s) => [
      [['serve', 'fill'], upTo(0, Math.min(40, 10 * s)).map((n) => 2 * n)],
      [['serve', 'churn'], upTo(Math.max(0, 10 * s - 20), 10 * s).map((n) => 2 * n + 1)],
    ]],
  ]) test(`not ${what}`, () => assert.deepEqual(looksAt(alive), []));

  test('not with fewer than three looks', () => {
    assert.deepEqual(looksAt((s) => [[['leak'], upTo(0, 10 * s)]], [8, 16]), []);
    assert.equal(looksAt((s) => [[['leak'], upTo(0, 10 * s)]], [4, 8, 16]).length, 1);
  });

  test('a function that V8 inlines into its caller while it leaks stays one site, under its own name', () => {
    const sites = looksAt((s) => [
      [['serve', 'leak'], upTo(0, Math.min(60, 10 * s))],
      [['serve'], upTo(60, 10 * s)],
    ]);
    assert.deepEqual(sites.map(({ functionName, liveBytes, stack }) => [functionName, liveBytes, stack.length]), [['leak', 160 * 65_600, 2]]);
  });

  test('where only Node\'s own functions are on the stack they are named; V8\'s own allocate for whoever called', () => {
    const [first] = looksAt((s) => [[['onread@node:net', '(V8 API)@'], upTo(0, 10 * s)]]);
    assert.deepEqual(first.stack.map(({ functionName }) => functionName), ['(V8 API)', 'onread']);
    const [user] = looksAt((s) => [[['read', '(V8 API)@'], upTo(0, 10 * s)]]);
    assert.deepEqual(user.stack.map(({ functionName }) => functionName), ['read']);
  });

  test('a profile of another run of the sampler is told by samples that were not there', () => {
    const looks = new Looks(0, 65_536);
    assert.equal(looks.add(profileOf([[['leak'], [3, 7, 9]]]), 1), true);
    assert.equal(looks.add(profileOf([[['leak'], [7, 12]]]), 2), true);
    assert.equal(looks.add(profileOf([[['leak'], [1, 2, 3]]]), 3), false);
    assert.equal(looks.count, 2);
  });

  test('bytes of a sample say how many objects it stands for', () => {
    const interval = 201_608;
    const objectsIn = objectCounter(interval);
    for (const size of [16, 24, 32, 40, 48, 56, 64, 72, 80]) {
      const count = Math.floor(1 / (1 - Math.exp(-size / interval)) + 0.5);
      assert.equal(objectsIn(size * count), count, `${size} bytes`);
    }
    assert.equal(objectsIn(1_373_760), 1);
  });
});

describe('in a program', { concurrency: true }, () => {
  test('the function that leaks is first, and about as much as it leaks', async () => {
    // Not compiled, so that nothing is inlined.
    const { code, stdout, stderr } = await run(['--jitless', FIXTURE, 'leaky']);
    assert.equal(code, 0, stderr);
    const { sites: [first], orders, reason, looks, endedBy, pauseMs } = JSON.parse(stdout);
    assert.match(first.functionName, /^(takeOrder|Order)$/);
    assert.equal(first.location.file, FIXTURE);
    assert.deepEqual([reason, endedBy], [null, 'time']);
    assert.ok(looks >= 3 && looks <= 7 && first.looks >= 3 && pauseMs > 0);
    // An Order and its array and elements, and the Map's table: some 150 bytes.
    assert.ok(first.liveBytes > 60 * orders && first.liveBytes < 400 * orders, `${first.liveBytes} bytes of ${orders} orders`);
    assert.ok(first.growthBytes > first.liveBytes / 2);
  });

  test('it is first as V8 compiles it, if under its caller\'s name where it was inlined before it was seen', async () => {
    const { code, stdout, stderr } = await run([FIXTURE, 'leaky']);
    assert.equal(code, 0, stderr);
    const { sites: [first] } = JSON.parse(stdout);
    assert.match(first.functionName, /^(takeOrder|Order|serve)$/);
    assert.ok(first.growthBytes > first.liveBytes / 2);
  });

  test('its healthy twin has none', async () => {
    const { code, stdout, stderr } = await run([FIXTURE, 'healthy']);
    assert.equal(code, 0, stderr);
    const { sites, reason, looks } = JSON.parse(stdout);
    assert.deepEqual(sites, []);
    assert.ok(looks >= 3);
    assert.equal(reason, 'nothing that was sampled grows steadily');
  });

  test('a profile does not keep the program alive', async () => {
    const { code } = await evaluate(`require(${JSON.stringify(ROOT)}).startAllocationProfile()`, { deadlineMs: 20_000 });
    assert.equal(code, 0);
  });

  test('a suspicion that becomes a leak is told with its sites and files', async (t) => {
    const directory = folder(t);
    const more = JSON.stringify({ allocationSites: { maxMs: 30_000, samplingIntervalBytes: 8192, files: true }, directory });
    const { code, stdout, stderr } = await run([path.join(__dirname, 'fixtures', 'suspected.js'), 'leak', 'summary', more], {
      // A machine at its limit gives a clone no time.
      env: { HEAPWARDEN_CLONE: 'off' },
    });
    assert.equal(code, 0, stderr);
    const events = stdout.trim().split('\n').map((line) => JSON.parse(line));
    assert.deepEqual(events.filter(({ event }) => event === 'error'), []);
    const { payload: report } = events.find(({ event }) => event === 'leak');
    const [first] = report.allocationSites;
    assert.ok(first, report.evidence.allocationSitesReason);
    assert.ok(first.stack.some(({ functionName }) => /^(leak|Session)$/.test(functionName)) || first.functionName === '', JSON.stringify(first));
    assert.equal(first.location.file, path.join(__dirname, 'fixtures', 'suspected.js'));
    assert.equal(report.evidence.allocationSitesReason, null);
    assert.ok(report.evidence.allocationSitesAt <= report.reportedAt);
    const names = report.files.map((file) => path.basename(file).replace(/^heapwarden-\d+T\d+-\d+Z-\d+-0-\d+/, ''));
    assert.deepEqual(names, ['.heapprofile', '.pb.gz']);
    for (const file of report.files) assert.ok(fs.statSync(file).size > 0);
  });

  test('--heap-prof is left alone, and writes its file', async (t) => {
    const directory = folder(t);
    const script = `try { require(${JSON.stringify(ROOT)}).startAllocationProfile(); } catch ({ code }) { console.log(code); }`;
    const { code, stdout, stderr } = await run(['--heap-prof', `--heap-prof-dir=${directory}`, '-e', script]);
    assert.deepEqual([code, stdout], [0, 'HEAPWARDEN_ERR_BUSY\n'], stderr);
    assert.match(fs.readdirSync(directory).join(), /^Heap\..*\.heapprofile$/);
  });
});

test('it ends by itself when its time is up, and V8 samples no more', async (t) => {
  const { isSampling } = ownSession(t);
  const profile = startAllocationProfile({ maxMs: 200 });
  assert.equal(profile.isRunning, true);
  assert.equal(isSampling(), true);
  await until(() => !profile.isRunning, 'the end');
  assert.equal(isSampling(), false);
  const found = profile.stop();
  assert.deepEqual([found.endedBy, found.sites], ['time', []]);
  assert.equal(profile.stop(), found, 'the same again');
});

test('one at a time; stop() ends it at once', (t) => {
  const { isSampling } = ownSession(t);
  const profile = startAllocationProfile();
  assert.throws(() => startAllocationProfile(), BUSY);
  const { endedBy, looks, reason } = profile.stop();
  assert.deepEqual([endedBy, looks, reason], ['stop', 1, '1 looks after major collections, 3 are needed']);
  assert.equal(isSampling(), false);
});

test('a sampler of the program\'s own is left alone', (t) => {
  const { post, isSampling } = ownSession(t);
  post('HeapProfiler.startSampling');
  assert.throws(() => startAllocationProfile(), BUSY);
  assert.equal(isSampling(), true);
  assert.ok(post('HeapProfiler.stopSampling').profile.head);
});

test('where the program ends our sampler and starts its own, ours is over and theirs goes on', (t) => {
  const { post, isSampling } = ownSession(t);
  const kept = [];
  const profile = startAllocationProfile({ samplingIntervalBytes: 4096 });
  for (let i = 0; i < 20_000; i++) kept.push({ i });
  profile.look();
  post('HeapProfiler.stopSampling');
  post('HeapProfiler.startSampling');
  for (let i = 0; i < 200_000; i++) kept.push({ i });
  const { endedBy, looks, reason } = profile.stop();
  assert.deepEqual([endedBy, looks, reason], ['other-profiler', 1, 'another heap profiler of this thread ended it']);
  assert.equal(isSampling(), true);
  post('HeapProfiler.stopSampling');
  assert.equal(kept.length, 220_000);
});

test('object ids stay what they were: looks before and after are compared by id', async () => {
  const look = () => new Evidence({ evidence: 'summary', directory: '.', intervalMs: 0 }, () => ({ heap: 0, shortage: 'none here' }));
  const evidence = look();
  await evidence.takeBaseline();
  startAllocationProfile().stop();
  const kept = [];
  for (let i = 0; i < 1000; i++) kept.push({ kept });
  const { evidence: { mode, matchedBy } } = await evidence.report({ status: 'leak', kind: 'heap' }, never);
  assert.deepEqual([mode, matchedBy, kept.length], ['inline', 'id', 1000]);
});

describe('files', () => {
  /** A profile that has something to show. */
  function found() {
    const kept = [];
    const profile = startAllocationProfile({ samplingIntervalBytes: 1024 });
    function keepNumbers() {
      for (let i = 0; i < 5000; i++) kept.push({ i });
    }
    keepNumbers();
    const result = profile.stop();
    assert.equal(kept.length, 5000);
    return result;
  }
  const total = (node) => node.children.reduce((sum, child) => sum + total(child), node.selfSize);

  test('.heapprofile has what DevTools reads', async (t) => {
    const file = path.join(folder(t), 'sub', 'a.heapprofile');
    const { path: written, bytes } = await found().writeHeapProfile(file);
    assert.deepEqual([written, bytes, fs.statSync(file).mode & 0o777], [file, fs.statSync(file).size, 0o600]);
    const { head, samples, startTime, endTime } = JSON.parse(fs.readFileSync(file, 'utf8'));
    assert.ok(endTime > startTime && samples.length > 100);
    assert.deepEqual(Object.keys(head).sort(), ['callFrame', 'children', 'id', 'selfSize']);
    const { functionName, scriptId, url, lineNumber, columnNumber } = head.callFrame;
    assert.deepEqual([functionName, scriptId, url, typeof lineNumber, typeof columnNumber], ['(root)', '0', '', 'number', 'number']);
    // V8 rounds by node and by sample.
    const sampled = samples.reduce((sum, { size }) => sum + size, 0);
    assert.ok(total(head) > 100_000 && Math.abs(total(head) - sampled) < 0.05 * sampled, `${total(head)} and ${sampled}`);
  });

  test('pprof: a reader of others\' finds the same bytes by stack', async (t) => {
    const directory = folder(t);
    const result = found();
    const [json, pprof] = [path.join(directory, 'a.heapprofile'), path.join(directory, 'a.pb.gz')];
    await result.writeHeapProfile(json);
    await result.writePprof(pprof);
    assert.equal(fs.statSync(pprof).mode & 0o777, 0o600);
    const decoded = Profile.decode(zlib.gunzipSync(fs.readFileSync(pprof)));
    const text = (index) => decoded.stringTable.strings[Number(index)];
    assert.deepEqual(decoded.sampleType.map(({ type, unit }) => [text(type), text(unit)]), [['inuse_objects', 'count'], ['inuse_space', 'bytes']]);
    assert.deepEqual([text(decoded.periodType.type), text(decoded.periodType.unit), Number(decoded.period)], ['space', 'bytes', 1024]);
    const functions = new Map(decoded.function.map((f) => [Number(f.id), text(f.name)]));
    const locations = new Map(decoded.location.map(({ id, line }) => [Number(id), functions.get(Number(line[0].functionId))]));
    const ours = new Map();
    for (const { locationId, value } of decoded.sample) {
      const stack = locationId.map((id) => locations.get(Number(id))).join(' < ');
      ours.set(stack, (ours.get(stack) ?? 0) + Number(value[1]));
      assert.ok(Number(value[0]) > 0);
    }
    const theirs = new Map();
    (function walk(node, outer) {
      const stack = [node.callFrame.functionName || '(anonymous)', ...outer];
      if (node.selfSize > 0) theirs.set(stack.join(' < '), (theirs.get(stack.join(' < ')) ?? 0) + node.selfSize);
      for (const child of node.children) walk(child, stack);
    })({ ...JSON.parse(fs.readFileSync(json, 'utf8')).head, callFrame: { functionName: '' } }, []);
    // The root is no function.
    const withoutRoot = [...theirs].map(([stack, bytes]) => [stack.replace(/ ?<? ?\(anonymous\)$/, ''), bytes]);
    const byName = (a, b) => (a[0] < b[0] ? -1 : 1);
    const rooted = new Set(withoutRoot.map(([stack]) => stack));
    assert.deepEqual([...ours].filter(([stack]) => rooted.has(stack)).sort(byName), withoutRoot.filter(([stack]) => stack).sort(byName));
    assert.ok([...ours.keys()].some((stack) => stack.startsWith('keepNumbers')));
  });

  test('the deepest stack is no problem', () => {
    const deep = profileOf([[Array.from({ length: 20_000 }, (_, i) => `f${i}`), [1]]]);
    assert.equal(pprofInput(deep, { intervalBytes: 65_536, startedAt: 0, durationMs: 1 }).samples[0].stack.length, 20_000);
  });

  test('what cannot be written is an error that says so', async () => {
    await assert.rejects(found().writePprof('/dev/null/x/a.pb.gz'), { code: 'HEAPWARDEN_ERR_IO' });
    await assert.rejects(found().writeHeapProfile(7), { code: 'HEAPWARDEN_ERR_INVALID_ARG' });
  });
});

describe('at a suspicion', () => {
  const options = (more) => monitorOptions({ allocationSites: { maxMs: 60_000, ...more } });

  test('nothing is sampled unless asked for', (t) => {
    const { isSampling } = ownSession(t);
    const sites = new SuspectSites(monitorOptions());
    sites.begin();
    assert.equal(isSampling(), false);
    const { reason } = sites.end(never);
    assert.equal(reason, 'allocation sites are switched off');
    // Of which the report for people says nothing, and of other reasons what they are.
    const rendered = (why) => native.renderLeakReport(JSON.stringify({ ...GOLDEN, allocationSites: [], evidence: { ...GOLDEN.evidence, allocationSitesReason: why } }));
    assert.doesNotMatch(rendered(reason), /allocated is not known/);
    assert.match(rendered('too few looks'), /Where it was allocated is not known: too few looks/);
  });

  test('looks wait for a collection where V8 need not be told to collect', { skip: !bridge.available }, async () => {
    const sites = new SuspectSites(options({ maxMs: 3000 }));
    sites.begin();
    await sleep(150);
    sites.sampled(0);
    await sleep(100);
    sites.sampled(2);
    sites.sampled(1);
    const { reason, pauseMs } = sites.end(never);
    assert.equal(reason, '2 looks after major collections, 3 are needed', 'one after the collection, one at the end');
    const none = new SuspectSites(options());
    none.begin();
    assert.equal(none.end(never).reason, '0 looks after major collections, 3 are needed');
    assert.ok(pauseMs > 0);
  });

  test('release() ends it; a second run has to wait', (t) => {
    const { isSampling } = ownSession(t);
    const sites = new SuspectSites(options());
    sites.begin();
    assert.equal(isSampling(), true);
    sites.release();
    assert.equal(isSampling(), false);
    sites.begin();
    sites.end(never);
    sites.begin();
    assert.equal(isSampling(), false, 'it rests');
  });

  test('where another profiler runs the report says so', (t) => {
    const { post } = ownSession(t);
    post('HeapProfiler.startSampling');
    const sites = new SuspectSites(options());
    sites.begin();
    const { reason, files } = sites.end(never);
    assert.match(reason, /^another sampling heap profiler runs in this thread/);
    assert.deepEqual(files, []);
    post('HeapProfiler.stopSampling');
  });

  test('the files keep within the budget of their kind', async (t) => {
    const directory = folder(t);
    const snapshot = path.join(directory, 'heapwarden-20200101T000000-000Z-7-0-1.heapsnapshot');
    fs.writeFileSync(snapshot, '{}');
    for (let i = 0; i < 3; i++) {
      const sites = new SuspectSites(monitorOptions({ directory, maxFiles: 2, allocationSites: { files: true } }));
      sites.begin();
      sites.sampled(1);
      assert.equal((await sites.end(never).files).length, 2);
    }
    const count = (extension) => fs.readdirSync(directory).filter((name) => name.endsWith(extension)).length;
    assert.deepEqual([count('.heapprofile'), count('.pb.gz'), count('.heapsnapshot')], [2, 2, 1]);
  });

  test('a file that cannot be written is an error event, and the report is made', async () => {
    const errors = [];
    const sites = new SuspectSites(monitorOptions({ directory: '/dev/null/x', allocationSites: { files: true } }));
    sites.begin();
    sites.sampled(1);
    const files = await sites.end(({ code }) => errors.push(code)).files;
    assert.deepEqual([files, errors], [[], ['HEAPWARDEN_ERR_IO', 'HEAPWARDEN_ERR_IO']]);
  });
});

test('options are checked, and the environment\'s', () => {
  const invalid = { code: 'HEAPWARDEN_ERR_INVALID_ARG' };
  for (const options of [{ maxMs: 0 }, { maxMs: 1e9 }, { samplingIntervalBytes: 1.5 }, null]) {
    assert.throws(() => startAllocationProfile(options), invalid);
  }
  for (const allocationSites of ['yes', null, [], { files: 1 }, { maxMs: '1' }]) assert.throws(() => monitorOptions({ allocationSites }), invalid);
  assert.equal(monitorOptions().allocationSites, undefined);
  assert.equal(monitorOptions({ allocationSites: true }).allocationSites.files, false);
  assert.equal(monitorOptions({ allocationSites: true, evidence: 'snapshot' }).allocationSites.files, true);
  assert.equal(environmentOptions({ HEAPWARDEN_ALLOCATION_SITES: '1' }).allocationSites, true);
  assert.equal(environmentOptions({}).allocationSites, undefined);
  assert.throws(() => environmentOptions({ HEAPWARDEN_ALLOCATION_SITES: 'yes' }), invalid);
});

test('a worker may be terminated while it samples', async () => {
  const worker = new Worker(`
    require(${JSON.stringify(ROOT)}).startAllocationProfile();
    require('node:worker_threads').parentPort.postMessage('sampling');
    setInterval(() => [{}], 1);
  `, { eval: true });
  await new Promise((resolve, reject) => { worker.once('message', resolve).once('error', reject); });
  assert.equal(await worker.terminate(), 1);
  gc();
});
