'use strict';

// Which files in evidence folders are what: reports, recordings, recorded series, snapshots.

const fs = require('node:fs');
const path = require('node:path');
const { isFolder } = require('../folder');

const REPORT = /^heapwarden-leak-.+\.json$/;
const RECORDING = /^heapwarden-flight-.+\.hwr$/;
const SERIES = /\.jsonl(\.gz|\.zst)?$/;
const SNAPSHOT = /\.heapsnapshot(\.gz|\.zst)?$/;

/** A folder of evidence has one for each pod, maybe below one for each service. */
const MOST_DEPTH = 3;
const MOST_NAMES = 100_000;

/** What a name that somebody gave says of the file; of one that says nothing it is a report. */
function kindOf(name) {
  if (name.endsWith('.hwr')) return 'recordings';
  if (SERIES.test(name)) return 'series';
  return SNAPSHOT.test(name) ? 'snapshots' : 'reports';
}

/** What a file in a folder is, of which others make use, too; nothing where it is no evidence. */
function kindInFolder(name) {
  if (REPORT.test(name)) return 'reports';
  if (RECORDING.test(name)) return 'recordings';
  if (SERIES.test(name)) return 'series';
  return SNAPSHOT.test(name) ? 'snapshots' : undefined;
}

/**
 * `{ reports, recordings, series, snapshots, named }`: the evidence in `places`, files and folders, the newest first, as their names begin with
 * the time; `named` has the files that were named themselves, in that order. Folders are read three levels deep.
 */
async function evidenceIn(places, signal) {
  const found = { reports: new Set(), recordings: new Set(), series: new Set(), snapshots: new Set() };
  const named = [];
  let names = 0;
  const walk = async (directory, depth) => {
    for await (const entry of await fs.promises.opendir(directory)) {
      signal?.throwIfAborted();
      names += 1;
      if (names > MOST_NAMES) return;
      const file = path.join(directory, entry.name);
      if (entry.isDirectory() && depth < MOST_DEPTH) await walk(file, depth + 1);
      else if (entry.isFile()) found[kindInFolder(entry.name)]?.add(file);
    }
  };
  for (const place of places.map((given) => path.resolve(given))) {
    if (isFolder(place)) await walk(place, 1);
    else {
      found[kindOf(place)].add(place);
      named.push(place);
    }
  }
  const newestFirst = (files) => [...files].sort((a, b) => order(path.basename(b), path.basename(a)) || order(a, b));
  return { ...Object.fromEntries(Object.entries(found).map(([kind, files]) => [kind, newestFirst(files)])), named };
}

const order = (a, b) => (a < b ? -1 : a > b ? 1 : 0);

module.exports = { evidenceIn, order };
