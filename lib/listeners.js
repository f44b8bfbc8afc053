'use strict';

const { EventEmitter } = require('node:events');
const { setInterval, clearInterval } = require('node:timers');
const native = require('./load');
const { invalidArg, translated } = require('./errors');
const { functionsOf, kindOf, constructorNameOf, resourceCounts, visitCounts } = require('./listener-counts');
const { Locator } = require('./listener-places');
const { maxListeners } = require('./max-listeners');
const { auditorOptions, snapshotOptions } = require('./options');
const { noteSpelled } = require('./redact');
const { capture } = require('./snapshot');

const dispose = Symbol.dispose ?? Symbol.for('nodejs.dispose');

/** With fewer listeners an event is only counted: growth is judged from here on. */
const LEAST_JUDGED = 8;
/** An emitter with so many events has a name for each of something; then all events together are judged as well. */
const MANY_EVENTS = 16;
/** Counts that are judged at the same time, at most: 3 KiB each. */
const MOST_JUDGED = 4096;
/** Emitters that are watched because Node warned of them, at most; and places of which that was told. */
const MOST_ADOPTED = 1000;
const MOST_TOLD = 100;
/** How many functions are told of. */
const MOST_FUNCTIONS = 10;

/** The key of all events together, which no event can have. */
const ALL = Symbol('all events');

/** A watched target. It holds nothing of it but a weak reference. */
class Watched {
  /** By event: `{ series, first, since, count, tick }`, for those that are judged. */
  judged = new Map();

  constructor(target, kind, label, isAdopted) {
    this.ref = target && new WeakRef(target);
    this.kind = kind;
    this.constructorName = target ? constructorNameOf(target) : '';
    this.label = label;
    this.isAdopted = isAdopted;
  }
}

/**
 * Counts listeners, on a timer, and says when they only ever become more.
 *
 * Holds what it watches weakly, never keeps the process alive, and reads counts alone: some microseconds a tick for ten targets.
 */
class ListenerAuditor extends EventEmitter {
  #options;
  #judge;
  #locator;
  #watched = new Set();
  #byTarget = new WeakMap();
  #collected = new FinalizationRegistry((watched) => this.#forget(watched));
  #resources = new Watched(undefined, 'resource', 'process', false);
  #timer;
  #tick = 0;
  #open = 0;
  #adopted = 0;
  /** Class, event and place of the warnings that were told of. */
  #toldOf = new Set();
  /** By class and event: how many listeners there were on emitters that Node warned of when that was told. */
  #toldCounts = new Map();
  /** Pairs of a series' number and its count, and whose they are. */
  #pairs = new Uint32Array(64);
  #owners = [];
  #onCounted;
  #onExceeded = (exceeded) => this.#exceeded(exceeded);

  /** `mayLocate()` says whether the moment is one for a look at the heap; `onCounted` is told what a tick came to. */
  constructor(options, mayLocate = () => true, onCounted = undefined) {
    super();
    this.#onCounted = onCounted;
    this.#options = auditorOptions(options);
    this.#judge = translated(() => new native.NativeCounts());
    this.#locator = new Locator(this.#options.locate, mayLocate);
    this.watch(process, 'process');
  }

  /** Watches an emitter or an event target, which it does not keep alive. Watched already, it gets the new label. */
  watch(target, label) {
    const kind = kindOf(target);
    if (kind === undefined) throw invalidArg('target', 'an EventEmitter or an EventTarget', target);
    if (label !== undefined && typeof label !== 'string') throw invalidArg('label', 'a string', label);
    this.#add(target, kind, label, false);
    return this;
  }

  /** Watches it no longer; says whether it was watched. */
  unwatch(target) {
    const watched = this.#byTarget.get(target);
    if (watched === undefined) return false;
    this.#byTarget.delete(target);
    this.#collected.unregister(watched);
    this.#forget(watched);
    return true;
  }

