'use strict';

// Text for a terminal, of names that come from a heap or a file.

const { createColors } = require('picocolors');
const { plain } = require('../plain');

const MB = 1024 * 1024;
const UNITS = [[1024 * MB, 'GB'], [MB, 'MB'], [1024, 'kB']];

/** What text stands out by, if `stream` is a terminal that has colours and nobody has refused them (NO_COLOR). Of lines that are finished: `plain` takes colours away. */
function paint(stream = process.stdout) {
  const { bold, dim, red } = createColors(Boolean(stream.isTTY) && !process.env.NO_COLOR && process.env.TERM !== 'dumb');
  return { title: bold, head: dim, bad: (text) => bold(red(text)) };
}

/** Lines of one thing that is told, as many as there are; the first stands out. */
function block(lines, width) {
  const [first, ...rest] = lines.filter(Boolean).map((line) => plain(line, width));
  return [paint().bad(first), ...rest].map((line) => `${line}\n`).join('');
}

/** `12.3 MB`; with the sign of what is negative. */
function bytes(count) {
  const [size, unit] = UNITS.find(([least]) => Math.abs(count) >= least) ?? [1, 'B'];
  return `${size === 1 ? count : (count / size).toFixed(1)} ${unit}`;
}

const signed = (text, count) => (count > 0 ? `+${text}` : text);

/** `file:line`; nothing where the place is not known. */
const place = (location) => (location ? `${location.file}:${location.line}` : '');

/**
 * Lines of columns under a head. A column is `[title, cell, isNumber]`; numbers stand to the right, and the last column may be as long as
 * it is, up to the width.
 */
function table(columns, rows, width = 100) {
  const cells = rows.map((row) => columns.map(([, cell]) => plain(String(cell(row)), 60)));
  const widths = columns.map(([title], i) => Math.max(title.length, ...cells.map((line) => line[i].length)));
  const line = (parts) => plain(`  ${parts.map((part, i) => (columns[i][2] ? part.padStart(widths[i]) : part.padEnd(widths[i]))).join('  ')}`, width);
  return [paint().head(line(columns.map(([title]) => title))), ...cells.map(line)].map((text) => `${text}\n`).join('');
}

module.exports = { block, bytes, paint, place, plain, signed, table };
