'use strict';

// Channels that end within this process.

const { warn } = require('../logger');

const LEVEL = { critical: 'error', error: 'error', warning: 'warn', info: 'info' };

/** The event `alert` of the monitor. */
class EventChannel {
  #emit;

  constructor(emit) {
    this.#emit = emit;
  }

  send(alert) {
    // From a turn of its own: what a listener throws is an uncaught exception, as with any emitter, and nothing of ours fails by it.
    process.nextTick(() => {
      this.onOutcome('sent');
      this.#emit(alert);
    });
  }
}

/** A logger that is called as pino is: `logger.error(fields, message)`. */
class LogChannel {
  #logger;

  constructor({ logger }) {
    this.#logger = logger;
  }

  send(alert) {
    const { message, ...heapwarden } = alert;
    const level = LEVEL[alert.severity];
    const log = typeof this.#logger[level] === 'function' ? level : 'warn';
    this.#logger[log]({ code: `HEAPWARDEN_${alert.event.toUpperCase().replaceAll('-', '_')}`, heapwarden }, message);
    this.onOutcome('sent');
  }
}

/** A process warning with a code. */
class WarningChannel {
  send({ event, message }) {
    warn(message, `HEAPWARDEN_${event.toUpperCase().replaceAll('-', '_')}`);
    this.onOutcome('sent');
  }
}

module.exports = { EventChannel, LogChannel, WarningChannel };
