'use strict';

// Who may ask. See docs/security.md.

const { createHash, timingSafeEqual } = require('node:crypto');
const { Buckets } = require('./limits');

/** Refusals an address may have at once, and how many it gets back each second; past that it is told to wait. */
const REFUSALS = 100;
const REFUSALS_PER_SECOND = 1;

const digest = (text) => createHash('sha256').update(text).digest();

/** Lets in whoever has the token and whom the guard lets in, as far as there are such. */
class Gate {
  #expected;
  #guard;
  #refusals = new Buckets(REFUSALS, REFUSALS_PER_SECOND);

  constructor({ token, guard }) {
    // The token itself is not kept: it would be in every snapshot.
    this.#expected = token === undefined ? undefined : digest(token);
    this.#guard = guard;
  }

  /**
   * Gives `{ status: 0 }` for a request that may pass; else 401, or 429 with `retryAfter` to an address that was refused too often. The
   * right token is let in however many wrong ones came from its address.
   */
  async check(request) {
    const bucket = this.#refusals.of(request.socket?.remoteAddress ?? '');
    if (!this.#hasToken(request)) return refused(bucket);
    if (this.#guard === undefined) return { status: 0 };
    // A guard is the application's, and may be dear.
    const wait = bucket.waitSeconds();
    if (wait > 0) return { status: 429, retryAfter: wait };
    return (await this.#lets(request)) ? { status: 0 } : refused(bucket);
  }

  /** Takes the same time whatever the header says and however much of it is right: two digests of one length are compared. */
  #hasToken(request) {
    if (this.#expected === undefined) return true;
    const header = request.headers.authorization;
    const given = /^Bearer +([^ ]+) *$/i.exec(typeof header === 'string' ? header : '')?.[1] ?? '';
    return timingSafeEqual(digest(given), this.#expected);
  }

  /** Only `true` lets in: not an object that was forgotten to be looked into, nor a guard that failed. */
  async #lets(request) {
    try {
      return (await this.#guard(request)) === true;
    } catch {
      return false;
    }
  }
}

function refused(bucket) {
  const retryAfter = bucket.take();
  return retryAfter > 0 ? { status: 429, retryAfter } : { status: 401 };
}

module.exports = { Gate, REFUSALS };
