'use strict';

module.exports = {
  testEnvironment: 'node',
  testMatch: ['**/*.test.?(m)[jt]s'],
  testPathIgnorePatterns: ['/node_modules/', '/leftovers/'],
  moduleFileExtensions: ['js', 'mjs', 'ts', 'json', 'node'],
  // Adds `toLeak` and `toLeakLessThan` to `expect`.
  setupFilesAfterEnv: ['heapwarden/jest'],
  // A test file that leaves timers, sockets, listeners of the process or memory behind fails.
  globals: { heapwarden: { perFile: true } },
};
