'use strict';

const { default: Sequencer } = require('@jest/test-sequencer');

/** What a file leaves of memory is told by the next: for that, one has to follow. */
module.exports = class extends Sequencer {
  sort(tests) {
    return [...tests].sort((a, b) => (a.path < b.path ? -1 : 1));
  }
};
