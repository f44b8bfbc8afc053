'use strict';

// Snapshots in the evidence: which are looked at, what each contains, and what grew between two of them.

const fs = require('node:fs');
const path = require('node:path');
const { diffSnapshots, summarizeSnapshot } = require('../snapshot');
const { problem } = require('./collect');
const { order } = require('./files');

const OURS = /^heapwarden-(\d{8}T\d{6}-\d{3}Z-(\d+)-(\d+))-/;
/** Objects that stand for themselves on the map. */
const TERRITORIES = 600;

/** What tells processes apart whose snapshots lie in one folder. */
function processOf(file) {
  const match = OURS.exec(path.basename(file));
  return JSON.stringify([path.dirname(file), match?.[2] ?? null, match?.[3] ?? null]);
}

/**
 * Which of `files`, the newest first, are looked at: all that were named, and of the others the newest and the oldest of its process, and then
 * the newest, up to `most`.
 */
function chosenOf(files, named, most) {
  const wanted = new Set(named.filter((file) => files.includes(file)));
  const others = files.filter((file) => !wanted.has(file));
  if (others.length > 0 && wanted.size < most) {
    const [newest] = others;
    wanted.add(newest);
    const oldest = [...others].reverse().find((file) => processOf(file) === processOf(newest));
    if (wanted.size < most) wanted.add(oldest);
  }
  for (const file of others) {
    if (wanted.size >= most) break;
    wanted.add(file);
  }
  return [...wanted];
}

/** The two that are held against each other, the older first: the first that was named and the last, or the ends of one process. */
function pairOf(chosen, named) {
  const given = named.filter((file) => chosen.includes(file));
  if (given.length >= 2) return [given[0], given.at(-1)];
  const [newest] = chosen;
  const oldestFirst = chosen.filter((file) => processOf(file) === processOf(newest))
    .sort((a, b) => order(path.basename(a), path.basename(b)));
  return oldestFirst.length < 2 ? undefined : [oldestFirst[0], oldestFirst.at(-1)];
}

/**
 * `{ heaps, comparison, unreadable, passedOver }` of the snapshots among `found`: at most `most`, beside those that were named. A heap is
 * `{ file, bytes, summary }`.
 */
async function heapsIn({ snapshots, named }, { most, telling, signal, onProgress }) {
  const chosen = chosenOf(snapshots, named, most);
  const heaps = [];
  const unreadable = [];
  for (const file of chosen) {
    signal?.throwIfAborted();
    try {
      const { size } = await fs.promises.stat(file);
      const summary = await summarizeSnapshot(file, { signal, onProgress, territories: TERRITORIES });
      heaps.push({ file, bytes: size, summary: telling.summary(summary) });
    } catch (error) {
      signal?.throwIfAborted();
      unreadable.push(problem(file, error));
    }
  }
  const pair = pairOf(heaps.map(({ file }) => file), named);
  let comparison = null;
  if (pair) {
    try {
      comparison = { before: pair[0], after: pair[1], diff: telling.diff(await diffSnapshots(pair, { signal, onProgress })) };
    } catch (error) {
      signal?.throwIfAborted();
      unreadable.push(problem(pair[1], error));
    }
  }
  return { heaps, comparison, unreadable, passedOver: snapshots.length - chosen.length };
}

module.exports = { chosenOf, heapsIn, pairOf };
