'use strict';

const { EventEmitter } = require('node:events');

/** Prices that change; whoever watches them has to stop some time. */
class Prices extends EventEmitter {
  constructor() {
    super();
    this.setMaxListeners(0);
  }

  /** Calls `onPrice` until `stop()` is called, which this gives. */
  watch(symbol, onPrice) {
    const listener = (price) => onPrice(symbol, price);
    this.on('price', listener);
    return () => this.off('price', listener);
  }
}

module.exports = { Prices };
