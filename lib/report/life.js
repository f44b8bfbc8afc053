'use strict';

// One life for a chart: its samples and floors in columns, thinned out to what a chart can show, and what happened meanwhile.

/** Points of a line; a chart has about as many pixels. */
const MOST_POINTS = 1500;
const MOST_EVENTS = 300;
/** Of a line as small as a word. */
const SPARKS = 48;

/**
 * A life: `samples` (`{ at, heapUsed, external, rss, requests, heapLimit, containerLimit }`) and `floors` (`{ at, bytes }`), times in
 * milliseconds, oldest first; `events` are told as they are.
 */
function lifeOf({ samples, floors, events }) {
  const shown = thinned(samples, ({ heapUsed }) => heapUsed, MOST_POINTS);
  // Of floors the lowest of a stretch counts: what a collection has left later, or missed, is garbage.
  const low = lowest(floors, MOST_POINTS);
  const column = (key) => shown.map((sample) => sample[key] ?? null);
  return {
    at: shown.map(({ at }) => at), heapUsed: column('heapUsed'), external: column('external'), rss: column('rss'),
    requests: requestsBetween(samples, shown),
    floorAt: low.map(({ at }) => at), floor: low.map(({ bytes }) => bytes),
    collections: floors.length,
    events: events.length <= MOST_EVENTS ? events : events.slice(-MOST_EVENTS), eventsLeftOut: Math.max(events.length - MOST_EVENTS, 0),
  };
}

/** What stands of a life in a list: its span, its last figures, and its floors as a small line, from 0 to 1. */
function lifeInBrief({ samples, floors }) {
  const last = samples.at(-1);
  const line = floors.length >= 4 ? floors.map(({ bytes }) => bytes) : samples.map(({ heapUsed }) => heapUsed);
  const top = line.reduce((most, value) => Math.max(most, value), 1);
  const groups = Math.min(SPARKS, line.length);
  const spark = Array.from({ length: groups }, (_, i) => {
    const part = line.slice(Math.floor(i * line.length / groups), Math.floor((i + 1) * line.length / groups));
    return Math.round(Math.min(...part) / top * 100) / 100;
  });
  return {
    from: samples[0]?.at ?? null, to: last?.at ?? null, samples: samples.length, heapUsed: last?.heapUsed ?? null, rss: last?.rss ?? null,
    heapLimit: last?.heapLimit ?? null, containerLimit: last?.containerLimit ?? null,
    floor: floors.at(-1)?.bytes ?? null, spark,
  };
}

/** At most about `most` of `items`: of each stretch the highest and the lowest by `figure`, so that no peak is lost. */
function thinned(items, figure, most) {
  if (items.length <= most) return items;
  const stretches = Math.floor(most / 2);
  const kept = [];
  for (let i = 0; i < stretches; i += 1) {
    const from = Math.floor(i * items.length / stretches);
    const to = Math.floor((i + 1) * items.length / stretches);
    let low = from;
    let high = from;
    for (let k = from + 1; k < to; k += 1) {
      if (figure(items[k]) < figure(items[low])) low = k;
      if (figure(items[k]) > figure(items[high])) high = k;
    }
    kept.push(items[Math.min(low, high)]);
    if (low !== high) kept.push(items[Math.max(low, high)]);
  }
  // The ends say since when and how much at last.
  if (kept[0] !== items[0]) kept.unshift(items[0]);
  if (kept.at(-1) !== items.at(-1)) kept.push(items.at(-1));
  return kept;
}

function lowest(floors, most) {
  if (floors.length <= most) return floors;
  const low = [];
  for (let i = 0; i < most; i += 1) {
    const part = floors.slice(Math.floor(i * floors.length / most), Math.floor((i + 1) * floors.length / most));
    low.push(part.reduce((least, floor) => (floor.bytes < least.bytes ? floor : least)));
  }
  return low;
}

/** Requests a second up to each sample that is shown, since the one before that is shown. */
function requestsBetween(samples, shown) {
  let at = 0;
  let before = samples[0]?.at;
  return shown.map((sample) => {
    let count = 0;
    for (; at < samples.length && samples[at].at <= sample.at; at += 1) count += samples[at].requests ?? 0;
    const seconds = (sample.at - before) / 1000;
    before = sample.at;
    return seconds > 0 ? Math.round(count / seconds * 100) / 100 : null;
  });
}

module.exports = { MOST_POINTS, lifeInBrief, lifeOf };
