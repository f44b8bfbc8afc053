'use strict';

/**
 * Where events go that nobody listens to: a process warning with a code. Replaced by the option `logger`, an object with
 * `warn(details, message)` as pino has it.
 */
const processWarnings = {
  warn(details, message) {
    process.emitWarning(message, { type: 'HeapwardenWarning', code: details.code });
  },
};

module.exports = { processWarnings };
