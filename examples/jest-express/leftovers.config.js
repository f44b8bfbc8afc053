'use strict';

// Files that leave something behind on purpose: `npm run leftovers` fails and names all but tidy.test.js.

module.exports = {
  ...require('./jest.config'),
  testMatch: ['**/leftovers/*.test.js'],
  testPathIgnorePatterns: [],
  testSequencer: './alphabetical.js',
};
