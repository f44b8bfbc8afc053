'use strict';

// What recordings in the evidence directory say of deaths: for the command `heapwarden postmortem`, and for whoever starts after a death.

const fs = require('node:fs');
const path = require('node:path');
const native = require('./load');
const { translatedAsync } = require('./errors');
const { makeEmpty, readOwn } = require('./own-files');

/** Names that are looked at in a directory of which others make use, too. */
const MOST_NAMES = 20_000;
const RECORDING = /^heapwarden-flight-(\d{8}T\d{6}-\d{3}Z)-\d+-\d+\.hwr$/;
const REPORT = /^heapwarden-leak-(\d{8}T\d{6}-\d{3}Z)-(\d+)-(\d+)\.json$/;
const MOST_REPORT_BYTES = 4 * 2 ** 20;
/** A report of a death may be finished by a clone some time after it. */
const REPORT_LATE_MS = 300_000;

/** Told of at a start: recordings that are looked at, the newest ones, with so many bytes together. */
const MOST_NOTICED = 10;
const MOST_NOTICED_BYTES = 64 * 2 ** 20;
/** Beside a recording that was told of there is an empty file of its name with this around it. */
const TOLD = /^\.(heapwarden-flight-.+\.hwr)\.told$/;
const toldName = (name) => `.${name}.told`;

/** `20261121T131218-123Z` in milliseconds since the epoch. */
function timeOf(compact) {
  const [, y, mo, d, h, mi, s, ms] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)-(\d{3})Z$/.exec(compact);
  return Date.UTC(y, mo - 1, d, h, mi, s, ms);
}

/** The names in a directory, as far as anybody looks; none where there is no such directory. */
async function namesIn(directory) {
  const names = [];
  try {
    for await (const { name } of await fs.promises.opendir(directory)) {
      names.push(name);
      if (names.length === MOST_NAMES) break;
    }
  } catch (error) {
    if (error.code !== 'ENOENT') throw error;
  }
  return names;
}

/** The names of recordings among `names`, newest first. They start with the time, so that they sort by it. */
const recordingsAmong = (names) => names.filter((name) => RECORDING.test(name)).sort().reverse();

/** What the recording says, with the culprits of the last report of the same life. */
async function examine(file, names) {
  const finding = JSON.parse(await translatedAsync(native.postmortem(file)));
  const directory = path.dirname(file);
  const report = await reportOf(finding, directory, names ?? await namesIn(directory));
  if (report) {
    finding.culprits = report.culprits;
    finding.culpritsFrom = { file: report.file, reportedAt: report.reportedAt, reason: report.reason };
  }
  return finding;
}

/** The last report of this life that names somebody; nothing where there is none that can be read. */
async function reportOf({ pid, threadId, startedAt, endedAt, lastSeenAt, cause, culpritsFrom }, directory, names) {
  const from = Date.parse(startedAt);
  const to = Date.parse(endedAt ?? lastSeenAt) + REPORT_LATE_MS;
  // Processes of two containers may have one number: what the recording says of its own report decides, but for the one that is written when
  // nothing can be recorded any more.
  const isLast = cause.kind === 'heap-limit';
  const own = culpritsFrom?.reportedAt ? Date.parse(culpritsFrom.reportedAt) : undefined;
  const candidates = names
    .map((name) => ({ name, match: REPORT.exec(name) }))
    .filter(({ match }) => match && Number(match[2]) === pid && Number(match[3]) === threadId)
    .map(({ name, match }) => ({ name, at: timeOf(match[1]) }))
    .filter(({ at }) => (own === undefined || isLast ? at >= (own ?? from) && at <= to : at === own))
    .sort((a, b) => b.at - a.at);
  for (const { name } of candidates.slice(0, 3)) {
    const report = await readReport(path.join(directory, name));
    if (report?.culprits.length > 0) return report;
  }
  return undefined;
}

async function readReport(file) {
  try {
    const text = await readOwn(file, MOST_REPORT_BYTES);
    if (text === undefined) return undefined;
    const { culprits, reportedAt, reason = 'verdict' } = JSON.parse(text);
    const report = { culprits, reportedAt, reason, file };
    return Array.isArray(culprits) ? report : undefined;
  } catch {
    // Not one of ours, or cut short by somebody else.
    return undefined;
  }
}

/**
 * Has `tell(finding)` called for each life recorded in `directory` that ended badly and that nobody has told of: once, whoever else looks
 * at the same time. Gives how many there were.
 */
async function tellDeaths(directory, tell) {
  const names = await namesIn(directory);
  const there = new Set(names);
  await Promise.all(names.filter((name) => TOLD.test(name) && !there.has(TOLD.exec(name)[1]))
    .map((name) => fs.promises.unlink(path.join(directory, name)).catch(() => {})));
  let bytes = MOST_NOTICED_BYTES;
  const findings = [];
  const ours = [];
  for (const name of recordingsAmong(names).slice(0, MOST_NOTICED)) {
    if (there.has(toldName(name))) continue;
    const file = path.join(directory, name);
    const length = await lengthOf(file);
    if (length === undefined || length > bytes) continue;
    // Not worth reading: whoever lives has not died, this process first of all.
    if (native.isRecording(file)) continue;
    bytes -= length;
    // Nobody has asked: a recording that is none, or is gone meanwhile, is nobody's trouble at a start.
    const finding = await examine(file, names).catch(() => undefined);
    if (!finding || finding.cause.kind === 'running') continue;
    findings.push(finding);
    if (await claimed(path.join(directory, toldName(name))) && isBad(finding)) ours.push(finding);
  }
  const told = ours.filter((finding) => !mainOf(finding, findings));
  told.forEach(tell);
  return told.length;
}

/** How far apart the last signs of life of two threads of a process may be, beside their intervals. */
const TOGETHER_MS = 5000;

/** Among `findings`, that of the main thread of the same process, if it died of the same with this worker: one death, told once. */
function mainOf(worker, findings) {
  if (worker.threadId === 0) return undefined;
  const end = ({ endedAt, lastSeenAt }) => Date.parse(endedAt ?? lastSeenAt);
  return findings.find((main) => main.threadId === 0 && main.pid === worker.pid && isBad(main) && main.cause.kind === worker.cause.kind &&
    Math.abs(end(main) - end(worker)) <= TOGETHER_MS + 2 * Math.max(main.intervalMs, worker.intervalMs));
}

/** How long a regular file is; nothing for what is none. */
async function lengthOf(file) {
  try {
    const stat = await fs.promises.lstat(file);
    return stat.isFile() ? stat.size : undefined;
  } catch {
    return undefined;
  }
}

/** Whether this process is the one that tells: of all that try, one can create the file. */
async function claimed(file) {
  try {
    await makeEmpty(file);
    return true;
  } catch {
    // Somebody else has, or nobody can: better not told than told at each start.
    return false;
  }
}

/** Ends that are as the program meant them. */
const FINE = new Set(['running', 'clean-exit', 'exit', 'stopped', 'terminated']);

/** Whether the life ended as nobody meant it to. */
const isBad = ({ cause }) => !FINE.has(cause.kind);

module.exports = { examine, isBad, mainOf, namesIn, recordingsAmong, tellDeaths };
