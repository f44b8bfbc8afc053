'use strict';

// A soak's verdict as text.

const { COUNTS, NUMBERS, SIZES } = require('./judge');

const MB = 2 ** 20;
const KB = 1024;

const per = (unit, digits) => ({ value, low, high }) => `${(value / unit).toFixed(digits)} (${(low / unit).toFixed(digits)} to ${(high / unit).toFixed(digits)})`;
const flat = ({ isFlat, isCode }) => (isCode ? 'code' : isFlat ? 'flat' : 'GROWS');

function rows({ sizes, counts }) {
  const size = (row) => {
    const isNumber = row.figure in NUMBERS;
    const [unit, digits] = isNumber ? [1, 1] : [KB, 0];
    const level = isNumber ? `${row.first}, ${row.last}` : `${(row.first / MB).toFixed(2)}, ${(row.last / MB).toFixed(2)} MB`;
    const slope = per(unit, digits);
    const name = (isNumber ? NUMBERS : SIZES)[row.figure];
    return `| ${name} | ${level} | ${slope(row.app)} | ${slope(row.twin)} | ${slope(row.difference)} | ${flat(row)} |`;
  };
  const count = (row) => `| ${COUNTS[row.figure]} | ${row.from}, ${row.to} | | | twin ${row.twin.from}, ${row.twin.to} | ${flat(row)} |`;
  return [
    '| figure | first, last | grows by KB/h (95 %) | the twin by KB/h | difference | |', '|---|---|---|---|---|---|',
    ...sizes.map(size), ...counts.map(count),
  ];
}

/** The verdict as a table in Markdown, with what was done. */
function table(run, verdict) {
  const { counts, cpu, inside, settings } = run;
  const said = ({ isLeak, kind, afterSeconds, status }) => (isLeak ? `a leak of ${kind} after ${Math.round(afterSeconds)} s` : `no leak (${status})`);
  const captures = Object.entries(counts.captures).map(([name, count]) => `${count} ${name}`).join(', ');
  const last = run.readings.app.at(-1);
  return [
    `Node ${settings.node}, ${settings.minutes} minutes${settings.leak ? `, leaking ${settings.leak} on purpose` : ''}${settings.without.length > 0 ? `, without ${settings.without.join(', ')}` : ''}; ${verdict.cycles} cycles judged, ${verdict.hours.toFixed(2)} hours`,
    `${counts.answered} requests, ${counts.wrong} failed or wrong; ${counts.scrapes} scrapes, ${counts.downloads} downloads, ${counts.workers} workers of each, ${run.alerts} alerts at the webhook; captures: ${captures || 'none'}`,
    `cores taken: service ${cpu.app.toFixed(3)}, twin ${cpu.twin.toFixed(3)}, load ${cpu.load.toFixed(3)}; ${last.files} files of evidence, ${(last.fileBytes / MB).toFixed(1)} MB`,
    '', ...rows(verdict), '',
    `our detector, told from outside: ${said(verdict.detector.app)}; of the twin: ${said(verdict.detector.twin)}`,
    ...(inside ? [`the monitor inside: ${inside.verdict.status}${inside.verdict.kind === 'none' ? '' : ` (${inside.verdict.kind})`}, ${inside.leaks.length} alerts of a leak`] : []),
    verdict.problems.length === 0 ? 'Nothing grows.' : verdict.problems.map((problem) => `GROWS: ${problem}`).join('\n'),
  ].join('\n');
}

module.exports = { table };
