'use strict';

// What a process keeps of the memory that an analysis took: node bench/kept.js [--objects 900000]
//
// Writes a snapshot of so many objects, and has a process that does nothing else summarise it and compare it with itself.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const MB = 2 ** 20;
const { values, positionals: [file] } = parseArgs({ allowPositionals: true, options: { objects: { type: 'string', default: '900000' } } });

async function analyse() {
  const { diffSnapshots, summarizeSnapshot } = require('..');
  const before = process.memoryUsage.rss();
  await summarizeSnapshot(file);
  await diffSnapshots([file, file]);
  const told = { before, peak: process.resourceUsage().maxRSS * 1024, after: process.memoryUsage.rss() };
  for (const [name, bytes] of Object.entries(told)) console.log(`${name.padEnd(6)} ${(bytes / MB).toFixed(0)} MB resident`);
}

async function main() {
  if (file) return analyse();
  const { writeSnapshot } = require('..');
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-kept-'));
  const snapshot = path.join(directory, 'kept.heapsnapshot');
  try {
    const kept = new Map();
    for (let i = 0; i < Number(values.objects); i++) kept.set(i, { id: `x${i}`, inner: { at: i, list: [i] } });
    await writeSnapshot({ path: snapshot });
    console.log(`a snapshot of ${(fs.statSync(snapshot).size / MB).toFixed(0)} MB, ${kept.size} objects`);
    process.exitCode = spawnSync(process.execPath, [__filename, snapshot], { stdio: 'inherit' }).status ?? 1;
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
