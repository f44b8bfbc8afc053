'use strict';

// `heapwarden diff`: what grew from one snapshot to the next, and what holds it.

const { diffSnapshots } = require('../snapshot');
const { atLength } = require('./long');
const { rows } = require('./summarize');
const { block, bytes, paint, place, plain, signed, table } = require('./text');

const summary = 'tells what grew between two or three heap snapshots';

const usage = `heapwarden diff <before> <after> [options]
heapwarden diff <first> <second> <third> [options]

Tells what grew from the first snapshot to the second; of three, what grew in both intervals: a leak grows again, a cache that fills does
not. Plain, gzip or zstd, told by its content; one of them may be "-", the standard input.

  --top <n>        how many rows of each list, 1 to 1000000 (default 15; with --json all)
  --no-culprits    classes alone, without what holds the growth: ten times as fast
  --devtools       sizes and classes as DevTools' Comparison has them
  --json           as one JSON document, with everything
  -h, --help

Where stderr is a terminal a line tells how far it is.

Exit codes: 0 done (whatever grew), 1 a file cannot be read or is no snapshot, 2 called in a way that is not understood, 130 and 143 ended by
SIGINT and SIGTERM.
`;

const options = {
  top: { type: 'string' },
  'no-culprits': { type: 'boolean' },
  devtools: { type: 'boolean' },
  json: { type: 'boolean' },
};

async function run(values, files, { UsageError, print }) {
  if (files.length < 2 || files.length > 3) throw new UsageError(`expected two or three snapshots, the oldest first, found ${files.length}`);
  if (files.filter((file) => file === '-').length > 1) throw new UsageError('expected - once at most');
  const top = rows(values.top, UsageError);
  const sources = files.map((file) => (file === '-' ? process.stdin : file));
  const found = await atLength((how) => diffSnapshots(sources, {
    ...how, culprits: !values['no-culprits'], shallowSizes: values.devtools ? 'devtools' : 'file',
  }));
  const shown = (all) => (top === undefined ? all : all.slice(0, top));
  if (values.json) return print(`${JSON.stringify({ ...found, constructors: shown(found.constructors), culprits: shown(found.culprits) }, null, 2)}\n`);
  return print(text(found, top ?? 15));
}

function text({ matchedBy, matchedByReason, constructors, culprits }, top) {
  const grown = constructors.filter(({ sizeDelta, countDelta }) => sizeDelta > 0 || countDelta > 0);
  const first = `${grown.length === 0 ? 'Nothing grew' : `${grown.length} classes grew`}; objects matched by ${matchedBy}${matchedByReason === null ? '' : ` (${matchedByReason})`}`;
  const parts = [`${plain(first, 100)}\n`];
  if (culprits.length > 0) parts.push(`\n${paint().title('What holds the growth')}\n${culprits.slice(0, Math.min(top, 5)).map(culprit).join('')}`);
  if (grown.length > 0) {
    parts.push(`\n${paint().title('Classes')}\n${table([
      ['size', ({ sizeDelta }) => signed(bytes(sizeDelta), sizeDelta), true], ['objects', ({ countDelta }) => signed(String(countDelta), countDelta), true],
      ['new', ({ addedCount }) => addedCount, true], ['gone', ({ removedCount }) => removedCount, true], ['class', ({ constructorName }) => constructorName],
    ], grown.slice(0, top))}`);
    if (grown.length > top) parts.push(`  and ${grown.length - top} more (--top)\n`);
  }
  return parts.join('');
}

function culprit({ constructorName, pattern, countDelta, retainedSizeDelta, retainerPath, location, advice }) {
  const path = retainerPath.slice(0, 4).map(({ edge, name }) => `${edge} of ${name}`).join(' < ');
  return block([
    `  ${constructorName} [${pattern}]: ${signed(String(countDelta), countDelta)} objects, ${signed(bytes(retainedSizeDelta), retainedSizeDelta)} retained`,
    path && `    held by ${path}`, location && `    ${place(location)}`, advice && `    ${advice}`,
  ], 100);
}

module.exports = { summary, usage, options, run };
