'use strict';

// What lies in evidence folders, of one process or of many: which leaks there are, in how many processes and since when, and who died of what.

const fs = require('node:fs');
const path = require('node:path');
const { examine, isBad } = require('../deaths');
const { evidenceIn } = require('./files');

const MOST_REPORTS = 10_000;
const MOST_REPORT_BYTES = 4 * 2 ** 20;
const MOST_RECORDINGS = 500;
/** A path that tells leaks apart that have no fingerprint. */
const STEPS = 6;

/**
 * Reads the evidence in `places`, files and folders, and gives `{ from, to, reports, hosts, processes, leaks, deaths, unreadable, passedOver }`.
 * `tell(report)` may give another report in its place, a redacted one; so `tellDeath(finding)` of a death. `signal` ends it.
 */
async function collect(places, { tell, tellDeath, signal } = {}) {
  return (await collectFrom(await evidenceIn(places, signal), { tell, tellDeath, signal })).told;
}

/**
 * The same of files that were found, as `told`, with the leaks' `keys`, by which they were told apart. `onReport(report, { file, who, keys })` is given each
 * report, as it is told, with what tells its process and its culprits apart; `onLife(finding, file)` each life that was recorded, whatever became
 * of it. What tells apart is what was read, not what is told: redacted leaks would be alike. It is not for others.
 */
async function collectFrom(found, { tell = (report) => report, tellDeath = (finding) => finding, signal, onReport, onLife } = {}) {
  const group = new Groups();
  const unreadable = [];
  for (const file of found.reports.slice(0, MOST_REPORTS)) {
    signal?.throwIfAborted();
    try {
      const read = await readReport(file);
      const keys = read.culprits.map(keyOf);
      const report = tell(read);
      const who = group.add(report, file, keys);
      onReport?.(report, { file, who, keys });
    } catch (error) {
      unreadable.push(problem(file, error));
    }
  }
  const deaths = [];
  for (const file of found.recordings.slice(0, MOST_RECORDINGS)) {
    signal?.throwIfAborted();
    try {
      const finding = tellDeath(await examine(file));
      if (isBad(finding)) deaths.push(deathOf(finding));
      onLife?.(finding, file);
    } catch (error) {
      unreadable.push(problem(file, error));
    }
  }
  const passedOver = Math.max(found.reports.length - MOST_REPORTS, 0) + Math.max(found.recordings.length - MOST_RECORDINGS, 0);
  const { keys, ...told } = group.result();
  return { keys, told: { ...told, deaths: deaths.sort((a, b) => (a.endedAt < b.endedAt ? 1 : -1)), unreadable, passedOver } };
}

const problem = (file, error) => ({ file, code: error.code ?? null, message: error.message });

async function readReport(file) {
  const { size } = await fs.promises.stat(file);
  if (size > MOST_REPORT_BYTES) throw new Error(`expected a leak report of at most ${MOST_REPORT_BYTES} bytes, found ${size}`);
  let report;
  try {
    report = JSON.parse(await fs.promises.readFile(file, 'utf8'));
  } catch (error) {
    if (error.code) throw error;
    throw new Error('expected a leak report, found no JSON', { cause: error });
  }
  const { culprits, reportedAt, pid, verdict } = report ?? {};
  const isReport = Array.isArray(culprits) && culprits.every((culprit) => culprit && Array.isArray(culprit.retainerPath)) &&
    typeof reportedAt === 'string' && !Number.isNaN(Date.parse(reportedAt)) && Number.isInteger(pid) && verdict !== null && typeof verdict === 'object';
  if (!isReport) throw new Error('expected a leak report, found something else');
  return report;
}

/** Reports, by what they blame. */
class Groups {
  #leaks = new Map();
  #hosts = new Set();
  #processes = new Set();
  #reports = 0;
  #from;
  #to;

  add(report, file, keys) {
    const { reportedAt, pid, threadId = 0, culprits, verdict, reason = 'verdict' } = report;
    // Processes of containers have the same numbers: without a host it is the folder that tells them apart.
    const host = report.host ?? path.dirname(file);
    const who = JSON.stringify([host, pid, threadId]);
    this.#reports += 1;
    this.#hosts.add(host);
    this.#processes.add(who);
    this.#from = earlier(this.#from, reportedAt);
    this.#to = later(this.#to, reportedAt);
    culprits.forEach((culprit, i) => {
      const key = keys[i];
      let leak = this.#leaks.get(key);
      // Reports come with the newest first: what is told of a leak is what the newest says.
      if (leak === undefined) this.#leaks.set(key, leak = { ...newLeak(culprit), growthBytesPerSecond: verdict.growthBytesPerSecond ?? null, file });
      leak.hosts.add(host);
      leak.processes.add(who);
      leak.reasons.add(reason);
      leak.reports += 1;
      if (i === 0) leak.first += 1;
      leak.since = earlier(leak.since, earlier(reportedAt, culprit.firstSeen));
      leak.until = later(leak.until, reportedAt);
      leak.retainedSizeDelta = Math.max(leak.retainedSizeDelta, culprit.retainedSizeDelta ?? 0);
    });
    return who;
  }

  result() {
    const inOrder = [...this.#leaks].sort(([, a], [, b]) => b.first - a.first || b.hosts.size - a.hosts.size || b.retainedSizeDelta - a.retainedSizeDelta);
    const leaks = inOrder.map(([, { hosts, processes, reasons, ...leak }]) => ({ ...leak, hosts: [...hosts].sort(), processes: processes.size, reasons: [...reasons].sort() }));
    return {
      from: this.#from ?? null, to: this.#to ?? null, reports: this.#reports, hosts: this.#hosts.size, processes: this.#processes.size, leaks,
      keys: inOrder.map(([key]) => key),
    };
  }
}

function newLeak({ fingerprint, constructorName, pattern, holder, retainerPath, location, advice, known }) {
  return {
    fingerprint: fingerprint ?? null, constructorName, pattern, holder: holder ?? null, retainerPath, location: location ?? null,
    advice: advice ?? null, known: known ?? null,
    hosts: new Set(), processes: new Set(), reasons: new Set(), reports: 0, first: 0, since: undefined, until: undefined, retainedSizeDelta: 0,
  };
}

function keyOf({ fingerprint, constructorName, pattern, retainerPath }) {
  if (fingerprint) return fingerprint;
  return JSON.stringify([constructorName, pattern, retainerPath.slice(0, STEPS).map(({ name, edge }) => [name, edge])]);
}

const earlier = (a, b) => (a === undefined || (b !== undefined && b < a) ? b : a);
const later = (a, b) => (a === undefined || b > a ? b : a);

function deathOf({ file, pid, threadId, title, node, startedAt, lastSeenAt, endedAt, cause }) {
  return { file, pid, threadId, title, node, startedAt, endedAt: endedAt ?? lastSeenAt, cause };
}

module.exports = { collect, collectFrom, problem };
