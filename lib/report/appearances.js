'use strict';

// Who has which leak: for each leak its processes with their figures, and for each process its leaks.

const path = require('node:path');
const { order } = require('./files');

/** Leaks and processes as reports tell of them, the newest report first. */
class Appearances {
  #leaks = new Map();
  #processes = new Map();

  /** Takes note of a report of `file`; `who` tells its process apart, `keys` its culprits. */
  add(report, { file, who, keys }) {
    const { reportedAt, pid, threadId = 0, node, culprits, verdict } = report;
    let process = this.#processes.get(who);
    if (process === undefined) {
      process = { host: report.host ?? path.dirname(file), pid, threadId, node: node ?? null, folder: path.dirname(file), verdict, reportedAt, reason: report.reason ?? 'verdict', leaks: new Map(), reports: 0 };
      this.#processes.set(who, process);
    }
    process.reports += 1;
    const bytesPerSecond = rateOf(report);
    culprits.forEach((culprit, i) => {
      const key = keys[i];
      process.leaks.set(key, (process.leaks.get(key) ?? 0) + 1);
      let leak = this.#leaks.get(key);
      if (leak === undefined) this.#leaks.set(key, leak = { culprit, report, isFirst: i === 0, by: new Map() });
      // A culprit that stands first somewhere is told with that report: its verdict is about it.
      else if (i === 0 && !leak.isFirst) Object.assign(leak, { culprit, report, isFirst: true });
      const one = leak.by.get(who);
      const since = [reportedAt, culprit.firstSeen].filter(Boolean).sort()[0];
      if (one === undefined) {
        leak.by.set(who, {
          host: process.host, pid, threadId, reports: 1, since, until: reportedAt, bytesPerSecond: i === 0 ? bytesPerSecond : null,
          countDelta: culprit.countDelta ?? null, retainedSizeDelta: culprit.retainedSizeDelta ?? null,
        });
      } else {
        one.reports += 1;
        if (since < one.since) one.since = since;
      }
    });
  }

  /** `{ culprit, report, by }` of the leak: the newest report that says most of it, and its processes by host. */
  of(key) {
    const { culprit, report, by } = this.#leaks.get(key);
    return { culprit, report, by: [...by.values()].sort((a, b) => order(a.since, b.since) || order(a.host, b.host) || a.pid - b.pid || a.threadId - b.threadId) };
  }

  get processes() {
    return [...this.#processes.values()];
  }
}

/** What the floor grew by in a second; nothing where the counters had proven nothing. */
const rateOf = ({ verdict: { status, growthBytesPerSecond } }) => (status === 'leak' || status === 'suspect' ? growthBytesPerSecond ?? null : null);

module.exports = { Appearances };
