'use strict';

// Says, as one line of JSON, what Heapwarden does in the process that it runs in. `probe(heapwarden)` for whoever loads it in another way.

const v8 = require('node:v8');
const vm = require('node:vm');

class Parcel {
  constructor(id) {
    this.id = id;
  }
}
const PARCELS = 500;

/** What became of `work`: its value, or the code of its error. */
async function outcome(work) {
  try {
    return await work();
  } catch (error) {
    return error.code ?? error.message;
  }
}

const countOf = ({ constructors }) => constructors.find(({ constructorName }) => constructorName === 'Parcel')?.count;

/** Waits until a sample has a floor; null where none comes. */
async function floorOf(monitor, gc) {
  const end = Date.now() + 10_000;
  while (Date.now() < end) {
    gc();
    await new Promise((resolve) => { setTimeout(resolve, 20); });
    const { postGcFloor, heapUsed } = monitor.sample();
    if (postGcFloor) return postGcFloor > heapUsed / 4;
  }
  return null;
}

async function probe({ MemoryMonitor, captureCensus, captureSummary, startAllocationProfile, writeSnapshot }) {
  globalThis.parcels = Array.from({ length: PARCELS }, (_, id) => new Parcel(id));
  v8.setFlagsFromString('--expose-gc');
  const gc = vm.runInNewContext('gc');
  const monitor = new MemoryMonitor({ intervalMs: 20, evidence: 'none', blackBox: false, heapLimit: false, logger: { warn() {} } }).start();
  const floor = await outcome(() => floorOf(monitor, gc));
  monitor.stop();
  const said = {
    floor,
    samples: monitor.report().length > 0,
    summary: await outcome(async () => {
      const { mode, summary } = await captureSummary();
      return `${mode} ${countOf(summary)}`;
    }),
    census: await outcome(async () => {
      const { mode, constructors } = await captureCensus({ mode: 'inline' });
      return `${mode} ${countOf({ constructors })}`;
    }),
    sites: await outcome(async () => {
      const profile = startAllocationProfile({ maxMs: 1000 });
      const { looks } = profile.stop();
      return looks;
    }),
    file: await outcome(async () => (await writeSnapshot({ directory: process.env.HEAPWARDEN_DIR, summary: false, mode: 'inline' })).fileBytes > 0),
  };
  process.stdout.write(`${JSON.stringify(said)}\n`);
}

module.exports = { PARCELS, probe };

/** The package, or the code of the error that keeps it away. */
function load() {
  try {
    return require('../..');
  } catch ({ code }) {
    process.stdout.write(`${JSON.stringify({ loaded: code })}\n`);
    return undefined;
  }
}

if (require.main === module) {
  const heapwarden = load();
  if (heapwarden) void probe(heapwarden);
}
