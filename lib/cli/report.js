'use strict';

// `heapwarden report`: which leaks the evidence of one process, or of many, tells of.

const fs = require('node:fs');
const path = require('node:path');
const native = require('../load');
const { fromNative } = require('../errors');
const { collect } = require('../report/collect');
const { modelOf } = require('../report/model');
const { pageOf } = require('../report/page');
const { tellingAt } = require('../report/telling');
const { atLength } = require('./long');
const { block, bytes, paint, place, plain, table } = require('./text');

const summary = 'tells which leaks there are in the evidence of many processes';

const usage = `heapwarden report [dir|file...] [options]

Reads LeakReports (heapwarden-leak-*.json) and recordings (heapwarden-flight-*.hwr) of one process or of many, groups them by the leaks'
fingerprints, and tells which leak there is on how many hosts, since when and until when, and who died of what. Folders are read three
levels deep, as of a volume with one for each pod. Without one it looks where HEAPWARDEN_DIR says, or in heapwarden-evidence.

  -o, --out <file>   a page instead of text: one file of HTML that loads nothing, with charts of recordings and exported series (*.jsonl), and
                     what snapshots (*.heapsnapshot) hold; it appears whole or not at all, readable by its owner
  --snapshots <n>    with -o, how many snapshots of folders are looked at, 0 to 100 (default 2: the newest, and the oldest of its process, which
                     are compared); files that are named are looked at in any case
  --top <n>          how many leaks, 1 to 10000 (default 10; with --json all, with -o 200)
  --redact <level>   full (default), names or shape: of names that were read from a file nobody knows whether the program spells them, so
                     that at names those alone stay that every process has
  --json             as one JSON document, with everything
  -h, --help

Where stderr is a terminal a line tells how far the reading of snapshots is.

Exit codes: 0 done (whatever was found), 1 there is no report and no recording, a place cannot be opened, or the page cannot be written, 2 called in a way that is not
understood, 130 and 143 ended by SIGINT and SIGTERM.
`;

const options = {
  out: { type: 'string', short: 'o' },
  snapshots: { type: 'string' },
  top: { type: 'string' },
  redact: { type: 'string', default: 'full' },
  json: { type: 'boolean' },
};

async function run(values, given, { UsageError, print }) {
  const { top, redact, out, snapshots, json } = values;
  const whole = (name, text, least, most) => {
    if (/^\d{1,5}$/.test(text) && Number(text) >= least && Number(text) <= most) return Number(text);
    throw new UsageError(`--${name}: expected a whole number from ${least} to ${most}, found "${text}"`);
  };
  if (top !== undefined) whole('top', top, 1, 10_000);
  if (!['full', 'names', 'shape'].includes(redact)) throw new UsageError(`--redact: expected full, names or shape, found "${redact}"`);
  if (out === '') throw new UsageError('--out: expected a file, found ""');
  if (out !== undefined && json) throw new UsageError('expected one of --out and --json, found both');
  if (out === undefined && snapshots !== undefined) throw new UsageError('--snapshots: expected with --out, found without');
  const places = given.length > 0 ? given : [process.env.HEAPWARDEN_DIR?.trim() || 'heapwarden-evidence'];
  const telling = tellingAt(redact);
  if (out !== undefined) {
    const settings = { telling, ...(top !== undefined && { leaks: Number(top) }), snapshots: whole('snapshots', snapshots ?? '2', 0, 100) };
    return writePage(places, path.resolve(out), settings);
  }
  const found = await atLength(({ signal }) => collect(places, { tell: telling.report, tellDeath: telling.death, signal }));
  if (found.reports === 0 && found.deaths.length === 0 && found.unreadable.length > 0) throw new Error(`${found.unreadable[0].file}: ${found.unreadable[0].message}`);
  if (found.reports === 0 && found.deaths.length === 0) throw new Error(`${places.join(' ')}: expected a leak report or the recording of a death, found none`);
  const leaks = top === undefined && values.json ? found.leaks : found.leaks.slice(0, Number(top ?? 10));
  if (values.json) return print(`${JSON.stringify({ schemaVersion: 1, ...found, leaks }, null, 2)}\n`);
  return print(text(found, leaks));
}

