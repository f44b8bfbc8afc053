'use strict';

// The few segments of a source map that some places need, found without decoding the rest: a bundle's map decodes to a hundred megabytes,
// in a process that may have none to spare, on a thread that has other things to do.

const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const DIGITS = new Int8Array(128).fill(-1);
for (let i = 0; i < BASE64.length; i++) DIGITS[BASE64.charCodeAt(i)] = i;

const COMMA = 44;
const SEMICOLON = 59;

/**
 * For each of `places` (`{ line, column }`, from 0) the segments of `mappings` around it, as a decoded line: the last one at or before
 * the column, and the first one after it. Throws where the text up to there is no list of mappings.
 */
function segmentsAround(mappings, places) {
  const found = places.map(() => ({ before: undefined, after: undefined }));
  const wanted = new Map();
  places.forEach(({ line }, i) => wanted.set(line, [...(wanted.get(line) ?? []), i]));
  const last = places.reduce((most, { line }) => Math.max(most, line), -1);

  // Of a segment: the column in the generated file, the source, its line and column, the name; each is told as a difference.
  const fields = [0, 0, 0, 0, 0];
  let count = 0;
  let line = 0;
  let value = 0;
  let shift = 0;
  let here = wanted.get(0);
  const end = () => {
    if (shift !== 0 || count > 5 || count === 2 || count === 3) throw new SyntaxError('no list of mappings');
    if (count > 0 && here) take(found, places, here, count === 1 ? [fields[0]] : fields.slice(0, count));
    count = 0;
  };
  for (let at = 0; at < mappings.length && line <= last; at++) {
    const code = mappings.charCodeAt(at);
    if (code === COMMA || code === SEMICOLON) {
      end();
      if (code === SEMICOLON) {
        here = wanted.get(++line);
        fields[0] = 0;
      }
      continue;
    }
    const digit = code < 128 ? DIGITS[code] : -1;
    if (digit < 0 || shift > 30 || count === 5) throw new SyntaxError('no list of mappings');
    value += (digit & 31) * 2 ** shift;
    if (digit & 32) {
      shift += 5;
    } else {
      fields[count++] += value % 2 === 1 ? -((value - 1) / 2) : value / 2;
      value = 0;
      shift = 0;
    }
  }
  if (line <= last) end();
  return found.map(({ before, after }) => [before, after].filter(Boolean));
}

function take(found, places, here, segment) {
  for (const i of here) {
    const { column } = places[i];
    if (segment[0] <= column) {
      if (!found[i].before || segment[0] >= found[i].before[0]) found[i].before = segment;
    } else if (!found[i].after || segment[0] < found[i].after[0]) found[i].after = segment;
  }
}

module.exports = { segmentsAround };
