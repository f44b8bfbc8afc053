'use strict';

// Garbage collections as the public modules tell them, where there is no bridge to V8.

const { PerformanceObserver, constants, performance } = require('node:perf_hooks');
const v8 = require('node:v8');

// Node 18.15 and later; other runtimes may lack it.
// eslint-disable-next-line n/no-unsupported-features/node-builtins
const { GCProfiler } = v8;

const MAJOR = constants.NODE_PERFORMANCE_GC_MAJOR;
const MINOR = constants.NODE_PERFORMANCE_GC_MINOR;

/** Collections that the profiler may hold: its text is some 3 KB each, and parsing it blocks. */
const MOST_PENDING = 64;

/**
 * Reports each collection to `record(major, pauseMs, atMs, used, external, usedBefore)`, some turns after it happened; `usedBefore`
 * is there only where the figures are exact.
 *
 * `v8.GCProfiler` knows exactly what each collection left but calls nobody; the observer is called but does not know. So the
 * observer is the bell, and the profiler is read when it rings for a major collection, or for many minor ones. Gives
 * `{ flush, stop }`: `flush` reports what was not reported yet.
 */
function observeGc(record) {
  return typeof GCProfiler === 'function' ? exact(record) : approximate(record);
}

function exact(record) {
  let profiler = startProfiler();
  let pending = 0;
  // When collections ended, in order, by the kind that the observer tells.
  let times = { [MAJOR]: [], [MINOR]: [] };
  const flush = () => {
    if (pending === 0) return;
    // The next one starts first, so that a collection while the text is parsed is not missed.
    const full = profiler;
    profiler = startProfiler();
    const ended = times;
    pending = 0;
    times = { [MAJOR]: [], [MINOR]: [] };
    for (const { gcType, cost, beforeGC, afterGC } of full.stop().statistics) {
      const major = gcType === 'MarkSweepCompact';
      if (!major && gcType !== 'Scavenge' && !gcType.startsWith('MinorMark')) continue;
      const { usedHeapSize, externalMemory } = afterGC.heapStatistics;
      const at = ended[major ? MAJOR : MINOR].shift() ?? Date.now();
      record(major, cost / 1000, at, usedHeapSize, externalMemory, beforeGC.heapStatistics.usedHeapSize);
    }
  };
  const observer = new PerformanceObserver((list) => {
    const entries = list.getEntries();
    pending += entries.length;
    for (const entry of entries) times[kindOf(entry)]?.push(endOf(entry));
    if (times[MAJOR].length > 0 || pending >= MOST_PENDING) flush();
  });
  observer.observe({ entryTypes: ['gc'] });
  return {
    flush,
    stop() {
      observer.disconnect();
      profiler.stop();
    },
  };
}

function startProfiler() {
  const profiler = new GCProfiler();
  profiler.start();
  return profiler;
}

/** The heap is read when the observer runs: a floor is then too high by what was allocated meanwhile, never too low. */
function approximate(record) {
  const observer = new PerformanceObserver((list) => {
    let heap;
    for (const entry of list.getEntries()) {
      const kind = kindOf(entry);
      if (kind !== MAJOR && kind !== MINOR) continue;
      heap ??= v8.getHeapStatistics();
      record(kind === MAJOR, entry.duration, endOf(entry), heap.used_heap_size, heap.external_memory);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return { flush() {}, stop: () => observer.disconnect() };
}

const kindOf = (entry) => entry.detail?.kind ?? entry.kind;
const endOf = (entry) => performance.timeOrigin + entry.startTime + entry.duration;

module.exports = { observeGc };
