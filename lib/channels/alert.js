'use strict';

// An alert as channels send it: what happened, in one object of JSON. It leaves the process, so it is redacted first (docs/redaction.md).

const { createHash, createHmac, randomBytes } = require('node:crypto');
const os = require('node:os');
const { threadId } = require('node:worker_threads');
const { alertMessage } = require('../messages');
const { redactReport } = require('../redact');

const SCHEMA_VERSION = 1;
const MOST_CULPRITS = 3;
const MOST_STEPS = 6;
const MOST_TEXT = 1000;

const SEVERITY = {
  leak: 'critical', 'heap-limit': 'critical', 'container-limit': 'critical', 'oom-risk': 'critical', postmortem: 'error',
  threshold: 'warning', listeners: 'warning', error: 'error', recovered: 'info',
};
/** Events whose payload is a LeakReport. */
const REPORTS = new Set(['leak', 'heap-limit', 'container-limit']);

/** Fingerprints of what is not told are of this process alone: who guesses a name cannot hold it against them. */
const KEY = randomBytes(32);

/** What is sent of a culprit. */
function culpritOf({ constructorName, pattern, countDelta, sizeDelta, retainedSizeDelta, holder, retainerPath, location, advice, fingerprint, known, firstSeen }) {
  return {
    constructorName, pattern, countDelta, sizeDelta, retainedSizeDelta,
    holder: holder && { constructorName: holder.constructorName, name: holder.name, location: placeOf(holder.location) },
    retainerPath: retainerPath.slice(0, MOST_STEPS).map(({ name, edge }) => ({ name, edge })),
    location: placeOf(location),
    advice, fingerprint,
    ...(known && { known }),
    ...(firstSeen && { firstSeen }),
  };
}

function placeOf(location) {
  return location ? { file: location.file, line: location.line, column: location.column } : null;
}

function leakOf({ reportedAt, verdict, culprits, evidence, routes, pauseMs, heapLimit, containerLimit }) {
  const { status, kind, growthBytesPerSecond, growthIntervalBytesPerSecond, since, etaMs, limit, advice } = verdict;
  return {
    reportedAt,
    verdict: { status, kind, growthBytesPerSecond, growthIntervalBytesPerSecond, since, etaMs, limit, advice },
    ...(heapLimit && { heapLimit }),
    ...(containerLimit && { containerLimit }),
    culprits: culprits.slice(0, MOST_CULPRITS).map(culpritOf),
    ...(routes && { routes }),
    pauseMs,
    evidence: { mode: evidence.mode, rung: evidence.rung },
  };
}

function listenersOf({ reason, kind, label, constructorName, event, count, countDelta, growthPerHour, since, location, emitters }) {
  return { reason, kind, label, constructorName, event, count, countDelta, growthPerHour, since, location: placeOf(location), emitters };
}

/** Of a death: not the exception's words, nor what the process was started as, nor where its recording lies. */
function deathOf({ pid, threadId: thread, node, startedAt, lastSeenAt, endedAt, cause, culprits }) {
  return { pid, threadId: thread, node, startedAt, lastSeenAt, endedAt, cause, culprits: (culprits ?? []).slice(0, MOST_CULPRITS).map(culpritOf) };
}

function riskOf({ kind, reason, at, usedBytes, limitBytes, raisedToBytes }) {
  return { kind, reason, at, usedBytes, limitBytes, ...(raisedToBytes !== undefined && { raisedToBytes }) };
}

/** What makes two alerts the same one. */
function keyOf(event, payload) {
  switch (event) {
    case 'leak':
    case 'heap-limit':
    case 'container-limit': return [payload.verdict.kind, ...payload.culprits.slice(0, 1).map(({ fingerprint }) => fingerprint)];
    case 'oom-risk': return [payload.kind];
    // Of each death it is told once already.
    case 'postmortem': return [payload.pid, payload.threadId, payload.startedAt];
    case 'threshold': return [payload.metric];
    case 'listeners': return [payload.reason, payload.kind, payload.label, payload.constructorName, payload.event];
    case 'error': return [payload?.code ?? payload?.name];
    default: return [payload?.from];
  }
}

/** The line for a person, of what may be sent. */
function titleOf(event, payload, told) {
  if (REPORTS.has(event)) return alertMessage(event, { ...told, evidence: { ...told.evidence, reason: payload.culprits.length === 0 ? 'see the report' : null } });
  if (event === 'listeners') return alertMessage('listeners', { ...told, functions: [] });
  if (event === 'postmortem') return `A process that ran before did not end cleanly: ${told.cause.what}${told.cause.certainty === 'certain' ? '' : ' (inferred)'}`;
  // An error's message may quote what was read.
  if (event === 'error') return `Heapwarden could not do something: ${payload?.code ?? payload?.name ?? 'an error'}`;
  return alertMessage(event, told);
}

/** What is sent of the payload, by event. */
const SENT = {
  leak: (told) => ({ leak: leakOf(told) }),
  'heap-limit': (told) => ({ leak: leakOf(told) }),
  'container-limit': (told) => ({ leak: leakOf(told) }),
  'oom-risk': (told) => ({ risk: riskOf(told) }),
  postmortem: (told) => ({ death: deathOf(told) }),
  threshold: (told) => ({ threshold: told }),
  listeners: (told) => ({ listeners: listenersOf(told) }),
  recovered: (told) => ({ from: told.from }),
};

/** The alert of an event, with what may be told at `level`. */
function alertOf(event, payload, { service, now = Date.now(), level = 'names' } = {}) {
  const told = event === 'error' ? undefined : redactReport(payload, level);
  const sent = event === 'error' ? { error: { code: payload?.code ?? null, name: payload?.name ?? 'Error' } } : SENT[event](told);
  const key = JSON.stringify([event, ...keyOf(event, payload)]);
  const isTold = level === 'full' || JSON.stringify(keyOf(event, told ?? payload)) === JSON.stringify(keyOf(event, payload));
  return {
    schemaVersion: SCHEMA_VERSION,
    event,
    severity: SEVERITY[event],
    redaction: level,
    at: new Date(now).toISOString(),
    fingerprint: (isTold ? createHash('sha256') : createHmac('sha256', KEY)).update(key).digest('hex').slice(0, 16),
    message: titleOf(event, payload, told).slice(0, MOST_TEXT),
    service: service ?? null,
    host: os.hostname(),
    pid: process.pid,
    threadId,
    node: process.version,
    ...sent,
  };
}

module.exports = { alertOf };
