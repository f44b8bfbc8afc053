'use strict';

// When a leak was told of first: from the reports that lie in the evidence directory.

const fs = require('node:fs');
const path = require('node:path');
const { readOwn } = require('./own-files');

/** Reports that are read, the newest ones. Each says when its leaks were seen first, so that older ones need not be there. */
const MOST_REPORTS = 50;
const MOST_REPORT_BYTES = 4 * 2 ** 20;
const MOST_BYTES = 32 * 2 ** 20;
/** Names that are looked at in a directory of which others make use, too. */
const MOST_NAMES = 20_000;
const REPORT = /^heapwarden-leak-\d{8}T\d{6}-\d{3}Z-\d+-\d+\.json$/;

/**
 * Says of each culprit when it was seen first: `firstSeen`, the earliest time at which a report in `directory` has its fingerprint, or
 * `now`. What cannot be read is passed over.
 */
async function withFirstSeen(culprits, directory, now) {
  const seen = new Map(culprits.filter(({ fingerprint }) => fingerprint).map(({ fingerprint }) => [fingerprint, now]));
  let bytes = MOST_BYTES;
  for (const name of seen.size > 0 ? await newest(directory) : []) {
    const report = await read(path.join(directory, name), bytes);
    if (!report) continue;
    bytes -= report.bytes;
    for (const { fingerprint, at } of report.found) {
      if (seen.has(fingerprint) && at < seen.get(fingerprint)) seen.set(fingerprint, at);
    }
  }
  for (const culprit of culprits) culprit.firstSeen = seen.get(culprit.fingerprint) ?? now;
  return culprits;
}

/** The names of the newest reports. They start with the time, so that they sort by it. */
async function newest(directory) {
  const names = [];
  try {
    const entries = await fs.promises.opendir(directory);
    let count = 0;
    for await (const { name } of entries) {
      if (REPORT.test(name)) names.push(name);
      if (++count === MOST_NAMES) break;
    }
  } catch {
    // It is made when the first report is written.
  }
  return names.sort().reverse().slice(0, MOST_REPORTS);
}

/** The fingerprints in a report, each with the time since when it is known. */
async function read(file, bytes) {
  try {
    const text = await readOwn(file, Math.min(bytes, MOST_REPORT_BYTES));
    if (text === undefined) return undefined;
    const { reportedAt, culprits } = JSON.parse(text);
    const found = culprits.map(({ fingerprint, firstSeen }) => ({ fingerprint, at: earliest(firstSeen, reportedAt) }));
    return { bytes: Buffer.byteLength(text), found: found.filter(({ at }) => at !== undefined) };
  } catch {
    // Not one of ours, or cut short by somebody else.
    return undefined;
  }
}

/** The earlier of two times as `toISOString` writes them, which sort as text; others do not count. */
function earliest(...times) {
  return times.filter((time) => typeof time === 'string' && /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(time)).sort()[0];
}

module.exports = { withFirstSeen };
