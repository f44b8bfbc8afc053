'use strict';

// Where alerts go beside the events: each channel by itself, so that one that fails or hangs is no matter of another or of the host.

const { warn } = require('../logger');
const { alertOf } = require('./alert');
const { EventChannel, LogChannel, WarningChannel } = require('./local');
const { FileChannel } = require('./file');

const MAKE = {
  event: (options, emit) => new EventChannel(emit),
  log: (options) => new LogChannel(options),
  warning: () => new WarningChannel(),
  file: (options) => new FileChannel(options),
  // Loaded where they are wanted: Node's HTTPS comes with them.
  webhook: (options) => require('./webhook').webhook(options),
  otlp: (options) => require('./otlp').otlpLogs(options),
};

/** Fingerprints that are remembered, at most; the oldest makes way. */
const MOST_REMEMBERED = 256;
/** How often it is said that a channel fails. */
const COMPLAINT_MS = 600_000;

/** One channel: what it is told of, and what was told of already. */
class Gate {
  #channel;
  #options;
  /** By fingerprint: when it was sent. */
  #sent = new Map();
  /** The events that were sent and are not over. */
  #open = new Set();
  #counts = { sent: 0, failed: 0, dropped: 0, retried: 0, suppressed: 0 };
  #complainedAt = -Infinity;

  constructor(options, emit, onChange) {
    this.#options = options;
    this.name = options.name;
    this.#channel = MAKE[options.type](options, emit);
    this.#channel.onOutcome = (outcome, why) => {
      this.#counts[outcome] += 1;
      onChange();
      if (outcome === 'failed') this.#complain(why);
    };
  }

  get counts() {
    return { channel: this.name, ...this.#counts, waiting: this.#channel.waiting ?? 0 };
  }

  /** At which level it is told. */
  get level() {
    return this.#options.redact;
  }

  /** Whether it is told of such events. */
  wants(event) {
    return this.#options.events.includes(event);
  }

  /** Sends the alert, unless it was sent a short while ago. */
  take(alert, now) {
    if (!this.#isNews(alert, now)) {
      this.#counts.suppressed += 1;
      return;
    }
    try {
      this.#channel.send(alert);
    } catch (error) {
      this.#counts.failed += 1;
      this.#complain(error?.code ?? error?.name ?? 'an error');
    }
  }

  /** A recovery is news where what it ends was sent; anything else where its like was not, for as long as the cooldown lasts. */
  #isNews({ event, from, fingerprint }, now) {
    if (event === 'recovered') return this.#open.delete(from);
    const at = this.#sent.get(fingerprint);
    if (at !== undefined && now - at < this.#options.cooldownMs) return false;
    this.#open.add(event);
    this.#sent.delete(fingerprint);
    this.#sent.set(fingerprint, now);
    if (this.#sent.size > MOST_REMEMBERED) this.#sent.delete(this.#sent.keys().next().value);
    return true;
  }

  /** Never with an address: it may be a secret. */
  #complain(why) {
    const now = Date.now();
    if (now - this.#complainedAt < COMPLAINT_MS) return;
    this.#complainedAt = now;
    warn(`the alert channel ${this.name} failed: ${why}`, 'HEAPWARDEN_CHANNEL');
  }

  /** Whether something waits to be sent. */
  get isBusy() {
    return (this.#channel.waiting ?? 0) > 0;
  }

  /** Has what waits sent with the process kept alive for it; a promise that never rejects. */
  drain(timeoutMs) {
    return this.#channel.drain?.(timeoutMs);
  }
}

/** The channels of a monitor. */
class Channels {
  #gates;
  #flushMs;
  #context;

  /** `emit(alert)` is what the channel `event` does. */
  constructor({ channels = [], flushMs, service }, emit) {
    // What a channel has done shows in the turn after.
    this.#gates = channels.map((options) => new Gate(options, emit, () => queueMicrotask(() => this.#settle())));
    this.#flushMs = flushMs;
    this.#context = { service };
  }

  /** Tells all channels that are told of such events; says whether there are any. */
  tell(event, payload) {
    const gates = this.#gates.filter((gate) => gate.wants(event));
    if (gates.length === 0) return false;
    const now = Date.now();
    const alerts = new Map();
    try {
      for (const { level } of gates) {
        if (!alerts.has(level)) alerts.set(level, alertOf(event, payload, { ...this.#context, now, level }));
      }
    } catch (error) {
      // What is said of it is not to quote what may not be told.
      warn(`an alert could not be told: ${error?.code ?? error?.name}`, 'HEAPWARDEN_CHANNEL');
      return false;
    }
    for (const gate of gates) gate.take(alerts.get(gate.level), now);
    this.#settle();
    return true;
  }

  /** Figures of each channel. */
  counts() {
    return this.#gates.map((gate) => gate.counts);
  }

  /** Waits until nothing waits to be sent, for `timeoutMs` at most; says whether that is so. */
  async flush(timeoutMs = this.#flushMs) {
    await Promise.all(this.#gates.map((gate) => gate.drain(timeoutMs)));
    return !this.isBusy;
  }

  /** Whether something waits to be sent. */
  get isBusy() {
    return this.#gates.some((gate) => gate.isBusy);
  }

  /** Gives up what waits. */
  giveUp() {
    for (const gate of this.#gates) gate.drain(0);
  }

  /** To be called when something was sent, or begins to wait. */
  #settle() {
    if (this.isBusy) leaving.add(this);
    else leaving.delete(this);
  }
}

/**
 * Those that have something to send when the process ends by itself, which then gets a moment for it. There is a listener for all of them,
 * and only while there are any.
 */
const leaving = {
  busy: new Set(),
  onExit: () => leaving.end(),

  add(channels) {
    if (this.busy.size === 0) process.on('beforeExit', this.onExit);
    this.busy.add(channels);
  },

  delete(channels) {
    if (this.busy.delete(channels) && this.busy.size === 0) process.removeListener('beforeExit', this.onExit);
  },

  /** Once: what could not be sent in this time is lost, and the process ends. */
  end() {
    for (const channels of [...this.busy]) {
      channels.flush().then(() => {
        channels.giveUp();
        this.delete(channels);
      });
    }
  },
};

module.exports = { Channels };
