'use strict';

const fs = require('node:fs');
const zlib = require('node:zlib');
const { once } = require('node:events');

const GC_TICKS_PER_S = 10;
// Sums over a sample, not levels: written as they are.
const COUNTS = new Set(['alloc', 'cpu', 'req']);

const delta = (values) => {
  let previous = 0;
  return Array.from(values, (value) => {
    const rounded = Math.round(value);
    const change = rounded - previous;
    previous = rounded;
    return change;
  });
};

const sum = (deltas) => {
  let total = 0;
  return deltas.map((value) => (total += value));
};

/**
 * One trace as a line of JSON. `trace`: `id`, `source`, `dt` (seconds a sample), `limit` (KiB), `columns` (`t` in milliseconds
 * where samples are not evenly spaced, levels in KiB, counts per sample), `gc` (`t` seconds, `kind` `M` or `m`, `used`, `external`
 * KiB right after it), `events` (`[[seconds, name]]`).
 */
function encode(trace) {
  const cols = {};
  for (const [name, values] of Object.entries(trace.columns)) {
    cols[name] = COUNTS.has(name) ? Array.from(values, Math.round) : delta(values);
  }
  return JSON.stringify({
    v: 1,
    id: trace.id,
    source: trace.source,
    dt: trace.dt,
    n: cols.heapUsed.length,
    limit: Math.round(trace.limit),
    unit: 'KiB',
    cols,
    gcTick: GC_TICKS_PER_S,
    gc: {
      t: delta(trace.gc.t.map((t) => t * GC_TICKS_PER_S)),
      k: trace.gc.kind.join(''),
      used: delta(trace.gc.used),
      ext: delta(trace.gc.external),
    },
    events: trace.events,
  });
}

/** The inverse of `encode`, up to its rounding. */
function decode(line) {
  const raw = JSON.parse(line);
  const columns = {};
  for (const [name, values] of Object.entries(raw.cols)) columns[name] = COUNTS.has(name) ? values : sum(values);
  const tick = raw.gcTick || GC_TICKS_PER_S;
  return {
    id: raw.id,
    source: raw.source,
    dt: raw.dt,
    limit: raw.limit,
    columns,
    gc: { t: sum(raw.gc.t).map((t) => t / tick), kind: [...raw.gc.k], used: sum(raw.gc.used), external: sum(raw.gc.ext) },
    events: raw.events || [],
  };
}

/** Traces and their labels on their way to `<prefix>.jsonl.gz` and `<prefix>.labels.jsonl`. */
class TraceWriter {
  constructor(prefix) {
    this.gzip = zlib.createGzip({ level: 6 });
    this.file = fs.createWriteStream(`${prefix}.jsonl.gz`);
    this.labels = fs.createWriteStream(`${prefix}.labels.jsonl`);
    this.gzip.pipe(this.file);
    this.done = Promise.all([once(this.file, 'finish'), once(this.labels, 'finish')]);
  }

  /** Resolves when the streams take more. */
  async write(trace, label) {
    const full = [];
    if (!this.gzip.write(`${encode(trace)}\n`)) full.push(once(this.gzip, 'drain'));
    if (!this.labels.write(`${JSON.stringify(label)}\n`)) full.push(once(this.labels, 'drain'));
    await Promise.all(full);
  }

  async close() {
    this.gzip.end();
    this.labels.end();
    await this.done;
  }
}

/** The traces of a file, one at a time. */
function* readTraces(file) {
  const bytes = fs.readFileSync(file);
  const text = zlib.gunzipSync(bytes);
  for (let start = 0; start < text.length; ) {
    let end = text.indexOf(10, start);
    if (end < 0) end = text.length;
    if (end > start) yield decode(text.toString('utf8', start, end));
    start = end + 1;
  }
}

module.exports = { TraceWriter, decode, encode, readTraces };
