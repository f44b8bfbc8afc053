'use strict';

// How often something may happen.

const { performance } = require('node:perf_hooks');

/** More addresses than that are not told apart: the one that was heard of longest ago is forgotten. */
const MOST_ADDRESSES = 1000;

/** A bucket of tokens that fills at a steady rate. */
class Bucket {
  #tokens;
  #at = performance.now();

  /** Holds `size` tokens, and gets `perSecond` of them back. */
  constructor(size, perSecond) {
    this.size = size;
    this.perSecond = perSecond;
    this.#tokens = size;
  }

  /** Takes a token, and gives 0; or gives in how many seconds there will be one. */
  take() {
    const wait = this.waitSeconds();
    if (wait === 0) this.#tokens -= 1;
    return wait;
  }

  /** In how many whole seconds there will be a token; 0 where there is one. */
  waitSeconds() {
    const now = performance.now();
    this.#tokens = Math.min(this.size, this.#tokens + ((now - this.#at) / 1000) * this.perSecond);
    this.#at = now;
    return this.#tokens >= 1 ? 0 : Math.max(1, Math.ceil((1 - this.#tokens) / this.perSecond));
  }
}

/** A bucket for each address, of a bounded number of them. */
class Buckets {
  #byAddress = new Map();

  constructor(size, perSecond) {
    this.size = size;
    this.perSecond = perSecond;
  }

  /** The bucket of `address`. */
  of(address) {
    let bucket = this.#byAddress.get(address);
    if (bucket) this.#byAddress.delete(address);
    else {
      if (this.#byAddress.size >= MOST_ADDRESSES) this.#byAddress.delete(this.#byAddress.keys().next().value);
      bucket = new Bucket(this.size, this.perSecond);
    }
    this.#byAddress.set(address, bucket);
    return bucket;
  }
}

module.exports = { Bucket, Buckets };
