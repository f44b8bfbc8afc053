'use strict';

/** A process warning. One that cannot be given, because the host replaced `emitWarning`, is dropped: it must not throw. */
function warn(message, code) {
  try {
    process.emitWarning(message, { type: 'HeapwardenWarning', code });
  } catch {
    // Nobody is left to be told.
  }
}

/**
 * Where events go that nobody listens to: a process warning with a code. Replaced by the option `logger`, an object with
 * `warn(details, message)` as pino has it.
 */
const processWarnings = {
  warn(details, message) {
    warn(message, details.code);
  },
};

module.exports = { processWarnings, warn };