/** Writes the page, whole or not at all. */
async function writePage(places, file, settings) {
  // Said before hours of reading, and not after.
  const folder = path.dirname(file);
  if (!fs.statSync(folder, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`--out: expected a folder at ${folder}, found none`);
  if (fs.statSync(file, { throwIfNoEntry: false })?.isDirectory()) throw new Error(`--out: expected a file, found the folder ${file}`);
  await atLength(async (how) => {
    const model = await modelOf(places, { ...settings, ...how });
    if (model.isEmpty && model.firstProblem) throw new Error(`${model.firstProblem.file}: ${model.firstProblem.message}`);
    if (model.isEmpty) throw new Error(`${places.join(' ')}: expected a leak report, a recording, a series or a snapshot, found none`);
    const page = pageOf(model);
    // A signal that came while the page was made is heard in a turn of the loop.
    await new Promise((resolve) => { setImmediate(resolve); });
    how.signal.throwIfAborted();
    try {
      native.writeFileAtomic(file, page);
    } catch (error) {
      throw fromNative(error);
    }
    // On a terminal alone: a script knows what it asked for.
    if (process.stdout.isTTY) process.stdout.write(`${file}\n`);
  });
  return 0;
}

const day = (time) => time.slice(0, 16).replace('T', ' ');

function text({ from, to, reports, hosts, processes, leaks: all, deaths, unreadable, passedOver }, leaks) {
  const parts = [];
  if (reports > 0) parts.push(`${counted(reports, 'report')} of ${counted(processes, 'process', 'es')} on ${counted(hosts, 'host')}, ${day(from)} to ${day(to)} UTC\n`);
  if (leaks.length > 0) {
    parts.push('\n', table([
      ['hosts', (leak) => leak.hosts.length, true], ['reports', (leak) => leak.reports, true], ['blamed first', (leak) => leak.first, true],
      ['since', (leak) => day(leak.since)], ['until', (leak) => day(leak.until)], ['retained', (leak) => bytes(leak.retainedSizeDelta), true],
      ['class', (leak) => leak.constructorName],
    ], leaks), '\n', ...leaks.map(leakText));
    if (all.length > leaks.length) parts.push(`and ${all.length - leaks.length} more (--top)\n`);
  }
  if (deaths.length > 0) parts.push(`\n${paint().title('Deaths, newest first')}\n${deaths.slice(0, 20).map(deathText).join('')}`);
  if (deaths.length > 20) parts.push(`  and ${deaths.length - 20} more (--json)\n`);
  for (const { file, message } of unreadable.slice(0, 10)) parts.push(`${plain(`cannot be read: ${file}: ${message}`, 160)}\n`);
  if (unreadable.length > 10) parts.push(`and ${unreadable.length - 10} more that cannot be read (--json)\n`);
  if (passedOver > 0) parts.push(`${passedOver} older files were passed over\n`);
  return parts.join('');
}

const counted = (count, noun, plural = 's') => `${count} ${noun}${count === 1 ? '' : plural}`;

function leakText({ fingerprint, constructorName, pattern, retainerPath, location, advice, known }) {
  const held = retainerPath.slice(0, 4).map(({ edge, name }) => `${edge} of ${name}`).join(' < ');
  return block([
    `${constructorName} [${pattern}]${fingerprint === null ? '' : `  ${fingerprint}`}`,
    held && `  held by ${held}`, location && `  ${place(location)}`, advice && `  ${advice}`, known && `  known: ${known.reference ?? known.title ?? ''}`,
  ], 160);
}

function deathText({ endedAt, cause, pid, threadId, title }) {
  const thread = threadId === 0 ? '' : ` worker ${threadId}`;
  const how = `${cause.what}${cause.certainty === 'inferred' ? ' (inferred)' : ''}`;
  return `${plain(`  ${day(endedAt)}  pid ${pid}${thread}  ${title}: ${how}`, 160)}\n`;
}

module.exports = { summary, usage, options, run };
