'use strict';

test('puts 80 MB where the next file finds them', () => {
  // An object of Node's own is the same for all files of a process.
  require('node:events').EventEmitter.leftover = Array.from({ length: 2_500_000 }, (_, i) => ({ i }));
});
