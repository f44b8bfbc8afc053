'use strict';

// Sends texts to an address over HTTP, one at a time, in the background: nothing of it ever throws, blocks, or keeps the process alive.

const http = require('node:http');
const https = require('node:https');
const { setTimeout, clearTimeout } = require('node:timers');

/** The wait before the second attempt; each further one waits twice as long, up to the most. */
const FIRST_WAIT_MS = 1000;
const MOST_WAIT_MS = 60_000;
/** What a server may ask us to wait by Retry-After. */
const MOST_ASKED_MS = 600_000;

/** Worth another attempt: the server is busy or broken, not the text. */
const isPassing = (status) => status === 408 || status === 425 || status === 429 || status >= 500;

/** Of `Retry-After`, in milliseconds: seconds, or a date; nothing where it says neither. */
function askedMs(value, now = Date.now()) {
  if (typeof value !== 'string') return undefined;
  const ms = /^\d+$/.test(value.trim()) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(ms) ? Math.min(Math.max(ms, 0), MOST_ASKED_MS) : undefined;
}

/** A random part of a wait that doubles: many processes that fail together do not come back together. */
function backoffMs(attempt, firstMs, random = Math.random) {
  return random() * Math.min(firstMs * 2 ** (attempt - 1), MOST_WAIT_MS);
}

class Sender {
  #url;
  #headers;
  #encode;
  #timeoutMs;
  #maxAttempts;
  #maxWaiting;
  #firstWaitMs;
  /** Alerts that wait, oldest first; and the one that is being sent. */
  #queue = [];
  #current;
  #request;
  #timer;
  /** Set while somebody waits for the end: then what is done keeps the process alive. */
  #draining = false;
  #idle = [];

  /** `encode(alert)` gives the text. */
  constructor({ url, headers, timeoutMs, maxAttempts, maxWaiting, retryMs = FIRST_WAIT_MS }, encode) {
    this.#url = url;
    this.#headers = headers;
    this.#encode = encode;
    this.#timeoutMs = timeoutMs;
    this.#maxAttempts = maxAttempts;
    this.#maxWaiting = maxWaiting;
    this.#firstWaitMs = retryMs;
  }

  get waiting() {
    return this.#queue.length + (this.#current ? 1 : 0);
  }

  send(alert) {
    if (this.#queue.length >= this.#maxWaiting) {
      this.#queue.shift();
      this.onOutcome('dropped');
    }
    this.#queue.push({ body: this.#encode(alert), attempt: 0 });
    if (!this.#current) this.#next();
  }

  #next() {
    this.#current = this.#queue.shift();
    if (this.#current) this.#attempt();
    else this.#idle.splice(0).forEach((resolve) => resolve());
  }

  #attempt() {
    const message = this.#current;
    message.attempt += 1;
    let settled = false;
    const done = (problem, mayRetry, waitMs) => {
      if (settled) return;
      settled = true;
      clearTimeout(this.#timer);
      this.#request = undefined;
      if (message !== this.#current) return;
      if (problem === undefined) {
        this.onOutcome('sent');
      } else if (mayRetry && message.attempt < this.#maxAttempts) {
        this.onOutcome('retried');
        this.#wait(waitMs ?? backoffMs(message.attempt, this.#firstWaitMs), () => this.#attempt());
        return;
      } else {
        this.onOutcome('failed', problem);
      }
      this.#next();
    };
    try {
      const request = (this.#url.protocol === 'https:' ? https : http).request(this.#url, {
        method: 'POST',
        // A connection of its own, closed after it: one that stays open is a handle, and a server that is restarted would break it.
        agent: false,
        headers: { 'content-type': 'application/json', 'user-agent': 'heapwarden', ...this.#headers, 'content-length': Buffer.byteLength(message.body) },
      });
      this.#request = request;
      request.on('socket', (socket) => {
        if (!this.#draining) socket.unref();
      });
      request.on('error', (error) => done(error?.code ?? 'the connection failed', true));
      request.on('response', (response) => {
        const { statusCode, headers } = response;
        // Nothing that it says is read: the connection is closed instead.
        response.on('error', () => {});
        response.destroy();
        if (statusCode >= 200 && statusCode < 300) done();
        else done(`it answered ${statusCode}`, isPassing(statusCode), askedMs(headers['retry-after']));
      });
      this.#wait(this.#timeoutMs, () => {
        done(`no answer within ${this.#timeoutMs} ms`, true);
        request.destroy();
      });
      request.end(message.body);
    } catch (error) {
      done(error?.code ?? 'the request could not be made', false);
    }
  }

  #wait(ms, then) {
    this.#timer = setTimeout(then, ms);
    if (!this.#draining) this.#timer.unref();
  }

  /** Waits until all is sent or given up, for `timeoutMs` at most; with 0 it is given up now. Never rejects. */
  async drain(timeoutMs) {
    if (timeoutMs === 0) {
      this.#giveUp();
      return;
    }
    if (this.waiting === 0) return;
    this.#draining = true;
    this.#timer?.ref();
    this.#request?.socket?.ref();
    let end;
    await Promise.race([
      new Promise((resolve) => { this.#idle.push(resolve); }),
      new Promise((resolve) => { end = setTimeout(resolve, timeoutMs); }),
    ]);
    clearTimeout(end);
    this.#draining = false;
    this.#timer?.unref();
    this.#request?.socket?.unref();
  }

  #giveUp() {
    const lost = this.waiting;
    this.#queue.length = 0;
    this.#current = undefined;
    clearTimeout(this.#timer);
    this.#request?.destroy();
    for (let i = 0; i < lost; i++) this.onOutcome('dropped');
    this.#idle.splice(0).forEach((resolve) => resolve());
  }
}

module.exports = { Sender, askedMs, backoffMs };
