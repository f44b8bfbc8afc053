'use strict';

// How good verdicts are: labels say what each trace is, verdicts what the detector made of it.
//
// Healthy time is that of healthy traces and, of leaky ones, that before the leak begins, counted in hours of a sample every 30 s.
// Alarms that are at most ten samples apart are one episode, a false one where it is in healthy time. A leak is found by the first
// alarm after its onset. A suspicion is no alarm; it is counted by itself, and what leads to a leak comes no later than its alarm.

const EPISODE_SAMPLES = 10;
const NOMINAL_SECONDS = 30;
/** The error, in doublings, of a rate that cannot be compared. */
const NO_RATE = 9;

/** The value below which a share of the others lies, with interpolation; null of nothing. */
function quantile(values, share) {
  if (values.length === 0) return null;
  const sorted = Float64Array.from(values).sort();
  const place = share * (sorted.length - 1);
  const below = sorted[Math.floor(place)];
  return below + (sorted[Math.ceil(place)] - below) * (place % 1);
}

/** KiB that a trace has leaked by `t`: straight lines between its knots. */
function leakedBy(label, t) {
  if (t <= label.onset) return 0;
  let from = [label.onset, 0];
  for (const to of label.knots) {
    if (to[0] >= t) return from[1] + (to[1] - from[1]) * Math.min(1, (t - from[0]) / Math.max(1e-9, to[0] - from[0]));
    if (to[0] > from[0]) from = to;
  }
  return from[1];
}

/** The median of `values` and of as many infinite ones as `count` wants; null where that is infinite or of nothing. */
function medianOfAll(values, count) {
  const sorted = Float64Array.from(values).sort();
  const [low, high] = [Math.floor((count - 1) / 2), Math.ceil((count - 1) / 2)];
  return count === 0 || high >= sorted.length ? null : (sorted[low] + sorted[high]) / 2;
}

function episodes(alarms, seconds) {
  return alarms.filter(([t], i) => i === 0 || t - alarms[i - 1][0] > EPISODE_SAMPLES * seconds).length;
}

/** What became of one trace. */
function judge(label, verdict) {
  const seconds = label.dt ?? NOMINAL_SECONDS;
  const pace = NOMINAL_SECONDS / seconds;
  const alarms = verdict?.alarms ?? (verdict?.t == null ? [] : [[verdict.t, verdict.kind, verdict.rate]]);
  const base = { id: label.id, family: label.family, leak: label.leak, ambiguous: Boolean(label.ambiguous) };
  const end = label.leak ? label.onset : Infinity;
  const wallHours = label.leak ? label.onset / 3600 : label.hours;
  const early = alarms.filter(([t]) => t < end);
  const suspects = verdict?.suspects ?? [];
  const result = {
    ...base,
    seconds,
    wallHours,
    healthyHours: wallHours * pace,
    falseAlarms: episodes(early, seconds),
    early,
    suspects: suspects.filter(([t]) => t < end).length,
    found: null,
    hinted: null,
  };
  if (!label.leak) return result;
  const hit = alarms.find(([t]) => t >= label.onset);
  const visible = Math.max(label.visible || label.onset, label.onset);
  const hint = Math.min(...[hit, suspects.find(([t]) => t >= label.onset)].map((first) => first?.[0] ?? Infinity));
  if (hint < Infinity) result.hinted = Math.max(0, hint - visible) / seconds;
  if (!hit) return result;
  const [t, kind, rate] = hit;
  const leaked = leakedBy(label, t);
  const unseen = visible < t ? leakedBy(label, visible) : 0;
  const trueRate = leaked * 1024 / Math.max(seconds, t - label.onset);
  result.found = {
    samples: Math.max(0, t - visible) / seconds,
    leakedMB: (leaked - unseen) / 1024,
    kind: kind === label.kind || (label.kind === 'mixed' && (kind === 'heap' || kind === 'external')),
    doublings: trueRate > 0 && rate > 0 ? Math.abs(Math.log2(rate / trueRate)) : NO_RATE,
  };
  return result;
}

/** The figures of some traces together. */
function summary(results) {
  const sum = (values) => values.reduce((a, b) => a + b, 0);
  const clear = results.filter((r) => !r.ambiguous);
  const healthy = clear.filter((r) => !r.leak);
  const leaks = results.filter((r) => r.leak);
  const unclear = results.filter((r) => r.ambiguous && !r.leak);
  const found = leaks.flatMap((r) => (r.found ? [r.found] : []));
  const hints = leaks.flatMap((r) => (r.hinted === null ? [] : [r.hinted]));
  const of = (key) => found.map((f) => f[key]);
  const share = (count, all) => (all === 0 ? null : count / all);
  return {
    healthyHours: sum(clear.map((r) => r.healthyHours)),
    wallHours: sum(clear.map((r) => r.wallHours)),
    falseAlarms: sum(clear.map((r) => r.falseAlarms)),
    falseAlarmsOf: clear.filter((r) => r.falseAlarms > 0).map(({ id, family, seconds, early }) => ({ id, family, seconds, alarms: early })),
    suspectsADay: share(sum(clear.map((r) => r.suspects)), sum(clear.map((r) => r.healthyHours)) / 24),
    hinted: hints.length,
    hintSamplesMedian: quantile(hints, 0.5),
    healthyTraces: healthy.length,
    healthyAlarmed: healthy.filter((r) => r.falseAlarms > 0).length,
    alarmedBeforeOnset: leaks.filter((r) => r.falseAlarms > 0).length,
    ambiguousTraces: unclear.length,
    ambiguousAlarmed: unclear.filter((r) => r.falseAlarms > 0).length,
    leaks: leaks.length,
    found: found.length,
    missed: leaks.filter((r) => !r.found).map((r) => r.id),
    samplesMedian: quantile(of('samples'), 0.5),
    // One that was missed took for ever, so that a detector cannot become faster by missing those that take long.
    samplesMedianOfAll: medianOfAll(of('samples'), leaks.length),
    samplesP90: quantile(of('samples'), 0.9),
    leakedMBMedian: quantile(of('leakedMB'), 0.5),
    leakedMBP90: quantile(of('leakedMB'), 0.9),
    kindRight: share(of('kind').filter(Boolean).length, found.length),
    rateWithin2x: share(of('doublings').filter((d) => d <= 1).length, found.length),
    rateDoublingsMedian: quantile(of('doublings'), 0.5),
  };
}

/** `{ all, families }`: the figures of all traces, and of each family of them by name. */
function score(labels, verdicts) {
  const byId = new Map(verdicts.map((verdict) => [verdict.id, verdict]));
  const results = labels.map((label) => judge(label, byId.get(label.id)));
  const families = new Map();
  for (const result of results) {
    const name = `${result.leak ? 'leak' : 'healthy'}: ${result.family}`;
    families.set(name, [...(families.get(name) ?? []), result]);
  }
  return { all: summary(results), families: Object.fromEntries([...families].map(([name, some]) => [name, summary(some)])) };
}

module.exports = { score, quantile, leakedBy };
