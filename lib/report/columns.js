'use strict';

// Tables as columns, and what is large as text that a page can unpack.

const zlib = require('node:zlib');

/** `value` as JSON, compressed with gzip, as base64. The same value gives the same text: the format's time stays empty. */
function packed(value) {
  return zlib.gzipSync(JSON.stringify(value), { level: 9 }).toString('base64');
}

/** Places of rows, each told once: `{ places, at }`, where `at` has the row's number in `places`, or -1. */
function placesOf(rows) {
  const numbers = new Map();
  const places = [];
  const at = rows.map(({ location }) => {
    if (!location) return -1;
    const key = placeText(location);
    if (!numbers.has(key)) {
      numbers.set(key, places.length);
      places.push(key);
    }
    return numbers.get(key);
  });
  return { places, at };
}

/** `file:line:column`, with the package where it is known. */
function placeText({ file, line, column, package: name }) {
  return `${file}:${line}${column ? `:${column}` : ''}${name ? ` (${name})` : ''}`;
}

/** `rows` as `{ length, columns: { key: [...] } , places }`: the named figures, and with `location` their places. */
function tableOf(rows, keys) {
  const columns = Object.fromEntries(keys.map((key) => [key, rows.map((row) => row[key] ?? null)]));
  if (!rows.some(({ location }) => location)) return { length: rows.length, columns };
  const { places, at } = placesOf(rows);
  return { length: rows.length, columns: { ...columns, place: at }, places };
}

module.exports = { packed, tableOf };
