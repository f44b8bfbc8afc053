'use strict';

// `node --import heapwarden/register server.js` (or --require): a monitor for this thread, told by HEAPWARDEN_* alone.
// Whatever goes wrong here is said once on stderr and never keeps the program from starting.

const path = require('node:path');
const { threadId } = require('node:worker_threads');

try {
  register();
} catch (error) {
  warn('is not watching this process', error);
}

/** Without any other file of ours: a permission model may keep them from being read. */
function warn(what, error) {
  const denied = error.code === 'ERR_ACCESS_DENIED';
  const message = denied ? `${error.message}: start Node with --allow-fs-read=${path.join(__dirname, '..', '*')}` : error.message;
  try {
    const code = denied ? 'HEAPWARDEN_ERR_PERMISSION' : error.code ?? 'HEAPWARDEN_ERR_REGISTER';
    process.emitWarning(`heapwarden ${what}: ${message}`, { type: 'HeapwardenWarning', code });
  } catch {
    // Nobody is left to be told.
  }
}

function register() {
  const native = require('./load');
  const { say } = require('./say');
  const { MemoryMonitor } = require('./monitor');
  const { environmentOptions, monitorOptions, outputOption, triggerOptions } = require('./options');
  const { snapshotOnSignal } = require('./trigger');
  const { alertMessage } = require('./messages');
  const { assertWritable } = require('./permissions');

  const options = environmentOptions();
  const { directory, maxFiles, maxBytes } = monitorOptions(options);
  const monitor = new MemoryMonitor(options);

  const told = outputOption() === 'json' ? asJson : asText(native, alertMessage);
  /** Writes `value` into the directory, and says where it is. */
  const kept = (kind, time, { pid, threadId: thread }, value) => {
    const file = path.join(directory, `heapwarden-${kind}-${time.replace(/[-:]/g, '').replace('.', '-')}-${pid}-${thread}.json`);
    try {
      assertWritable(file);
      native.writeFileAtomic(file, `${JSON.stringify(value, null, 2)}\n`);
      return { file };
    } catch (error) {
      const { fromNative } = require('./errors');
      return { problem: fromNative(error).message };
    }
  };
  for (const event of ['leak', 'container-limit']) {
    monitor.on(event, (report) => say(told(event, report, kept('leak', report.reportedAt, { pid: process.pid, threadId }, report))));
  }
  monitor.on('postmortem', (finding) => {
    say(told('postmortem', finding, kept('postmortem', finding.endedAt ?? finding.lastSeenAt, finding, finding)));
  });
  monitor.on('heap-limit', (report, file) => say(told('heap-limit', report, { file })));
  for (const event of ['threshold', 'recovered', 'listeners', 'oom-risk', 'error']) {
    monitor.on(event, (payload) => say(told(event, payload, {})));
  }
  monitor.start();

  try {
    snapshotOnSignal({ ...triggerOptions(), directory, maxFiles, maxBytes }, say);
  } catch (error) {
    warn('takes no snapshot on a signal', error);
  }
}

/** What is said of an event, for people: of a LeakReport all of it. */
function asText(native, alertMessage) {
  const reports = new Set(['leak', 'container-limit', 'heap-limit']);
  return (event, payload, { file, problem }) => {
    if (!reports.has(event)) return `heapwarden: ${alertMessage(event, payload)}${problem ? `\nheapwarden: the postmortem could not be written: ${problem}` : ''}`;
    const where = problem ? `the report could not be written: ${problem}` : `report written to ${file}`;
    const { jsonForNative } = require('./plain');
    return `${native.renderLeakReport(jsonForNative(payload))}heapwarden: ${where}`;
  };
}

/** What is said of an event, for programs: a line of JSON, with the event's payload and the file that it is in. */
function asJson(event, payload, { file, problem }) {
  const value = payload instanceof Error ? { code: payload.code ?? null, message: payload.message } : payload;
  return JSON.stringify({ heapwarden: { event, ...(file && { file }), ...(problem && { problem }), payload: value } });
}
