'use strict';

const { analyse } = require('./job');

/**
 * The verdicts that the detector gives of recorded series: `{ traces, timing }`, off this thread.
 *
 * `source` is a path or an async iterable of bytes, plain or compressed. `explain` adds to each trace the changes of its verdict,
 * `timing` how long the detector took; `strictness` multiplies what it asks for. `signal` ends it.
 */
function replaySeries(source, { explain = false, timing = false, strictness = 1, signal } = {}) {
  return analyse('replay', [source], { signal, settings: { explain, timing, strictness } });
}

module.exports = { replaySeries };
