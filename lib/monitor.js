'use strict';

const { EventEmitter } = require('node:events');
const v8 = require('node:v8');
const { NativeMonitor } = require('./load');
const { bridge } = require('./bridge');
const { Evidence } = require('./evidence');
const { translated } = require('./errors');
const { observeGc } = require('./gc-observer');
const { alertDetails, alertMessage } = require('./messages');
const { monitorOptions } = require('./options');

const dispose = Symbol.dispose ?? Symbol.for('nodejs.dispose');

/**
 * Watches the memory of this thread's heap and of the process, and says when it leaks.
 *
 * A native thread keeps the clock; the garbage collector's hooks give the exact heap after each collection. JavaScript runs
 * once a sample, for some microseconds, to publish figures and deliver events. Never keeps the process alive.
 */
class MemoryMonitor extends EventEmitter {
  #native;
  #options;
  #evidence;
  #running = false;
  #gcObserver;

  constructor(options) {
    super();
    this.#options = monitorOptions(options);
    const { intervalMs, alertThresholdMB, maxSamples } = this.#options;
    this.#native = translated(() => new NativeMonitor(bridge.available, intervalMs, alertThresholdMB, maxSamples));
    this.#evidence = new Evidence(this.#options);
  }

  /** Starts sampling. Does nothing where it runs already. */
  start() {
    if (this.#running) return this;
    const native = this.#native;
    this.#refresh();
    translated(() => native.start(() => this.#onWake()));
    if (!bridge.available) this.#gcObserver = observeGc((...gc) => native.recordGc(...gc));
    this.#running = true;
    return this;
  }

  /** Stops sampling and takes every hook, thread and handle back. The record stays. */
  stop() {
    if (!this.#running) return this;
    this.#running = false;
    this.#native.stop();
    this.#gcObserver?.stop();
    this.#gcObserver = undefined;
    this.#evidence.release();
    return this;
  }

  /** Takes a sample now, between the clock's ticks, and gives it. */
  sample() {
    this.#refresh();
    this.#native.observe();
    return this.#deliver();
  }

  /** The last `maxSamples` samples, oldest first. */
  report() {
    return JSON.parse(this.#native.report());
  }

  /** What the counters say, as of the last sample. */
  verdict() {
    return JSON.parse(this.#native.verdict());
  }

  [dispose]() {
    this.stop();
  }

  #onWake() {
    if (!this.#running) return;
    this.#refresh();
    this.#deliver();
  }

  /** Publishes the figures that only JavaScript can read: with the bridge these are the array buffers alone. */
  #refresh() {
    const { arrayBuffers, rss } = process.memoryUsage();
    if (bridge.available) return this.#native.refresh(arrayBuffers, rss, 0, 0, 0, 0);
    this.#gcObserver?.flush();
    const heap = v8.getHeapStatistics();
    return this.#native.refresh(
      arrayBuffers, rss, heap.used_heap_size, heap.total_heap_size, heap.external_memory, heap.heap_size_limit,
    );
  }

  /** Delivers what waits and gives the newest sample. */
  #deliver() {
    let newest;
    for (const event of JSON.parse(this.#native.takeEvents())) {
      if (event.type === 'sample') {
        newest = event.sample;
        this.emit('sample', newest);
      } else {
        this.#alert(event);
      }
    }
    return newest;
  }

  #alert({ type, verdict, ...details }) {
    switch (type) {
      case 'baseline':
        this.#evidence.takeBaseline().catch((error) => this.#tellLater('error', error));
        break;
      case 'leak':
        this.#evidence.report(verdict).then(
          (report) => this.#tellLater('leak', report),
          (error) => this.#tellLater('error', error),
        );
        break;
      default:
        this.#tell(type, details);
    }
  }

  /** From a promise: a listener that throws is then an uncaught exception, as with any emitter, not a rejection. */
  #tellLater(event, payload) {
    process.nextTick(() => this.#tell(event, payload));
  }

  /** Emits the event; where nobody listens, the logger is told instead. */
  #tell(event, payload) {
    if (this.listenerCount(event) > 0) {
      this.emit(event, payload);
      return;
    }
    const { logger } = this.#options;
    try {
      logger.warn(alertDetails(event, payload), alertMessage(event, payload));
    } catch (error) {
      process.emitWarning(`the logger given to MemoryMonitor failed: ${error?.message}`, 'HeapwardenWarning');
    }
  }
}

module.exports = { MemoryMonitor };
