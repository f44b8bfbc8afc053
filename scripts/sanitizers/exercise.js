'use strict';

// Calls everything that the native part does, once or a few times, in a small heap: what runs under a checker of memory. Prints each step; HEAPWARDEN_CLONE=off
// keeps it in one process. `--rounds 3` does it all again, so that what is lost at each call stands out from what is kept once.

const assert = require('node:assert/strict');
const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { Worker } = require('node:worker_threads');
const heapwarden = require('../..');
const { replaySeries } = require('../../lib/replay');
const { renderMetrics } = require('../../lib/metrics/prometheus');

const { values } = parseArgs({ options: { rounds: { type: 'string', default: '1' }, only: { type: 'string' } } });
const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'exercise-'));
const inside = (name) => path.join(directory, name);
const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

const kept = [];
const written = {};

const steps = {
  async monitor() {
    const monitor = new heapwarden.MemoryMonitor({ intervalMs: 50, directory, evidence: 'none', channels: [{ type: 'file', path: inside('alerts.jsonl') }] });
    monitor.on('error', () => {});
    monitor.start();
    for (let n = 0; n < 10; n++) {
      kept.push(Array.from({ length: 1000 }, (_, at) => ({ at })));
      await sleep(60);
    }
    monitor.sample();
    assert.ok(monitor.report().length > 0);
    monitor.verdict();
    assert.match(renderMetrics({ monitor }).text, /heapwarden_/);
    await monitor.exportSeries({ path: inside('series.jsonl') });
    assert.match(monitor.exportSeries(), /heapwarden-series/);
    monitor.stop();
  },
  async replay() {
    assert.equal((await replaySeries(inside('series.jsonl'), { explain: true, timing: true })).traces.length, 1);
    await assert.rejects(replaySeries([Buffer.from('{"nothing":1}\n')][Symbol.iterator]()));
  },
  async snapshots() {
    for (const [name, options] of Object.entries({ plain: {}, gzip: { compress: 'gzip' }, zstd: { compress: 'zstd', redact: 'names' } })) {
      written[name] = (await heapwarden.writeSnapshot({ path: inside(`${name}.heapsnapshot`), ...options })).path;
    }
  },
  async summary() {
    await heapwarden.captureSummary();
  },
  async census() {
    await heapwarden.captureCensus();
  },
  async listeners() {
    const emitter = new EventEmitter();
    const auditor = new heapwarden.ListenerAuditor({ intervalMs: 50 });
    auditor.watch(emitter, 'an emitter');
    auditor.start();
    for (let n = 0; n < 5; n++) {
      emitter.on('event', () => n);
      await sleep(60);
    }
    auditor.audit();
    auditor.stop();
    await heapwarden.auditListeners();
  },
  async analyses() {
    const { plain, gzip, zstd } = written;
    await heapwarden.summarizeSnapshot(plain, { objects: 10, territories: 10, threads: 2 });
    await heapwarden.histogramSnapshot(zstd);
    await heapwarden.retainingPaths(plain, { constructorName: 'Array', limit: 3 });
    await heapwarden.diffSnapshots([plain, gzip, zstd]);
    await heapwarden.diffSnapshots([plain, plain], { culprits: false });
    await assert.rejects(heapwarden.summarizeSnapshot(fs.createReadStream(plain, { end: 10_000 })));
    await assert.rejects(heapwarden.summarizeSnapshot(inside('nothing')));
    await assert.rejects(heapwarden.summarizeSnapshot(plain, { signal: AbortSignal.timeout(1) }));
  },
  async recording() {
    const [name] = fs.readdirSync(directory).filter((file) => file.endsWith('.hwr'));
    await heapwarden.readRecording(inside(name));
  },
  async workers() {
    const script = `const { MemoryMonitor } = require(${JSON.stringify(path.resolve(__dirname, '..', '..'))}); const { parentPort } = require('node:worker_threads');
      const monitor = new MemoryMonitor({ intervalMs: 20, evidence: 'none', directory: ${JSON.stringify(directory)} }); monitor.start(); setTimeout(() => parentPort.postMessage(1), 200);`;
    for (let n = 0; n < 2; n++) {
      const worker = new Worker(script, { eval: true });
      await new Promise((resolve) => { worker.once('message', resolve); });
      await worker.terminate();
    }
  },
  async allocations() {
    const profile = heapwarden.startAllocationProfile({ samplingIntervalBytes: 8192 });
    for (let n = 0; n < 100; n++) kept.push(Array.from({ length: 100 }, () => ({ n })));
    const sites = profile.look().stop();
    await sites.writeHeapProfile(inside('a.heapprofile'));
    await sites.writePprof(inside('a.pb.gz'));
  },
  async leaks() {
    const { leaked } = await heapwarden.inspectLeaks(() => { kept.push({}); }, { iterations: 40, settleMs: 0 });
    assert.ok(leaked);
  },
};

async function main() {
  try {
    for (let round = 0; round < Number(values.rounds); round++) {
      for (const [name, step] of Object.entries(steps)) {
        if (values.only && !values.only.split(',').includes(name)) continue;
        await step();
        console.error(`  ${name}`);
      }
    }
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

main();
