'use strict';

// What a finding is told with: positions, declarations, known leaks, when it was first seen. These read source maps, tokens and ranges of
// versions, for which 200 KB of JavaScript are loaded; by the first report that needs them, and not by each program that starts.

const lazily = (load, name) => (...args) => load()[name](...args);

module.exports = {
  withPositions: lazily(() => require('./positions'), 'withPositions'),
  withDeclarations: lazily(() => require('./declarations'), 'withDeclarations'),
  withKnownLeaks: lazily(() => require('./known-leaks'), 'withKnownLeaks'),
  withFirstSeen: lazily(() => require('./first-seen'), 'withFirstSeen'),
};
