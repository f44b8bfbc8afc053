'use strict';

// Where the listeners that became more are written: a function does not tell that, the graph of the heap does.

const { clones, room, MB } = require('./clone');
const { noteSpelled } = require('./redact');
const { capture } = require('./snapshot');

const { nextTick } = process;

/** From one look at the heap to the next, and the largest heap that is looked at. */
const REST_MS = 600_000;
const MOST_HEAP_MB = 1024;

/** The class of a handle's JavaScript object, by what Node calls the resource. */
const HANDLES = {
  TCPSocketWrap: 'TCP', TCPServerWrap: 'TCP', PipeWrap: 'Pipe', PipeServerWrap: 'Pipe', TTYWrap: 'TTY', UDPWrap: 'UDP', UDPWRAP: 'UDP',
  ProcessWrap: 'Process', FSEventWrap: 'FSEvent', StatWatcher: 'StatWatcher', MessagePort: 'MessagePort',
};

/** Finds places, in a clone of the process alone, and not often: without one, growth is told without them. */
class Locator {
  #isWanted;
  #mayLook;
  #lastAt = -Infinity;
  #aborter;
  /** What is told when the look under way is over. */
  #waiting = [];

  /** `mayLook()` says whether the moment is one for a look at the heap. */
  constructor(locate, mayLook) {
    this.#isWanted = locate === 'auto';
    this.#mayLook = mayLook;
  }

  /** Calls `tell` with each of `growths`, soon or, where it takes a look at the heap, with what that showed. */
  locate(growths, tell) {
    this.#waiting.push(...growths.map((growth) => ({ growth, tell })));
    if (this.#aborter) return;
    if (!this.#maySpend()) {
      this.#over();
      return;
    }
    this.#lastAt = Date.now();
    const aborter = new AbortController();
    this.#aborter = aborter;
    const over = (audit, spelled) => {
      if (!aborter.signal.aborted) this.#over(audit, spelled);
    };
    // What cannot be looked at is told without.
    capture({ product: 'audit', mode: 'clone', signal: aborter.signal }).then(({ audit, spelled }) => over(audit, spelled), () => over());
  }

  /** Gives up what is under way; what waited for it is told without. */
  cancel() {
    this.#aborter?.abort();
    this.#over();
  }

  #over(audit, spelled) {
    this.#aborter = undefined;
    for (const { growth, tell } of this.#waiting.splice(0)) {
      if (audit) fill(growth, audit);
      // What keeps the loop alive is called as Node calls it.
      noteSpelled(growth, growth.kind === 'resource' ? [...spelled ?? [], growth.constructorName] : spelled);
      // What a listener throws is an uncaught exception, as with any emitter, not a rejection.
      nextTick(tell, growth);
    }
  }

  #maySpend() {
    if (!this.#isWanted || !clones.available || Date.now() - this.#lastAt < REST_MS || !this.#mayLook()) return false;
    const { heap, shortage } = room('clone');
    return !shortage && heap <= MOST_HEAP_MB * MB;
  }
}

/** Adds what the audit knows of a growth. */
function fill(growth, audit) {
  if (growth.kind === 'resource') {
    fillResource(growth, audit);
    return;
  }
  const rows = audit.listeners.filter(({ constructorName }) => constructorName === growth.constructorName);
  const row = growth.event === null ? rows[0] : rows.find(({ event }) => event === eventName(growth.event));
  if (row === undefined) return;
  growth.functions = row.functions;
  growth.location = row.location;
  growth.retainerPath = row.retainerPath;
}

function fillResource(growth, audit) {
  const timers = audit.timers.filter(({ constructorName }) => constructorName === growth.constructorName);
  if (timers.length > 0) {
    growth.functions = timers.filter(({ location }) => !location?.file.startsWith(__dirname)).slice(0, 10).map(({ callback, location, count }) => ({ name: callback, location, count }));
    growth.location = growth.functions.find(({ location }) => location !== null)?.location ?? null;
    return;
  }
  const name = HANDLES[growth.constructorName];
  growth.retainerPath = audit.handles.find(({ constructorName }) => constructorName === name)?.retainerPath ?? [];
}

/** A symbol's name in a snapshot: `<symbol x>`. */
function eventName(event) {
  const [, description] = /^Symbol\((.*)\)$/s.exec(event) ?? [];
  return description === undefined ? event : `<symbol ${description}>`;
}

module.exports = { Locator };
