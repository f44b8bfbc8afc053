'use strict';

const { EventEmitter } = require('node:events');
const { performance } = require('node:perf_hooks');
const { threadId } = require('node:worker_threads');
const v8 = require('node:v8');
const native = require('./load');
const { tellDeaths } = require('./deaths');
const { CountRecord, place, recordLook, recordReport, unwatch, watch } = require('./black-box');
const { bridge } = require('./bridge');
const { captures } = require('./capture-counts');
const { Channels } = require('./channels');
const { Evidence } = require('./evidence');
const { fromJson, translated, translatedAsync } = require('./errors');
const { observeGc } = require('./gc-observer');
const { AtLimit } = require('./heap-limit');
const { resourceCounts } = require('./listener-counts');
const { ListenerAuditor } = require('./listeners');
const { warn } = require('./logger');
const { alertDetails, alertMessage } = require('./messages');
const { exportOptions, monitorOptions } = require('./options');
const { assertWritable, withinPermissions } = require('./permissions');
const { requests } = require('./requests');
const { routeNote, routes } = require('./routes');
const { started, stopped } = require('./running');
const { SuspectSites } = require('./suspect-sites');
const { Suspicion } = require('./suspicion');

// Taken once: what a program puts in their place later (spies, fake timers) is not for the monitor.
const { cpuUsage, memoryUsage, nextTick } = process;
const now = performance.now.bind(performance);
const later = setTimeout;

