'use strict';

// Lines on stderr that no state of stderr makes anybody's trouble.

/** Writes under way, by stream: who replaces `process.stderr` has a new one. */
const underWay = new Map();
const ignore = () => {};

/**
 * Writes `text` and a line end to stderr, at once. Where that is closed (EPIPE) or not there at all, the text is lost and the program goes on.
 *
 * Node's own Console ignores the error of one line at a time; of several that are written in one turn of the event loop it lets one through.
 */
function say(text) {
  let stream;
  try {
    stream = process.stderr;
    hold(stream);
    // The error is emitted after the callback, in the same turn.
    stream.write(`${text.replace(/\n$/, '')}\n`, () => setImmediate(release, stream));
  } catch {
    // A stderr that cannot even be opened, or written to.
    if (stream) release(stream);
  }
}

function hold(stream) {
  const count = underWay.get(stream) ?? 0;
  if (count === 0) stream.on('error', ignore);
  underWay.set(stream, count + 1);
}

function release(stream) {
  const left = (underWay.get(stream) ?? 0) - 1;
  if (left > 0) return underWay.set(stream, left);
  underWay.delete(stream);
  stream.removeListener('error', ignore);
}

module.exports = { say };
