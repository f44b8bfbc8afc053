'use strict';

// The newest glibc that an addon asks for, read from its table of version needs, against the oldest that is promised.
//
//   node scripts/glibc.js FILE...

const fs = require('node:fs');
const { OLDEST_GLIBC } = require('../lib/load-failure');
const { say } = require('./steps');

const parts = (version) => version.split('.').map(Number);

/** Whether `a` is newer than `b`, part by part. */
function isNewer(a, b) {
  const [left, right] = [parts(a), parts(b)];
  const at = left.findIndex((part, i) => part !== (right[i] ?? 0));
  return at !== -1 && left[at] > (right[at] ?? 0);
}

/** The newest version of glibc that a library names: as `GLIBC_2.28` in its table of strings. */
function newestGlibc(file) {
  const names = fs.readFileSync(file).toString('latin1').match(/(?<=\0GLIBC_)\d+(\.\d+)+(?=\0)/g) ?? [];
  return names.reduce((newest, version) => (newest === undefined || isNewer(version, newest) ? version : newest), undefined);
}

module.exports = { isNewer, newestGlibc };

if (require.main === module) {
  for (const file of process.argv.slice(2)) {
    const newest = newestGlibc(file);
    const isFine = newest !== undefined && !isNewer(newest, OLDEST_GLIBC);
    say(`${file}: glibc ${newest}${isFine ? '' : `, where ${OLDEST_GLIBC} is promised`}`);
    if (!isFine) process.exitCode = 1;
  }
}
