'use strict';

// The last rung: a second look, some intervals after the first, where that left it open who is to blame. What counts as open, and what the
// second look decides, is native code's.

const native = require('./load');
const { translated } = require('./errors');
const { jsonForNative } = require('./plain');

/** How long after the first look the second is taken, in sampling intervals: this at least, this at most, and never longer than that. */
const LEAST_INTERVALS = 2;
const MOST_INTERVALS = 8;
const MOST_MS = 300_000;
/** In between, this share of the time since the baseline: what has grown until then has grown by as much again. */
const SHARE = 0.05;
/** A limit that is less than so many waits away is too near to wait. */
const LEAST_WAITS = 4;
/** What other memory a process has, a look at its heap does not explain. */
const KINDS = ['heap', 'external'];

/** Why the culprits of a look at `at` do not tell who is to blame; nothing where they do. */
function doubt(verdict, culprits, sinceBaselineMs) {
  if (!KINDS.includes(verdict.kind)) return undefined;
  const floor = {
    bytes: verdict.evidence?.growthBytes ?? 0,
    bytesPerSecond: verdict.growthBytesPerSecond ?? 0,
    sinceBaselineMs,
    confirmed: verdict.evidence?.confirmedBy?.constructorName ?? null,
  };
  return translated(() => native.ambiguityOf(jsonForNative(culprits), JSON.stringify(floor))) ?? undefined;
}

/** How long to wait for the second look. */
function waitMs(intervalMs, sinceBaselineMs) {
  const most = Math.min(MOST_INTERVALS * intervalMs, MOST_MS);
  return Math.min(most, Math.max(LEAST_INTERVALS * intervalMs, SHARE * sinceBaselineMs));
}

/** Why nobody should wait, if so. */
function haste({ etaMs, evidence }, wait) {
  const isNear = evidence?.urgent || (typeof etaMs === 'number' && etaMs < LEAST_WAITS * wait);
  return isNear ? 'the limit is too near to wait for a second look' : undefined;
}

/** `{ culprits, decisions }`: those of the second look, and what was decided of each; `spans` in milliseconds, with the floor's slope. */
function decided(first, second, spans) {
  return JSON.parse(translated(() => native.confirmCulprits(
    JSON.stringify(first), JSON.stringify(second), JSON.stringify(spans))));
}

module.exports = { doubt, waitMs, haste, decided };
