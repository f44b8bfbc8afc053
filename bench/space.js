'use strict';

// How long a snapshot's file is, in times the used heap: node bench/space.js
//
// What the check for free space rests on. Each kind of heap is a process of its own; some are what services have, some the worst that a
// heap of JavaScript objects can be: nothing but small objects, or nothing but references.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const v8 = require('node:v8');

class Session {
  constructor(i) {
    this.id = i;
    this.user = `user ${i}`;
    this.log = [i, i + 1];
    this.attributes = { a: i, b: `x${i}` };
  }
}

class Empty {}

const N = 100_000;

const HEAPS = {
  'Node alone': () => null,
  sessions: () => Array.from({ length: N }, (_, i) => new Session(i)),
  'Maps of small Maps': () => new Map(Array.from({ length: N / 4 }, (_, i) => [`k${i}`, new Map([[i, { i }]])])),
  closures: () => Array.from({ length: N }, (_, i) => () => i),
  'promises that wait': () => Array.from({ length: N }, () => new Promise(() => {}).then(() => 1)),
  'short strings, all different': () => Array.from({ length: 2 * N }, (_, i) => `${i}-${(i * 7919).toString(36)}`),
  'long strings': () => Array.from({ length: N / 100 }, (_, i) => `${i}`.repeat(1000) + Buffer.alloc(8192, i).toString('latin1')),
  'escaped text': () => Array.from({ length: N / 10 }, (_, i) => JSON.parse(`"${'\\u4e2d'.repeat(200)}${i}"`)),
  'empty objects': () => Array.from({ length: 2 * N }, () => new Empty()),
  'boxed numbers': () => Array.from({ length: 2 * N }, (_, i) => ({ x: i + 0.5 })),
  'arrays of references to one object': () => Array.from({ length: 64 }, () => new Array(N / 8).fill(new Empty())),
  'objects that refer to each other': () => {
    const all = Array.from({ length: N / 4 }, () => ({}));
    return all.map((_, i) => Array.from({ length: 16 }, (_x, j) => all[(i * 31 + j * 977) % all.length]));
  },
  'parsed JSON': () => JSON.parse(JSON.stringify(Array.from({ length: N / 2 }, (_, i) => ({ id: i, tags: [`t${i % 9}`], at: i * 1.5 })))),
};

async function measure(name) {
  const { writeSnapshot } = require('..');
  globalThis.kept = HEAPS[name]();
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-space-'));
  const found = [];
  try {
    for (const compress of [false, 'gzip', 'zstd']) {
      const heap = v8.getHeapStatistics().used_heap_size;
      const { fileBytes } = await writeSnapshot({ directory: dir, compress, summary: false, mode: 'inline' });
      found.push({ heap, ratio: fileBytes / heap });
    }
  } finally {
    fs.rmSync(dir, { recursive: true });
  }
  console.log(JSON.stringify(found));
}

if (process.argv[2]) {
  measure(process.argv[2]);
} else {
  console.log(`Node ${process.version}: length of the file in times the used heap\n`);
  for (const name of Object.keys(HEAPS)) {
    const { stdout, stderr, status } = spawnSync(process.execPath, [__filename, name], { encoding: 'utf8', maxBuffer: 1 << 24 });
    if (status !== 0) throw new Error(`${name}: ${stderr}`);
    const [plain, gzip, zstd] = JSON.parse(stdout);
    const columns = [plain, gzip, zstd].map(({ ratio }) => ratio.toFixed(2).padStart(6));
    console.log(`${name.padEnd(36)}${(plain.heap / 2 ** 20).toFixed(0).padStart(5)} MB  plain${columns[0]}  gzip${columns[1]}  zstd${columns[2]}`);
  }
}
