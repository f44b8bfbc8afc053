'use strict';

// The newest glibc that an addon asks for, read from its table of version needs, against the oldest that is promised.
//
//   node scripts/glibc.js FILE...

const { OLDEST_GLIBC, isNewer, newestGlibc } = require('../lib/glibc');
const { say } = require('./steps');

if (require.main === module) {
  for (const file of process.argv.slice(2)) {
    const newest = newestGlibc(file);
    const isFine = newest !== undefined && !isNewer(newest, OLDEST_GLIBC);
    say(`${file}: glibc ${newest}${isFine ? '' : `, where ${OLDEST_GLIBC} is promised`}`);
    if (!isFine) process.exitCode = 1;
  }
}
