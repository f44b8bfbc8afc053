'use strict';

// `heapwarden summarize`: what a snapshot contains.

const { isFolder } = require('../folder');
const { histogramSnapshot, summarizeSnapshot } = require('../snapshot');
const { atLength } = require('./long');
const { block, bytes, paint, place, table } = require('./text');

const summary = 'tells what a heap snapshot contains';

const usage = `heapwarden summarize <file> [options]

Tells what a .heapsnapshot contains: what is suspect, the classes that retain most, listeners, timers, promises and collections. Plain,
gzip or zstd, told by its content; "-" is the standard input.

  --top <n>      how many rows of each list, 1 to 1000000 (default 15; with --json all)
  --histogram    objects and their own bytes by class alone: a few megabytes of memory, whatever the file's size
  --threads <n>  1 or 2 (default 1): two take some more memory and end sooner
  --json         as one JSON document, with everything
  -h, --help

Where stderr is a terminal a line tells how far it is.

Exit codes: 0 done, 1 the file cannot be read or is no snapshot, 2 called in a way that is not understood, 130 and 143 ended by SIGINT and
SIGTERM.
`;

const options = {
  top: { type: 'string' },
  histogram: { type: 'boolean' },
  threads: { type: 'string', default: '1' },
  json: { type: 'boolean' },
};

async function run(values, files, { UsageError, print }) {
  if (files.length !== 1) throw new UsageError(`expected one snapshot, found ${files.length}`);
  if (!/^[12]$/.test(values.threads)) throw new UsageError(`--threads: expected 1 or 2, found "${values.threads}"`);
  const top = rows(values.top, UsageError);
  const source = files[0] === '-' ? process.stdin : files[0];
  if (source !== process.stdin && isFolder(source)) {
    throw new Error(`expected a snapshot, found the folder ${files[0]}: heapwarden report reads folders`);
  }
  const found = await atLength((how) => (values.histogram
    ? histogramSnapshot(source, how)
    : summarizeSnapshot(source, { ...how, threads: Number(values.threads) })));
  if (values.json) return print(`${JSON.stringify(top === undefined ? found : cut(found, top), null, 2)}\n`);
  return print(values.histogram ? histogramText(found, top ?? 15) : summaryText(found, top ?? 15));
}

/** The number after --top; nothing where it is not given. */
function rows(text, UsageError) {
  if (text === undefined) return undefined;
  if (!/^\d{1,7}$/.test(text) || Number(text) < 1 || Number(text) > 1e6) throw new UsageError(`--top: expected a whole number from 1 to 1000000, found "${text}"`);
  return Number(text);
}

const cut = (found, top) => Object.fromEntries(Object.entries(found).map(([key, value]) => [key, Array.isArray(value) ? value.slice(0, top) : value]));

function histogramText({ nodeCount, totalShallowSize, constructors }, top) {
  return `${nodeCount} objects, ${bytes(totalShallowSize)}\n\n${table([
    ['own', ({ shallowSize }) => bytes(shallowSize), true],
    ['objects', ({ count }) => count, true],
    ['class', ({ constructorName }) => constructorName],
  ], constructors.slice(0, top))}${more(constructors, top)}`;
}

function summaryText({ nodeCount, edgeCount, totalShallowSize, constructors, suspects, listeners, timers, promises, collections }, top) {
  const parts = [`${nodeCount} objects, ${edgeCount} references, ${bytes(totalShallowSize)}; ${promises.count} promises, ${promises.awaited} of them awaited\n`];
  const list = (title, all, columns) => {
    if (all.length > 0) parts.push(`\n${paint().title(title)}\n${table(columns, all.slice(0, top))}${more(all, top)}`);
  };
  const where = ['place', ({ location }) => place(location)];
  if (suspects.length > 0) parts.push(`\n${paint().title('Suspects')}\n${suspects.slice(0, Math.min(top, 5)).map(suspectText).join('')}`);
  list('Classes', constructors, [
    ['retained', ({ retainedSize }) => bytes(retainedSize), true], ['own', ({ shallowSize }) => bytes(shallowSize), true],
    ['objects', ({ count }) => count, true], ['class', ({ constructorName }) => constructorName], where,
  ]);
  list('Listeners', listeners, [
    ['listeners', ({ count }) => count, true], ['emitter', ({ constructorName }) => constructorName], ['event', ({ event }) => event], where,
  ]);
  list('Timers', timers, [['timers', ({ count }) => count, true], ['class', ({ constructorName }) => constructorName], ['callback', ({ callback }) => callback], where]);
  list('Collections', collections, [
    ['retained', ({ retainedSize }) => bytes(retainedSize), true], ['entries', ({ entries }) => entries, true],
    ['class', ({ constructorName }) => constructorName],
  ]);
  return parts.join('');
}

function suspectText({ constructorName, count, retainedSize, share, retainerPath, location, accumulates }) {
  const what = `${constructorName}${count > 1 ? `, ${count} objects` : ''}: ${bytes(retainedSize)}, ${(share * 100).toFixed(0)} % of the heap`;
  const holds = accumulates ? `, mostly ${accumulates.count} ${accumulates.constructorName}` : '';
  const path = retainerPath.slice(0, 4).map(({ edge, name }) => `${edge} of ${name}`).join(' < ');
  return block([`  ${what}${holds}`, path && `    held by ${path}`, location && `    ${place(location)}`], 100);
}

function more(all, top) {
  return all.length > top ? `  and ${all.length - top} more (--top)\n` : '';
}

module.exports = { summary, usage, options, run, rows };