/** The native half's. */
const DEFAULT_INTERVAL_MS = 30_000;
/** How long after its start a monitor looks for those who died before. */
const LOOK_BACK_MS = 200;

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
  /** Why nothing is written, as an error, until that was told. */
  #refused;
  #evidence;
  #atLimit;
  #suspicion;
  #sites;
  #auditor;
  #running = false;
  #gcObserver;
  #arrayBuffers = 0;
  #rss = 0;
  #cpuMs = 0;
  #wantsCpu;
  #undelivered = [];
  /** Whether those who died before were asked for. */
  #hasLookedBack = false;
  #lastReport = null;
  /** When the first sample was taken, and for how long it has held this thread up. */
  #startedAt;
  #spentMs = 0;
  /** What was told since the monitor was made, by event. */
  #told = {
    sample: 0, suspect: 0, leak: 0, threshold: 0, recovered: 0, 'oom-risk': 0, 'heap-limit': 0, 'container-limit': 0, postmortem: 0, listeners: 0, error: 0,
  };
  #newest;
  #channels;

  constructor(options) {
    super();
    const { options: allowed, problem } = withinPermissions(monitorOptions(options));
    this.#options = allowed;
    this.#refused = problem;
    const { intervalMs, alertThresholdMB, maxSamples, historyBytes } = this.#options;
    this.#native = translated(
      () => new native.NativeMonitor(bridge.available, intervalMs, alertThresholdMB, maxSamples, historyBytes));
    this.#wantsCpu = this.#native.wantsCpu;
    const onLook = this.#options.blackBox && ((when, looked) => recordLook(this.#native, when, looked));
    this.#evidence = new Evidence(this.#options, undefined, onLook);
    this.#evidence.onBaseline = (capture, rung) => this.#native.keepBaseline(capture, rung && JSON.stringify(rung));
    this.#atLimit = new AtLimit(this.#options, (...told) => this.#tellLater(...told), async (report, spelled) => {
      await this.#evidence.describe(report, spelled);
      this.#complete(report);
      recordReport(this.#native, report);
    });
    this.#sites = new SuspectSites(this.#options);
    this.#suspicion = new Suspicion(this.#native, this.#evidence, (error) => this.#tellLater('error', error));
    const locate = this.#options.evidence === 'none' ? 'none' : 'auto';
    // Looks at the heap wait for each other in a short queue, in which the evidence of a leak comes first.
    const counts = this.#options.blackBox && new CountRecord(this.#native);
    this.#auditor = new ListenerAuditor({ intervalMs, locate }, () => !this.#evidence.isBusy, counts && ((now) => counts.take(now)));
    this.#auditor.on('growth', (growth) => this.#tell('listeners', growth));
    if (this.#options.containerWatch) this.#native.watchContainer();
    this.#channels = new Channels(this.#options, (message) => this.emit('alert', message));
  }

  /** Starts sampling. Does nothing where it runs already. */
  start() {
    if (this.#running) return this;
    const native = this.#native;
    this.#refresh();
    const problem = translated(() => native.start(() => this.#onWake(), threadId, place(this.#options), this.#atLimit.begin()));
    this.#running = true;
    if (this.#refused) this.#tellLater('error', this.#refused);
    this.#refused = undefined;
    if (problem) this.#tellLater('error', withoutRecord(fromJson(JSON.parse(problem))));
    else if (this.#options.blackBox) watch(native);
    started(this);
    requests.start(this.#options.intervalMs ?? DEFAULT_INTERVAL_MS);
    if (this.#options.routes) routes.start();
    try {
      if (this.#options.listeners) this.#auditor.start();
      if (!bridge.available) this.#gcObserver = observeGc((...gc) => native.recordGc(...gc));
    } catch (error) {
      this.stop();
      throw error;
    }
    if (this.#options.postmortem) this.#lookBack();
    return this;
  }

  /** Tells, later, of lives recorded in the directory that ended badly. Once, and of each once, whoever else looks. */
  #lookBack() {
    if (this.#hasLookedBack) return;
    this.#hasLookedBack = true;
    // When the program has started: it goes first.
    later(() => {
      if (!this.#running) return;
      const told = tellDeaths(this.#options.directory, (finding) => this.#tellLater('postmortem', finding));
      told.catch((error) => this.#tellLater('error', error));
    }, LOOK_BACK_MS).unref();
  }

  /** Stops sampling and takes every hook, thread and handle back. The record stays. */
  stop() {
    if (!this.#running) return this;
    this.#running = false;
    stopped(this);
    requests.stop(this.#options.intervalMs ?? DEFAULT_INTERVAL_MS);
    if (this.#options.routes) routes.stop();
    unwatch(this.#native);
    this.#native.stop();
    this.#auditor.stop();
    this.#gcObserver?.stop();
    this.#gcObserver = undefined;
    this.#evidence.release();
    this.#sites.release();
    return this;
  }

  /** What counts listeners while the monitor runs: `monitor.auditor.watch(bus, 'bus')` has it count those of `bus`, too. */
  get auditor() {
    return this.#auditor;
  }

  /** The file in which this life is recorded; null where it is not. See `docs/black-box.md`. */
  get recordingPath() {
    return this.#native.recordingPath ?? null;
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

  /** The newest LeakReport; null where none was made. */
  leakReport() {
    return this.#lastReport;
  }

  /** Requests by route, as far as they were counted, and the route that the floor's growth comes from. */
  routes() {
    return { counted: routes.table(), ...(routeNote(JSON.parse(this.#native.route())) ?? { leak: null, reason: 'no request was counted', floors: 0 }) };
  }

  /** All figures of this thread at once, what is counted since the monitor was made, and what it costs: what metrics are made of. */
  metrics() {
    const { samplingCpuMs, bytes, ...counted } = JSON.parse(this.#native.totals());
    const { pauseMs, cpuMs } = captures.cost;
    return {
      threadId,
      sample: this.#newest ?? null,
      verdict: this.verdict(),
      ...counted,
      requests: requests.count,
      routes: routes.table(),
      alerts: { ...this.#told },
      listeners: this.#auditor.totals(),
      resources: Object.fromEntries(resourceCounts()),
      captures: { counts: captures.counts, pauseMs },
      channels: this.#channels.counts(),
      own: { samplingCpuMs, javascriptMs: this.#spentMs, cloneCpuMs: cpuMs, bytes },
    };
  }

  /** Waits until the channels have sent what they hold, for `timeoutMs` at most; says whether they have. */
  flush(timeoutMs) {
    return this.#channels.flush(timeoutMs);
  }

  /**
   * All that the detector was fed, as far as `historyBytes` goes back, as lines of JSON (docs/series.md): a string or, with `path`,
   * the promise of a file.
   */
  exportSeries(options) {
    const file = exportOptions(options);
    const native = this.#native;
    if (file === undefined) return translated(() => native.exportSeries(process.version, threadId));
    const write = async () => {
      assertWritable(file);
      return native.exportSeriesTo(file, process.version, threadId);
    };
    return translatedAsync(write()).then((bytes) => ({ path: file, bytes: Number(bytes) }));
  }

  [dispose]() {
    this.stop();
  }

  #onWake() {
    if (!this.#running) return;
    this.#atLimit.poll(this.#native);
    if (this.#native.takeRefreshWanted()) this.#refresh();
    this.#deliver();
  }

  /** What the counters have cost this thread, listeners of the events left out. */
  #counters() {
    return { at: this.#startedAt, pauseMs: this.#spentMs, durationMs: Date.now() - this.#startedAt };
  }

  /** Publishes the figures that only JavaScript can read: with the bridge these are the array buffers and the requests. */
  #refresh() {
    this.#startedAt ??= Date.now();
    const began = now();
    this.#publish();
    this.#spentMs += now() - began;
  }

  #publish() {
    try {
      const { arrayBuffers, rss } = memoryUsage();
      this.#arrayBuffers = arrayBuffers;
      this.#rss = rss;
      if (this.#wantsCpu) {
        const { user, system } = cpuUsage();
        this.#cpuMs = (user + system) / 1000;
      }
    } catch {
      // It opens a file, which a process out of descriptors cannot do; the last figures stay. Thrown from a wake-up, this
      // would end the host.
    }
    if (this.#options.routes && routes.isUsed) this.#native.publishRoutes(routes.counts);
    if (bridge.available) return this.#native.refresh(this.#arrayBuffers, this.#rss, requests.count, this.#cpuMs, 0, 0, 0, 0);
    this.#gcObserver?.flush();
    const heap = v8.getHeapStatistics();
    return this.#native.refresh(
      this.#arrayBuffers, this.#rss, requests.count, this.#cpuMs,
      heap.used_heap_size, heap.total_heap_size, heap.external_memory, heap.heap_size_limit,
    );
  }

  /**
   * Delivers what waits and gives the newest sample. Events leave the queue one by one: those behind a listener that throws,
   * an alert told only once among them, come with the next delivery.
   */
  #deliver() {
    const began = now();
    this.#undelivered.push(...JSON.parse(this.#native.takeEvents()));
    this.#spentMs += now() - began;
    let newest;
    while (this.#undelivered.length > 0) {
      const event = this.#undelivered.shift();
      if (event.type === 'sample') {
        newest = event.sample;
        this.#newest = newest;
        this.#told.sample += 1;
        this.#sites.sampled(newest.gc.major);
        this.emit('sample', newest);
      } else {
        this.#alert(event);
      }
    }
    if (newest && this.#running) {
      this.#suspicion.poll();
      this.#show();
    }
    return newest;
  }

  /** Lets other threads see the figures, if anybody looks. */
  #show() {
    if (!native.boardIsRead()) return;
    const began = now();
    try {
      native.showOnBoard(threadId, JSON.stringify(this.metrics()));
    } catch {
      // Nothing of the host's fails because figures could not be shown.
    }
    this.#spentMs += now() - began;
  }

  #alert({ type, verdict, ...details }) {
    switch (type) {
      case 'baseline':
        this.#evidence.takeBaseline().catch((error) => this.#tellLater('error', error));
        break;
      case 'suspect':
        if (this.#running) this.#sites.begin();
        this.#told.suspect += 1;
        // Most come to nothing: not worth a line in anybody's log.
        this.emit('suspect', verdict);
        break;
      case 'oom-risk':
        this.#containerRisk(details);
        break;
      case 'leak':
        this.#report(verdict).then(
          (report) => {
            this.#complete(report);
            if (this.#options.blackBox) recordReport(this.#native, report);
            this.#tellLater('leak', report);
          },
          (error) => this.#tellLater('error', error),
        );
        break;
      default:
        this.#tell(type, details);
    }
  }

  /** The container is nearly full: told at once, and with what evidence fits where this monitor is the one that takes it. */
  #containerRisk({ capture, ...risk }) {
    this.#tell('oom-risk', risk);
    if (!capture || !this.#running || !this.#evidence.isWanted) return;
    const onError = (error) => this.#tellLater('error', error);
    const { usedBytes, limitBytes, reason } = risk;
    const counters = () => this.#counters();
    this.#evidence.report(this.verdict(), onError, undefined, counters, { usedBytes, limitBytes }).then((report) => {
      this.#complete(report);
      recordReport(this.#native, report);
      this.#native.recordContainerCaptured(usedBytes, limitBytes, reason);
      this.#tellLater('container-limit', report);
    }, onError);
  }

  /** Sampling ends first: what it holds meanwhile is not for the evidence to find. */
  #report(verdict) {
    const onError = (error) => this.#tellLater('error', error);
    return this.#evidence.report(verdict, onError, this.#sites.end(onError), () => this.#counters());
  }

  /** Adds to a report what the requests say, and keeps it. It stays the same object: which of its names may be told is known by that. */
  #complete(report) {
    const note = this.#options.routes ? routeNote(JSON.parse(this.#native.route())) : undefined;
    if (note) report.routes = note;
    this.#lastReport = report;
  }

  /** From a promise: a listener that throws is then an uncaught exception, as with any emitter, not a rejection. */
  #tellLater(event, ...payload) {
    nextTick(() => this.#tell(event, ...payload));
  }

  /** Emits the event, and has the channels send it; where nobody listens and nothing sends it, the logger is told instead. */
  #tell(event, payload, ...more) {
    if (event in this.#told) this.#told[event] += 1;
    if (this.#channels.tell(event, payload) && this.listenerCount(event) === 0) return;
    if (this.listenerCount(event) > 0) {
      this.emit(event, payload, ...more);
      return;
    }
    const { logger } = this.#options;
    try {
      logger.warn(alertDetails(event, payload), alertMessage(event, payload));
    } catch (error) {
      warn(`the logger given to MemoryMonitor failed: ${error?.message}`, 'HEAPWARDEN_LOGGER');
    }
  }
}

/** What it means that the recording could not be begun, and the cure. */
function withoutRecord(error) {
  error.message += ' (this life is not recorded, everything else goes on; another folder is set by HEAPWARDEN_DIR or the option directory)';
  return error;
}

module.exports = { MemoryMonitor };
