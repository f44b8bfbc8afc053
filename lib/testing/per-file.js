'use strict';

// What a file of tests leaves behind when all of its hooks have run: timers, sockets, listeners of the process; and, told by the next file of
// the same process, memory.

const path = require('node:path');
const v8 = require('node:v8');
const native = require('../load');
const { perFileOptions } = require('../options');
const { collect } = require('./collect');
const { watchTimers } = require('./file-timers');
const { beforeCollections, nap, settle } = require('./settle');

/** Where jest-circus keeps those who are told of its events: documented for environments, and the only way to come after all hooks. */
const EVENT_HANDLERS = Symbol.for('EVENT_HANDLERS');
/** What is closing when the last hook returns has so long to be gone. */
const MOST_MS = 200;
const LOOKS = 5;
const LOOK_MS = 10;
/** By this name the file before has left word of itself. */
const NOTE = 'jest-per-file';
const MB = 2 ** 20;

/** Has what this file leaves behind reported once it is done. */
function guardFile(given) {
  const options = perFileOptions(given);
  const { testPath } = globalThis.expect?.getState?.() ?? {};
  const name = testPath ? path.relative(process.cwd(), testPath) : 'this file';
  const problems = fileBefore(name, options.heapMB);
  const timers = watchTimers();
  // What is over is not to be kept by us while a test counts objects.
  beforeCollections(timers.sweep);
  let before;
  const handlers = globalThis[EVENT_HANDLERS];
  if (!Array.isArray(handlers)) {
    // Before Jest 29.4 and under jasmine: hooks of the file that were written later come later.
    before = census(process);
    globalThis.afterAll(async () => tell(inOne(name, await problemsOf(before, timers, [process])), options, (error) => { throw error; }));
    tell(problems, options, (error) => { throw error; });
    return;
  }
  let processes;
  const onEvent = async (event, state) => {
    if (event.name === 'run_start') {
      processes = [...new Set([process, state.parentProcess ?? process])];
      before = await fewest(processes);
    } else if (event.name === 'run_finish' && before) {
      const own = await problemsOf(before, timers, processes);
      tell([...inOne(name, own), ...problems], options, (error) => state.unhandledErrors.push(error));
    }
  };
  handlers.push(onEvent);
}

/** What is alive and can be counted at little cost: `{ resources, listeners }`, each by name. */
function census(...processes) {
  const resources = new Map();
  // eslint-disable-next-line n/no-unsupported-features/node-builtins -- there since 17.3, without a warning
  for (const type of process.getActiveResourcesInfo?.() ?? []) resources.set(type, (resources.get(type) ?? 0) + 1);
  const listeners = new Map();
  for (const [at, emitter] of processes.entries()) {
    for (const event of emitter.eventNames()) listeners.set(`${at} ${String(event)}`, emitter.listenerCount(event));
  }
  return { resources, listeners };
}

/** The least of several looks: the runner has timers of its own that come and go, and none of them may stand for one of the file's. */
async function fewest(processes) {
  const least = census(...processes);
  for (let look = 0; look < LOOKS; look++) {
    await nap(LOOK_MS);
    const { resources } = census(...processes);
    for (const [type, count] of least.resources) least.resources.set(type, Math.min(count, resources.get(type) ?? 0));
  }
  return least;
}

/** All that a file leaves behind, in one message; in one line, as Jest takes what comes after the first for a stack. */
function inOne(name, left) {
  return left.length > 0 ? [`${name} leaves behind: ${left.join('; ')}`] : [];
}

/** What there is more of than before, in words. */
async function problemsOf(before, timers, processes) {
  await settle([...before.resources.values()].reduce((sum, count) => sum + count, 0), MOST_MS);
  const after = census(...processes);
  const more = (was, is) => [...is].flatMap(([name, count]) => (count > (was.get(name) ?? 0) ? [[name, count - (was.get(name) ?? 0)]] : []));
  return [
    ...more(before.resources, after.resources).filter(([type]) => !TIMERS.has(type)).map(([type, count]) => inWords(type, count)),
    ...[...timers.left()].map(([place, count]) => `${inWords('Timeout', count)}, started at ${path.relative(process.cwd(), place)}`),
    ...more(before.listeners, after.listeners).map(([event, count]) => `${count} listener${count === 1 ? '' : 's'} of the process for '${event.slice(2)}'`),
  ];
}

/** The runner has some of its own in the same process: the file's are known one by one. */
const TIMERS = new Set(['Timeout', 'Immediate']);

/** What Node calls them, in words. */
const RESOURCES = {
  Timeout: 'timer', TCPServerWrap: 'listening server', TCPSERVERWRAP: 'listening server',
  TCPSocketWrap: 'open socket', TCPWRAP: 'open socket', PipeWrap: 'open pipe', FSEvent: 'file watcher', FSEVENTWRAP: 'file watcher',
  ChildProcess: 'child process', PROCESSWRAP: 'child process', Worker: 'worker', UDPWrap: 'UDP socket', UDPWRAP: 'UDP socket', MessagePort: 'message port',
};

/** `2 timers`, whatever Node calls them. */
function inWords(type, count) {
  const word = RESOURCES[type] ?? type;
  return `${count} ${word}${count === 1 ? '' : 's'}`;
}

/** Leaves word of this file, and gives what is wrong with the one before. */
function fileBefore(name, heapMB) {
  collect();
  collect();
  const heap = v8.getHeapStatistics().used_heap_size;
  const note = native.exchangeNote(NOTE, JSON.stringify({ name, heap }));
  if (note === null) return [];
  const before = JSON.parse(note);
  const grownMB = Math.round((heap - before.heap) / MB);
  return grownMB >= heapMB ? [`${before.name} has left ${grownMB} MB of heap behind, which the next file finds`] : [];
}

function tell(problems, { report }, fail) {
  for (const problem of problems) {
    const message = `heapwarden: ${problem}`;
    if (report === 'warn') process.stderr.write(`${message}\n`);
    else {
      const error = new Error(message);
      // The place is that of this guard, and of no use.
      error.stack = message;
      fail(error);
    }
  }
}

module.exports = { guardFile };
