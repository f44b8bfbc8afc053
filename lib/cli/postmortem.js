'use strict';

// `heapwarden postmortem`: of what a process died, as its recording has it.

const path = require('node:path');
const native = require('../load');
const { examine, isBad, mainOf, namesIn, recordingsAmong } = require('../deaths');
const { isFolder } = require('../folder');
const { jsonForNative, plain } = require('../plain');

const summary = 'tells of what a recorded process died';

const usage = `heapwarden postmortem [dir|file] [options]

Tells of what a process died, by its recording (heapwarden-flight-*.hwr): when, of what, how certain that is and what it rests on, the last
minutes as a chart, the verdict at the end, and who is to blame.

Of a directory it tells of the newest life that did not end as its program meant it to, and lists the others, newest first. Without one it
looks where HEAPWARDEN_DIR says, or in heapwarden-evidence.

  --json         as one JSON document (docs/postmortem.schema.json)
  --ascii        draws with ASCII alone; so it does where LC_ALL, LC_CTYPE or LANG name no UTF-8
  -h, --help

Exit codes: 0 done (whatever was found), 1 there is no recording, or it cannot be read, 2 called in a way that is not understood.
`;

const options = {
  json: { type: 'boolean' },
  ascii: { type: 'boolean' },
};

/** Others listed. */
const MOST_OTHERS = 50;

async function run(values, places, { UsageError, print }) {
  if (places.length > 1) throw new UsageError(`expected one directory or file, found ${places.length}`);
  const place = path.resolve(places[0] ?? (process.env.HEAPWARDEN_DIR?.trim() || 'heapwarden-evidence'));
  const found = isFolder(place) ? await ofDirectory(place) : { finding: await examine(place), others: [], unreadable: [] };
  if (values.json) {
    const document = { schemaVersion: native.POSTMORTEM_SCHEMA_VERSION, place, ...found };
    return print(`${JSON.stringify(document, null, 2)}\n`);
  }
  return print(text(found, values.ascii === true || !isUtf8()));
}

/** The newest death in a directory, and the other lives. */
async function ofDirectory(directory) {
  const names = await namesIn(directory);
  const files = recordingsAmong(names).slice(0, MOST_OTHERS + 1);
  if (files.length === 0) throw new Error(`${directory}: expected a recording (heapwarden-flight-*.hwr), found none`);
  const findings = [];
  const unreadable = [];
  for (const name of files) {
    const file = path.join(directory, name);
    try {
      findings.push(await examine(file, names));
    } catch (error) {
      unreadable.push({ file, code: error.code ?? 'HEAPWARDEN_ERR_IO', message: error.message });
    }
  }
  if (findings.length === 0) throw new Error(`${unreadable[0].file}: ${unreadable[0].message}`);
  const newest = findings.find(isBad);
  const finding = newest ? mainOf(newest, findings) ?? newest : null;
  return { finding, others: findings.filter((one) => one !== finding).map(brief), unreadable };
}

function brief({ file, pid, threadId, title, startedAt, lastSeenAt, endedAt, cause }) {
  return { file, pid, threadId, title, startedAt, lastSeenAt, endedAt, cause };
}

function text({ finding, others, unreadable }, ascii) {
  const parts = [finding ? native.renderPostmortem(jsonForNative(finding), ascii) : 'No recorded life ended badly.\n'];
  if (others.length > 0) parts.push('Other lives, newest first:\n', ...others.map(row));
  for (const { file, message } of unreadable) parts.push(plain(`cannot be read: ${path.basename(file)}: ${message}`, 100), '\n');
  return parts.join('');
}

function row({ pid, threadId, lastSeenAt, endedAt, cause, title }) {
  const thread = threadId === 0 ? '' : ` worker ${threadId}`;
  const how = `${cause.kind}${cause.certainty === 'inferred' ? ' (inferred)' : ''}`;
  return `${plain(`  ${endedAt ?? lastSeenAt}  ${how.padEnd(28)}  pid ${pid}${thread}  ${title}`, 100)}\n`;
}

/** Whether the terminal is said to know more than ASCII. Windows' terminals are. */
function isUtf8({ platform, env } = process) {
  if (platform === 'win32') return true;
  const { LC_ALL, LC_CTYPE, LANG } = env;
  return /utf-?8/i.test(LC_ALL || LC_CTYPE || LANG || '');
}

module.exports = { summary, usage, options, run };
