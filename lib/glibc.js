'use strict';

// Which glibc an addon asks for.

const fs = require('node:fs');

/** The oldest that the published binaries run with; Node's own ask for it, too. */
const OLDEST_GLIBC = '2.28';

const parts = (version) => version.split('.').map(Number);

/** Whether one version is newer than another, part by part. */
function isNewer(a, b) {
  const [left, right] = [parts(a), parts(b)];
  const at = left.findIndex((part, i) => part !== (right[i] ?? 0));
  return at !== -1 && left[at] > (right[at] ?? 0);
}

/** The newest version that a library names, as `GLIBC_2.28` among its strings; undefined where it names none. */
function newestGlibc(file) {
  const names = fs.readFileSync(file).toString('latin1').match(/(?<=\0GLIBC_)\d+(\.\d+)+(?=\0)/g) ?? [];
  return names.reduce((newest, version) => (newest === undefined || isNewer(version, newest) ? version : newest), undefined);
}

module.exports = { OLDEST_GLIBC, isNewer, newestGlibc };
