'use strict';

// What a file of tests leaves behind when all of its hooks have run: timers, sockets, listeners of the process; and, told by the next file of
// the same process, memory.

const v8 = require('node:v8');
const native = require('../load');
const { auditListeners } = require('../listeners');
const { perFileOptions } = require('../options');
const { collect } = require('./collect');
const { nap, settle } = require('./settle');

/** Where jest-circus keeps those who are told of its events: documented for environments, and the only way to come after all hooks. */
const EVENT_HANDLERS = Symbol.for('EVENT_HANDLERS');
/** What is closing when the last hook returns has so long to be gone. */
const MOST_MS = 200;
const LOOKS = 5;
const LOOK_MS = 10;
/** By this name the file before has left word of itself. */
const NOTE = 'jest-per-file';
const TIMERS_NOTE = 'jest-per-file-timers';
const MB = 2 ** 20;

/** Has what this file leaves behind reported once it is done. */
function guardFile(given) {
  const options = perFileOptions(given);
  const name = globalThis.expect?.getState?.().testPath ?? 'this file';
  const problems = fileBefore(name, options.heapMB);
  let before;
  const handlers = globalThis[EVENT_HANDLERS];
  if (!Array.isArray(handlers)) {
    // Before Jest 29.4 and under jasmine: hooks of the file that were written later come later.
    before = census(process);
    globalThis.afterAll(async () => tell(await problemsOf(before, [process]), options, (error) => { throw error; }));
    tell(problems, options, (error) => { throw error; });
    return;
  }
  let processes;
  const onEvent = async (event, state) => {
    if (event.name === 'run_start') {
      processes = [...new Set([process, state.parentProcess ?? process])];
      before = await fewest(processes);
    } else if (event.name === 'run_finish' && before) {
      const own = await problemsOf(before, processes);
      tell([...own.map((problem) => `${name} ${problem}`), ...problems], options, (error) => state.unhandledErrors.push(error));
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

/** What there is more of than before, in words. */
async function problemsOf(before, processes) {
  await settle([...before.resources.values()].reduce((sum, count) => sum + count, 0), MOST_MS);
  const after = census(...processes);
  const more = (was, is) => [...is].flatMap(([name, count]) => (count > (was.get(name) ?? 0) ? [[name, count - (was.get(name) ?? 0)]] : []));
  const resources = more(before.resources, after.resources);
  const timers = resources.some(([type]) => TIMERS.has(type)) ? await timersOfFiles() : [];
  return [
    ...resources.filter(([type]) => !TIMERS.has(type)).map(([type, count]) => `leaves ${inWords(type, count)} behind`),
    ...timers,
    ...more(before.listeners, after.listeners).map(([event, count]) => `leaves ${count} of the process's listeners for '${event.slice(2)}' behind`),
  ];
}

/** The runner has timers in the same process: whose one is, its function tells. */
const TIMERS = new Set(['Timeout', 'Immediate']);

/** The timers whose function is not a package's, but for those of files before that were told of then. */
async function timersOfFiles() {
  const { timers } = await auditListeners({ mode: 'inline' });
  const own = timers.filter(({ location }) => location && !/^node:|[\\/]node_modules[\\/]/.test(location.file));
  const now = Object.fromEntries(own.map(({ location: { file, line }, count }) => [`${file}:${line}`, count]));
  const told = JSON.parse(native.exchangeNote(TIMERS_NOTE, JSON.stringify(now)) ?? '{}');
  return Object.entries(now)
    .map(([place, count]) => [place, count - (told[place] ?? 0)])
    .filter(([, count]) => count > 0)
    .map(([place, count]) => `leaves ${inWords('Timeout', count)} behind, of ${place}`);
}

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
