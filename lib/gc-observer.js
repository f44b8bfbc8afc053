'use strict';

// Garbage collections as `node:perf_hooks` tells them: after the fact, and without what they left.

const { PerformanceObserver, constants, performance } = require('node:perf_hooks');
const v8 = require('node:v8');

const MAJOR = constants.NODE_PERFORMANCE_GC_MAJOR;
const MINOR = constants.NODE_PERFORMANCE_GC_MINOR;

/**
 * Reports each collection to `record(major, pauseMs, atMs, used, external)` until the returned function is called.
 *
 * The heap is read when the observer runs, in the turn after the collection: the floor is too high by what was allocated
 * in between, never too low.
 */
function observeGc(record) {
  const observer = new PerformanceObserver((list) => {
    let heap;
    for (const entry of list.getEntries()) {
      const kind = entry.detail?.kind ?? entry.kind;
      if (kind !== MAJOR && kind !== MINOR) continue;
      heap ??= v8.getHeapStatistics();
      const at = performance.timeOrigin + entry.startTime + entry.duration;
      record(kind === MAJOR, entry.duration, at, heap.used_heap_size, heap.external_memory);
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return () => observer.disconnect();
}

module.exports = { observeGc };
