'use strict';

const native = require('./load');
const { translated } = require('./errors');
const { filePath } = require('./options');
const { assertReadable } = require('./permissions');

/** What a recording of a process's life tells, as far as it is whole. Throws `HEAPWARDEN_ERR_RECORDING` for what is none. */
function readRecording(path) {
  const file = filePath('path', path);
  assertReadable(file);
  return JSON.parse(translated(() => native.readRecording(file)));
}

module.exports = { readRecording };
