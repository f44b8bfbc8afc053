'use strict';

// Text of names that come from a heap or a file, for terminals and logs.

/** What moves a cursor, ends a line, colours what follows or turns its direction. */
// eslint-disable-next-line no-control-regex
const ACTS = /[\u0000-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]/g;

/** A line that no name can widen, or use to move the cursor. */
function plain(line, most = Infinity) {
  const harmless = line.replace(ACTS, ' ').trimEnd();
  return harmless.length > most ? `${harmless.slice(0, most - 3)}...` : harmless;
}

/** The same of several lines. */
const plainLines = (text) => text.split('\n').map((line) => plain(line)).join('\n');

/** A half of a pair that stands alone. */
const HALF = /\p{Surrogate}/gu;

/** JSON that native code can read: a name of a source map or a package may have half a character in it, which is no UTF-8. */
const jsonForNative = (value) => JSON.stringify(value, (_, inner) => (typeof inner === 'string' ? inner.replace(HALF, '\ufffd') : inner));

module.exports = { jsonForNative, plain, plainLines };
