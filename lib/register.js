'use strict';

// `node --import heapwarden/register server.js` (or --require): a monitor for this thread, told by HEAPWARDEN_* alone.
// Whatever goes wrong here is said once on stderr and never keeps the program from starting.

const path = require('node:path');
const { threadId } = require('node:worker_threads');
const { warn } = require('./logger');
const { say } = require('./say');

try {
  register();
} catch (error) {
  warn(`heapwarden is not watching this process: ${error.message}`, error.code ?? 'HEAPWARDEN_ERR_REGISTER');
}

function register() {
  const native = require('./load');
  const { MemoryMonitor } = require('./monitor');
  const { environmentOptions, monitorOptions, triggerOptions } = require('./options');
  const { snapshotOnSignal } = require('./trigger');
  const { alertMessage } = require('./messages');

  const options = environmentOptions();
  const { directory, maxFiles, maxBytes } = monitorOptions(options);
  const monitor = new MemoryMonitor(options);

  const keep = (report) => {
    const json = JSON.stringify(report, null, 2);
    say(native.renderLeakReport(json));
    const time = report.reportedAt.replace(/[-:]/g, '').replace('.', '-');
    const file = path.join(directory, `heapwarden-leak-${time}-${process.pid}-${threadId}.json`);
    try {
      native.writeFileAtomic(file, `${json}\n`);
      say(`heapwarden: report written to ${file}`);
    } catch (error) {
      const { fromNative } = require('./errors');
      say(`heapwarden: the report could not be written: ${fromNative(error).message}`);
    }
  };
  monitor.on('leak', keep);
  monitor.on('container-limit', keep);
  monitor.on('postmortem', (finding) => {
    say(`heapwarden: ${alertMessage('postmortem', finding)}`);
    const time = (finding.endedAt ?? finding.lastSeenAt).replace(/[-:]/g, '').replace('.', '-');
    const file = path.join(directory, `heapwarden-postmortem-${time}-${finding.pid}-${finding.threadId}.json`);
    try {
      native.writeFileAtomic(file, `${JSON.stringify(finding, null, 2)}\n`);
    } catch (error) {
      const { fromNative } = require('./errors');
      say(`heapwarden: the postmortem could not be written: ${fromNative(error).message}`);
    }
  });
  monitor.on('heap-limit', (report, file) => {
    say(native.renderLeakReport(JSON.stringify(report)));
    say(`heapwarden: report written to ${file}`);
  });
  for (const event of ['threshold', 'recovered', 'listeners', 'oom-risk', 'error']) {
    monitor.on(event, (payload) => say(`heapwarden: ${alertMessage(event, payload)}`));
  }
  monitor.start();

  try {
    snapshotOnSignal({ ...triggerOptions(), directory, maxFiles, maxBytes }, say);
  } catch (error) {
    warn(`heapwarden takes no snapshot on a signal: ${error.message}`, error.code ?? 'HEAPWARDEN_ERR_REGISTER');
  }
}
