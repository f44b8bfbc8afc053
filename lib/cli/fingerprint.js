'use strict';

// `heapwarden fingerprint`: by what the leaks of a report are recognised again.

const fs = require('node:fs');
const { plain } = require('./text');

const summary = 'prints the fingerprints of a leak report';

const usage = `heapwarden fingerprint <report.json...> [options]

Prints a line for each culprit of leak reports: its fingerprint, its constructor, where it is written, and the npm package that this
place belongs to. What a list of known leaks needs of it is described in docs/known-leaks.md.

  --json         the same as JSON lines
  -h, --help

Exit codes: 0 done, 1 a file cannot be read or is no leak report, 2 called in a way that is not understood.
`;

const options = {
  json: { type: 'boolean' },
};

async function run(values, files, { UsageError, print }) {
  if (files.length === 0) throw new UsageError('expected the file of a leak report');
  const rows = files.flatMap((file) => culpritsOf(file).map(row));
  return print(rows.map((found) => `${values.json ? JSON.stringify(found) : line(found)}\n`).join(''));
}

function culpritsOf(file) {
  let report;
  try {
    report = JSON.parse(fs.readFileSync(file, 'utf8'));
  } catch (error) {
    throw new Error(`${file}: ${error.message}`, { cause: error });
  }
  if (!Array.isArray(report?.culprits)) throw new Error(`${file}: expected a leak report, found no list "culprits" in it`);
  return report.culprits;
}

function row({ fingerprint = '', constructorName, pattern, location, known, retainerPath }) {
  const [first] = retainerPath;
  return {
    fingerprint,
    constructorName,
    pattern,
    step: first ? `${first.edge} of ${first.name}` : null,
    place: location ? `${location.file}:${location.line}:${location.column}` : null,
    package: location?.package ?? null,
    known: known?.reference ?? null,
  };
}

function line({ fingerprint, constructorName, pattern, place, package: owner, known }) {
  const parts = [fingerprint || '(no fingerprint)', constructorName, `[${pattern}]`, place, owner && `(${owner})`, known && `known: ${known}`];
  return plain(parts.filter(Boolean).join('  '));
}

module.exports = { summary, usage, options, run };
