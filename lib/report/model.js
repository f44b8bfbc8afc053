'use strict';

// All that a page is about: what `collect` groups, with who has it, the lives behind it, and what snapshots contain.

const path = require('node:path');
const { version } = require('../../package.json');
const { Appearances } = require('./appearances');
const { collectFrom, problem } = require('./collect');
const { packed, tableOf } = require('./columns');
const { evidenceIn, order } = require('./files');
const { heapsIn } = require('./heaps');
const { lifeInBrief, lifeOf } = require('./life');
const { recordedLife, seriesLife } = require('./lives');

const MOST_LEAKS = 200;
/** Lives with a chart; of the others a line. */
const MOST_CHARTS = 100;
const MOST_SERIES = 500;
const MOST_APPEARANCES = 1000;
const MOST_LISTED = 2000;
/** Rows of a table of classes; a heap of millions of objects has some thousand. */
const MOST_CLASSES = 200_000;

/**
 * `{ overview, blocks }` of the evidence in `places`: what a page shows at once, and by name what it unpacks when it is wanted.
 *
 * `telling` says what of it may be told; `snapshots` how many are looked at; `signal` ends it, `onProgress` is told how far it is.
 */
async function modelOf(places, { telling, leaks: most = MOST_LEAKS, snapshots = 2, signal, onProgress }) {
  const found = await evidenceIn(places, signal);
  const who = new Appearances();
  const ends = new Map();
  const entered = (stage) => onProgress?.({ stage, bytes: 0, totalBytes: null });
  entered('reports');
  const { told: collected, keys } = await collectFrom(found, {
    tell: telling.report, tellDeath: telling.death, signal, onReport: (report, how) => who.add(report, how), onLife: (finding, file) => ends.set(file, finding),
  });
  entered('lives');
  const lives = await livesIn(found, { telling, signal });
  const { heaps, comparison, ...rest } = await heapsIn(found, { most: snapshots, telling, signal, onProgress });
  const blocks = {};
  const place = placesIn(places);
  // A leak is called by its number in the list.
  const leaks = collected.leaks.slice(0, most);
  const numbers = new Map(leaks.map((leak, i) => [keys[i], i + 1]));
  const overview = {
    version, redaction: telling.level,
    from: collected.from, to: collected.to, reports: collected.reports, hosts: collected.hosts,
    leakCount: collected.leaks.length,
    leaks: leaks.map((leak, i) => leakOf(leak, who.of(keys[i]), place)),
    processes: processesOf(who, lives.found, ends, { blocks, place, numbers }),
    deaths: collected.deaths.slice(0, MOST_LISTED).map((death) => ({ ...death, file: place(death.file) })),
    heaps: heaps.map((heap, i) => heapOf(heap, `heap${i}`, { blocks, place })),
    comparison: comparison && comparisonOf(comparison, { blocks, place }),
    unreadable: [...collected.unreadable, ...lives.unreadable, ...rest.unreadable].slice(0, MOST_LISTED)
      .map(({ file, ...said }) => ({ file: place(file), ...said, message: said.message.replaceAll(file, place(file)) })),
    passedOver: { files: collected.passedOver + lives.passedOver, snapshots: rest.passedOver },
  };
  const isEmpty = collected.reports === 0 && lives.found.length === 0 && heaps.length === 0;
  return { overview, blocks, isEmpty, firstProblem: [...collected.unreadable, ...lives.unreadable, ...rest.unreadable][0] };
}

/** How files are called: by the way to them from the place that was given, which is the same wherever the evidence lies. */
function placesIn(places) {
  const roots = places.map((given) => path.resolve(given));
  return (file) => {
    const root = roots.find((folder) => file === folder || file.startsWith(folder + path.sep));
    if (root === undefined) return file;
    return (file === root ? path.basename(file) : path.relative(root, file)).split(path.sep).join('/');
  };
}

async function livesIn({ recordings, series }, { telling, signal }) {
  const found = [];
  const unreadable = [];
  const read = async (file, how) => {
    // A turn of the loop, so that a signal is heard.
    await new Promise((resolve) => { setImmediate(resolve); });
    signal?.throwIfAborted();
    try {
      const life = await how(file);
      if (life.samples.length === 0) return;
      const { pid, threadId, node, title, verdict } = life;
      // All samples of hundreds of lives would be gigabytes: what is kept of each is what is shown.
      found.push({
        file, pid, threadId, node, title: telling.level === 'full' ? title : null, verdict: verdict && telling.report(verdict),
        brief: lifeInBrief(life), chart: lifeOf({ ...life, events: life.events.map(telling.event) }),
      });
    } catch (error) {
      signal?.throwIfAborted();
      // What is no recording was told of already, by whoever looked for deaths.
      if (!file.endsWith('.hwr')) unreadable.push(problem(file, error));
    }
  };
  for (const file of recordings.slice(0, MOST_SERIES)) await read(file, recordedLife);
  for (const file of series.slice(0, MOST_SERIES)) await read(file, (name) => seriesLife(name, { signal }));
  return { found, unreadable, passedOver: Math.max(series.length - MOST_SERIES, 0) };
}

