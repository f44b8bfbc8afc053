'use strict';

// Leaks that are made on purpose, a little at each request, so that a soak can be seen to fail.

const fs = require('node:fs');

const kept = [];

const leaks = {
  heap: () => { kept.push(Array.from({ length: 500 }, (_, at) => ({ at }))); },
  buffers: () => { kept.push(Buffer.alloc(8192, 1)); },
  fds: () => { if (kept.length < 500) kept.push(fs.openSync(__filename)); },
  timers: () => { kept.push(setTimeout(() => {}, 2 ** 30)); },
};

module.exports = { leaks };