  /** Starts counting on a timer. Does nothing where it runs already. */
  start() {
    if (this.#timer !== undefined) return this;
    this.#timer = setInterval(() => this.#count(), this.#options.intervalMs);
    this.#timer.unref();
    maxListeners.subscribe(this.#onExceeded);
    return this;
  }

  /** Stops, and leaves no timer and no listener behind. What is watched stays so. */
  stop() {
    if (this.#timer === undefined) return this;
    clearInterval(this.#timer);
    this.#timer = undefined;
    maxListeners.unsubscribe(this.#onExceeded);
    this.#locator.cancel();
    return this;
  }

  /** Counts now, between the timer's ticks, and gives what there is: the most listeners first. */
  audit() {
    const rows = [];
    this.#count((watched, event, count) => {
      const known = watched.judged.get(event);
      rows.push({
        kind: watched.kind,
        label: watched.label ?? null,
        constructorName: watched.kind === 'resource' ? String(event) : watched.constructorName,
        event: watched.kind === 'resource' ? null : String(event),
        count,
        countDelta: known ? count - known.first : 0,
        since: known ? new Date(known.since).toISOString() : null,
      });
    });
    return rows.sort((a, b) => b.count - a.count);
  }

  /** What is watched, and how many listeners it has in all; counts as no tick: `{ emitter: { targets, listeners }, target: { ... } }`. */
  totals() {
    const totals = { emitter: { targets: 0, listeners: 0 }, target: { targets: 0, listeners: 0 } };
    for (const { ref, kind } of this.#watched) {
      const target = ref?.deref();
      if (target === undefined) continue;
      totals[kind].targets += 1;
      visitCounts(target, kind, (_event, count) => { totals[kind].listeners += count; });
    }
    return totals;
  }

  [dispose]() {
    this.stop();
  }

  #add(target, kind, label, isAdopted) {
    const known = this.#byTarget.get(target);
    if (known) {
      if (!isAdopted) known.label = label ?? known.label;
      return known;
    }
    const watched = new Watched(target, kind, label, isAdopted);
    if (isAdopted) this.#adopted += 1;
    this.#watched.add(watched);
    this.#byTarget.set(target, watched);
    this.#collected.register(target, watched, watched);
    return watched;
  }

  #forget(watched) {
    if (!this.#watched.delete(watched)) return;
    if (watched.isAdopted) this.#adopted -= 1;
    for (const known of watched.judged.values()) this.#close(known);
    watched.judged.clear();
  }

  /** One tick; `visit(watched, event, count)` is called for each count. */
  #count(visit) {
    this.#tick += 1;
    let length = 0;
    const now = Date.now();
    const counts = { listeners: 0, resources: 0 };
    const take = (watched, event, count) => {
      visit?.(watched, event, count);
      counts[watched.kind === 'resource' ? 'resources' : 'listeners'] += count;
      length = this.#take(watched, event, count, now, length);
    };
    for (const watched of this.#watched) {
      const target = watched.ref.deref();
      if (target === undefined) {
        this.#forget(watched);
        continue;
      }
      let events = 0;
      let all = 0;
      visitCounts(target, watched.kind, (event, count) => {
        events += 1;
        all += count;
        take(watched, event, count);
      });
      if (events >= MANY_EVENTS) length = this.#take(watched, ALL, all, now, length);
      length = this.#settle(watched, length);
    }
    if (this.#options.resources) {
      for (const [type, count] of resourceCounts()) take(this.#resources, type, count);
      length = this.#settle(this.#resources, length);
    }
    this.#onCounted?.(counts);
    const found = this.#judge.tick(now, this.#pairs, length);
    if (found.length > 0) this.#tell(found.map((growth) => [this.#owners[growth.series], growth]));
  }

  /** Has a count judged, once it is worth that. Gives how many there are. */
  #take(watched, event, count, now, length) {
    let known = watched.judged.get(event);
    if (known === undefined) {
      if (count < LEAST_JUDGED || this.#open >= MOST_JUDGED) return length;
      known = { series: this.#judge.open(), first: count, since: now, count, tick: 0 };
      this.#open += 1;
      watched.judged.set(event, known);
      this.#owners[known.series] = { watched, event };
    }
    known.count = count;
    known.tick = this.#tick;
    return this.#push(known.series, count, length);
  }

  /** Events that nobody listens to any more have no name to be asked by: they count 0, and after a while are forgotten. */
  #settle(watched, length) {
    let after = length;
    for (const [event, known] of watched.judged) {
      if (known.tick === this.#tick) continue;
      if (this.#tick - known.tick > LEAST_JUDGED) {
        watched.judged.delete(event);
        this.#close(known);
      } else {
        known.count = 0;
        after = this.#push(known.series, 0, after);
      }
    }
    return after;
  }

  #push(series, count, length) {
    if (2 * length >= this.#pairs.length) {
      const larger = new Uint32Array(2 * this.#pairs.length);
      larger.set(this.#pairs);
      this.#pairs = larger;
    }
    this.#pairs[2 * length] = series;
    this.#pairs[2 * length + 1] = count;
    return length + 1;
  }

  #close({ series }) {
    this.#judge.close(series);
    this.#owners[series] = undefined;
    this.#open -= 1;
  }

  /** Tells of what grows. All events of an emitter together are no news where one of them is. */
  #tell(found) {
    const single = new Set(found.filter(([{ event }]) => event !== ALL).map(([{ watched }]) => watched));
    const told = { watched: [], adopted: [] };
    for (const [{ watched, event }, growth] of found.filter(([{ watched, event }]) => event !== ALL || !single.has(watched))) {
      const target = watched.ref?.deref();
      told[watched.isAdopted ? 'adopted' : 'watched'].push({
        reason: 'rising',
        kind: watched.kind,
        label: watched.label ?? null,
        constructorName: watched.kind === 'resource' ? event : watched.constructorName,
        event: watched.kind === 'resource' || event === ALL ? null : String(event),
        count: growth.count,
        countDelta: growth.countDelta,
        growthPerHour: growth.growthPerHour,
        since: new Date(growth.since).toISOString(),
        functions: target && event !== ALL ? functionsOf(target, watched.kind, event).slice(0, MOST_FUNCTIONS) : [],
        location: null,
        retainerPath: [],
        stack: null,
        emitters: 1,
      });
    }
    const news = [...folded(told.watched), ...folded(told.adopted).filter((growth) => this.#isNews(growth))];
    this.#locator.locate(news, (located) => this.emit('growth', located));
  }

  /** Sockets without end, each with too many, are told as the class that they are: once, and again whenever the count has doubled. */
  #isNews({ constructorName, event, count }) {
    const key = `${constructorName}\0${event}`;
    const told = this.#toldCounts.get(key);
    if (told === undefined ? this.#toldCounts.size >= MOST_TOLD : count < 2 * told) return false;
    this.#toldCounts.set(key, count);
    return true;
  }

  /** Node says once for each emitter that it has more listeners than it should. */
  #exceeded({ target, event, count, constructorName, stack, location }) {
    const kind = kindOf(target);
    if (kind === undefined) return;
    const isKnown = this.#byTarget.has(target);
    // An emitter for each request, each with too many: that is told once.
    const key = `${constructorName}\0${String(event)}\0${location?.file}:${location?.line}`;
    const isNews = isKnown ? !this.#toldOf.has(key) : this.#toldOf.size < MOST_TOLD && !this.#toldOf.has(key);
    if (!isKnown && this.#adopted < MOST_ADOPTED) this.#add(target, kind, undefined, true);
    if (!isNews) return;
    if (this.#toldOf.size < MOST_TOLD) this.#toldOf.add(key);
    this.emit('growth', {
      reason: 'max-listeners',
      kind,
      label: this.#byTarget.get(target)?.label ?? null,
      constructorName,
      event: String(event),
      count,
      countDelta: count,
      growthPerHour: null,
      since: null,
      functions: functionsOf(target, kind, event).slice(0, MOST_FUNCTIONS),
      location,
      retainerPath: [],
      stack,
      emitters: 1,
    });
  }
}

/** One growth for all emitters of one class, label and event; its functions are those of the emitter that has grown most. */
function folded(growths) {
  const byKind = new Map();
  const inOrder = growths.slice().sort((a, b) => b.countDelta - a.countDelta);
  for (const growth of inOrder) {
    const key = `${growth.kind}\0${growth.label}\0${growth.constructorName}\0${growth.event}`;
    const first = byKind.get(key);
    if (first === undefined) {
      byKind.set(key, growth);
      continue;
    }
    for (const figure of ['count', 'countDelta', 'growthPerHour', 'emitters']) first[figure] += growth[figure];
    if (growth.since < first.since) first.since = growth.since;
  }
  return [...byKind.values()];
}

/** Who listens to what in this thread, on every live emitter and event target; its timers, handles and promises. */
async function auditListeners(options) {
  const { mode, signal, redact } = snapshotOptions(options);
  const resources = Object.fromEntries(resourceCounts());
  const { audit, spelled, mode: used, reason, pauseMs, durationMs } = await capture({ product: 'audit', mode, signal, redact });
  return noteSpelled({ ...audit, resources, mode: used, reason, pauseMs, durationMs }, spelled);
}

module.exports = { ListenerAuditor, auditListeners };