function leakOf(leak, { culprit, report, by }, place) {
  const { verdict, routes, evidence, allocationSites = [], heapLimit, containerLimit } = report;
  const { hosts, file, ...told } = leak;
  return {
    ...told,
    // Of the report that is told: the newest in which it stands first.
    constructorName: culprit.constructorName, pattern: culprit.pattern, holder: culprit.holder ?? null, retainerPath: culprit.retainerPath,
    location: culprit.location ?? null, advice: culprit.advice ?? null, known: culprit.known ?? null, countDelta: culprit.countDelta ?? null,
    hosts: hosts.length, file: place(file), reportedAt: report.reportedAt,
    verdict: verdictOf(verdict), routes: routes ?? null, allocationSites: allocationSites.slice(0, 5), heapLimit: heapLimit ?? null, containerLimit: containerLimit ?? null,
    evidence: evidence && { mode: evidence.mode, rung: evidence.rung, reason: evidence.reason, confirmation: confirmationOf(evidence.confirmation, culprit) },
    by: by.slice(0, MOST_APPEARANCES).map((one) => ({ ...one, host: hostName(one.host, place) })), byCount: by.length,
  };
}

function verdictOf(verdict) {
  if (!verdict) return null;
  const { status, kind, growthBytesPerSecond = null, growthIntervalBytesPerSecond = null, since = null, etaMs = null, limit = null, advice = null, evidence } = verdict;
  const floors = evidence && { floors: evidence.floors, windowMs: evidence.windowMs, growthBytes: evidence.growthBytes, standardErrors: evidence.standardErrors };
  return { status, kind, growthBytesPerSecond, growthIntervalBytesPerSecond, since, etaMs, limit, advice, floors: floors ?? null };
}

function confirmationOf(confirmation, { fingerprint }) {
  const decision = confirmation?.decisions?.find((one) => one.fingerprint === fingerprint);
  return decision ? { outcome: decision.outcome, firstBytes: decision.firstBytes, secondBytes: decision.secondBytes, afterMs: confirmation.afterMs } : null;
}

/** Where a report has no host its folder stands for it. */
const hostName = (host, place) => (path.isAbsolute(host) ? folderName(host, place) : host);
const folderName = (folder, place) => place(path.join(folder, '.')) || path.basename(folder);

/** One for each process: what it reported, and the life that was recorded of it. A life that reported nothing stands for itself. */
function processesOf(who, lives, ends, { blocks, place, numbers }) {
  const free = new Set(lives);
  const rows = who.processes.map((process) => {
    const life = lives.find((one) => free.has(one) && isOf(one, process));
    free.delete(life);
    return rowOf(process, life);
  });
  rows.push(...[...free].map((life) => rowOf({ host: path.dirname(life.file), pid: life.pid, threadId: life.threadId, node: life.node, leaks: new Map(), reports: 0 }, life)));
  rows.sort((a, b) => b.row.reports - a.row.reports || order(a.row.host, b.row.host) || a.row.pid - b.row.pid || a.row.threadId - b.row.threadId
    || (a.row.from ?? 0) - (b.row.from ?? 0));
  let charts = 0;
  return rows.slice(0, MOST_LISTED).map(({ row, life }) => {
    if (!life || charts === MOST_CHARTS) return row;
    const block = `life${charts}`;
    charts += 1;
    blocks[block] = packed(life.chart);
    return { ...row, block };
  });

  function rowOf({ host, pid, threadId, node, leaks, reports, verdict, reportedAt, reason }, life) {
    const end = life && ends.get(life.file);
    const state = verdictOf(life?.verdict ?? verdict);
    const row = {
      host: hostName(host, place), pid, threadId, node: node ?? life?.node ?? null, title: life?.title ?? null, reports, leaks: [...leaks.keys()].map((key) => numbers.get(key)).filter(Boolean).sort((a, b) => a - b), reportedAt: reportedAt ?? null, reason: reason ?? null,
      verdict: state, end: end ? { kind: end.cause.kind, what: end.cause.what, certainty: end.cause.certainty, at: end.endedAt ?? end.lastSeenAt } : null,
      ...life?.brief, ...(life && { file: place(life.file) }),
    };
    return { row, life };
  }
}

/** Whether a recording is of the process that reported: beside the report, of the same number, and alive when it was made. */
function isOf({ file, pid, threadId, brief }, process) {
  if (path.dirname(file) !== process.folder || pid !== process.pid || threadId !== process.threadId) return false;
  const at = Date.parse(process.reportedAt);
  const slack = 600_000;
  return at >= brief.from - slack && at <= brief.to + slack;
}

function heapOf({ file, bytes, summary }, name, { blocks, place }) {
  const { constructors, suspects, listeners, timers, promises, collections, territories = [], nodeCount, edgeCount, totalShallowSize } = summary;
  blocks[`${name}.classes`] = packed(tableOf(constructors.slice(0, MOST_CLASSES), ['constructorName', 'count', 'shallowSize', 'retainedSize', 'distance']));
  blocks[`${name}.map`] = packed(tableOf(territories, ['parent', 'constructorName', 'edge', 'count', 'shallowSize', 'retainedSize']));
  return {
    file: place(file), bytes, nodeCount, edgeCount, totalShallowSize, promises, classCount: constructors.length, classes: `${name}.classes`, map: `${name}.map`,
    suspects: suspects.slice(0, 10), listeners: listeners.slice(0, MOST_LISTED), timers: timers.slice(0, MOST_LISTED), collections: collections.slice(0, 50),
  };
}

function comparisonOf({ before, after, diff }, { blocks, place }) {
  const rows = diff.constructors.slice(0, MOST_CLASSES);
  blocks.comparison = packed(tableOf(rows, ['constructorName', 'countDelta', 'sizeDelta', 'addedCount', 'removedCount', 'addedSize', 'removedSize']));
  return {
    before: place(before), after: place(after), matchedBy: diff.matchedBy, matchedByReason: diff.matchedByReason, classCount: diff.constructors.length,
    classes: 'comparison', culprits: diff.culprits.slice(0, 20),
  };
}

module.exports = { modelOf };
