'use strict';

// Names that are nearly ones of ours: what was meant is better said than silently left out.

/** Letters by which a name may differ: one that was doubled, two that changed places. */
const MOST_LETTERS = 2;

/** How many letters are to be put in, left out or changed to make `b` of `a` (Levenshtein). */
function distance(a, b) {
  let row = Array.from({ length: b.length + 1 }, (_, i) => i);
  for (let i = 0; i < a.length; i++) {
    const next = [i + 1];
    for (let k = 0; k < b.length; k++) next.push(Math.min(next[k] + 1, row[k + 1] + 1, row[k] + (a[i] === b[k] ? 0 : 1)));
    row = next;
  }
  return row[b.length];
}

/** Of `names` those that are none of `known` and nearly one: `[{ name, meant }]`. */
function misspelled(names, known) {
  return names.filter((name) => !known.includes(name)).flatMap((name) => {
    const meant = known.find((other) => Math.abs(other.length - name.length) <= MOST_LETTERS && distance(name.toLowerCase(), other.toLowerCase()) <= MOST_LETTERS);
    return meant === undefined ? [] : [{ name, meant }];
  });
}

module.exports = { misspelled };
