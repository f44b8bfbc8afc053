'use strict';

const { captures } = require('./capture-counts');
const { translated } = require('./errors');

/**
 * Has a suspicion looked into: whenever the native half wants a look at the heap, one is taken, if it may be, and held against
 * those before. What is wanted, how often and what it proves is decided there.
 */
class Suspicion {
  #native;
  #evidence;
  #onError;
  #looking = false;

  /** `onError(error)` is told of a look that failed. */
  constructor(native, evidence, onError) {
    this.#native = native;
    this.#evidence = evidence;
    this.#onError = onError;
  }

  /** To be called after each sample: takes a look where one is wanted. One at a time. */
  poll() {
    if (this.#looking || !this.#evidence.isWanted) return;
    const number = this.#native.lookWanted();
    if (number === 0 || this.#evidence.isBusy) return;
    if (this.#evidence.refusal('suspect')) {
      captures.refused();
      this.#native.lookRefused(number);
      return;
    }
    this.#looking = true;
    this.#native.lookBegins(number);
    this.#look(number).catch((error) => {
      this.#native.lookRefused(number);
      this.#onError(error);
    }).finally(() => { this.#looking = false; });
  }

  async #look(number) {
    const taken = await this.#evidence.look();
    if (taken) translated(() => this.#native.confirm(number, taken));
    else this.#native.lookRefused(number);
  }
}

module.exports = { Suspicion };
