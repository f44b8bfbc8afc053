'use strict';

// `heapwarden report`: which leaks the evidence of one process, or of many, tells of.

const { redactReport } = require('../redact');
const { collect } = require('../report/collect');
const { atLength } = require('./long');
const { bytes, place, plain, table } = require('./text');

const summary = 'tells which leaks there are in the evidence of many processes';

const usage = `heapwarden report [dir|file...] [options]

Reads LeakReports (heapwarden-leak-*.json) and recordings (heapwarden-flight-*.hwr) of one process or of many, groups them by the leaks'
fingerprints, and tells which leak there is on how many hosts, since when and until when, and who died of what. Folders are read three
levels deep, as of a volume with one for each pod. Without one it looks where HEAPWARDEN_DIR says, or in heapwarden-evidence.

  --top <n>          how many leaks, 1 to 10000 (default 10; with --json all)
  --redact <level>   full (default), names or shape: of names that were read from a file nobody knows whether the program spells them, so
                     that at names those alone stay that every process has
  --json             as one JSON document, with everything
  -h, --help

Exit codes: 0 done (whatever was found), 1 there is no report and no recording, or a place cannot be opened, 2 called in a way that is not
understood, 130 and 143 ended by SIGINT and SIGTERM.
`;

const options = {
  top: { type: 'string' },
  redact: { type: 'string', default: 'full' },
  json: { type: 'boolean' },
};

async function run(values, given, { UsageError, print }) {
  const { top, redact } = values;
  if (top !== undefined && !(/^\d{1,5}$/.test(top) && Number(top) >= 1 && Number(top) <= 10_000)) {
    throw new UsageError(`--top: expected a whole number from 1 to 10000, found "${top}"`);
  }
  if (!['full', 'names', 'shape'].includes(redact)) throw new UsageError(`--redact: expected full, names or shape, found "${redact}"`);
  const places = given.length > 0 ? given : [process.env.HEAPWARDEN_DIR?.trim() || 'heapwarden-evidence'];
  const tell = redact === 'full' ? undefined : (report) => redactReport(report, redact);
  const found = await atLength(({ signal }) => collect(places, { tell, signal }));
  if (found.reports === 0 && found.deaths.length === 0 && found.unreadable.length > 0) throw new Error(`${found.unreadable[0].file}: ${found.unreadable[0].message}`);
  if (found.reports === 0 && found.deaths.length === 0) throw new Error(`${places.join(' ')}: expected a leak report or the recording of a death, found none`);
  const leaks = top === undefined && values.json ? found.leaks : found.leaks.slice(0, Number(top ?? 10));
  if (values.json) return print(`${JSON.stringify({ schemaVersion: 1, ...found, leaks }, null, 2)}\n`);
  return print(text(found, leaks));
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
  if (deaths.length > 0) parts.push(`\nDeaths, newest first\n${deaths.slice(0, 20).map(deathText).join('')}`);
  if (deaths.length > 20) parts.push(`  and ${deaths.length - 20} more (--json)\n`);
  for (const { file, message } of unreadable.slice(0, 10)) parts.push(`${plain(`cannot be read: ${file}: ${message}`, 160)}\n`);
  if (unreadable.length > 10) parts.push(`and ${unreadable.length - 10} more that cannot be read (--json)\n`);
  if (passedOver > 0) parts.push(`${passedOver} older files were passed over\n`);
  return parts.join('');
}

const counted = (count, noun, plural = 's') => `${count} ${noun}${count === 1 ? '' : plural}`;

function leakText({ fingerprint, constructorName, pattern, retainerPath, location, advice, known }) {
  const held = retainerPath.slice(0, 4).map(({ edge, name }) => `${edge} of ${name}`).join(' < ');
  return [
    `${constructorName} [${pattern}]${fingerprint === null ? '' : `  ${fingerprint}`}`,
    held && `  held by ${held}`, location && `  ${place(location)}`, advice && `  ${advice}`, known && `  known: ${known.reference ?? known.title ?? ''}`,
  ].filter(Boolean).map((line) => `${plain(line, 160)}\n`).join('');
}

function deathText({ endedAt, cause, pid, threadId, title }) {
  const thread = threadId === 0 ? '' : ` worker ${threadId}`;
  const how = `${cause.what}${cause.certainty === 'inferred' ? ' (inferred)' : ''}`;
  return `${plain(`  ${day(endedAt)}  pid ${pid}${thread}  ${title}: ${how}`, 160)}\n`;
}

module.exports = { summary, usage, options, run };
