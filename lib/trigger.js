'use strict';

// A snapshot on a signal, for whoever can send one and nothing else: HEAPWARDEN_SNAPSHOT_SIGNAL.

const { constants } = require('node:os');
const { isMainThread } = require('node:worker_threads');
const { HeapwardenError, invalidArg } = require('./errors');
const { writeSnapshot } = require('./snapshot');

const NAME = 'HEAPWARDEN_SNAPSHOT_SIGNAL';

/** Why a signal is not to be had. */
const TAKEN = {
  SIGKILL: 'which no process can handle',
  SIGSTOP: 'which no process can handle',
  SIGUSR1: 'which starts Node\'s inspector',
  SIGTERM: 'which is how the process is told to end',
  SIGINT: 'which is how the process is told to end',
  SIGPROF: 'which V8\'s profiler uses',
  SIGCHLD: 'which tells of child processes',
  SIGPIPE: 'which Node ignores',
};
for (const fault of ['SIGSEGV', 'SIGBUS', 'SIGFPE', 'SIGILL', 'SIGABRT', 'SIGIOT', 'SIGTRAP', 'SIGSYS']) {
  TAKEN[fault] = 'by which a process ends that has a defect';
}

/** Why no signal can be had in this thread; nothing where one can. */
function refusal() {
  return isMainThread ? undefined : 'signals go to the main thread';
}

/**
 * Has a snapshot written whenever the signal comes, one at a time, and `say` told of it in one line.
 *
 * Throws where it cannot be that signal. In a worker nothing happens: signals go to the main thread.
 */
function snapshotOnSignal({ name, compress, redact, directory, maxFiles, maxBytes }, say) {
  if (name === undefined || refusal() !== undefined) return;
  if (!Object.hasOwn(constants.signals, name)) throw invalidArg(NAME, 'a signal of this system, such as "SIGUSR2"', name);
  if (Object.hasOwn(TAKEN, name)) {
    const code = 'HEAPWARDEN_ERR_INVALID_ARG';
    throw new HeapwardenError(code, `${NAME}: expected a signal that is free, such as "SIGUSR2", found "${name}", ${TAKEN[name]}`);
  }
  let isBusy = false;
  // A handler alone does not keep the process alive.
  process.on(name, () => {
    if (isBusy) {
      say(`heapwarden: ${name} ignored: a snapshot is under way`);
      return;
    }
    isBusy = true;
    writeSnapshot({ directory, compress, redact, maxFiles, maxBytes, summary: false })
      .then(line, (error) => `no snapshot: ${error.message} (${error.code ?? error.name})`)
      .then((text) => {
        isBusy = false;
        say(`heapwarden: ${text}`);
      });
  });
}

function line({ path, fileBytes, pauseMs, mode, reason, evicted, evictionError }) {
  const parts = [`snapshot written to ${path}: ${(fileBytes / 1e6).toFixed(1)} MB, paused ${pauseMs.toFixed(1)} ms, mode ${mode}`];
  if (reason) parts.push(` (${reason})`);
  if (evicted.length > 0) parts.push(`; ${evicted.length} older removed`);
  if (evictionError) parts.push(`; ${evictionError}`);
  return parts.join('');
}

module.exports = { refusal, snapshotOnSignal };
