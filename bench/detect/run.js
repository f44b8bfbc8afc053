'use strict';

// How good the detector is on labelled traces: node bench/detect/run.js <traces.jsonl[.gz]> <labels.jsonl> [--families] [--verdicts <file>]
//
// Runs what `heapwarden replay` runs. The traces' format: docs/series.md; a label is
// {"id","leak","family","dt","hours","ambiguous","kind","onset","visible","knots":[[seconds,KiB]]}.

const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { replaySeries } = require('../../lib/replay');
const { verdictOf } = require('../../lib/cli/replay');
const { score } = require('./score');

const jsonLines = (text) => text.split('\n').filter(Boolean).map((line) => JSON.parse(line));

function row(name, s) {
  const n = (value, digits = 0) => (value === null ? '-' : value.toFixed(digits));
  const percent = (value) => (value === null ? '-' : `${(value * 100).toFixed(0)} %`);
  return [
    name, `${s.falseAlarms} in ${n(s.healthyHours)} h`, `${s.healthyAlarmed + s.alarmedBeforeOnset} of ${s.healthyTraces + s.leaks}`,
    `${s.ambiguousAlarmed} of ${s.ambiguousTraces}`, `${s.found} of ${s.leaks}`, `${n(s.samplesMedian)} / ${n(s.samplesP90)}`,
    `${n(s.leakedMBMedian, 1)} / ${n(s.leakedMBP90, 1)}`, percent(s.kindRight), percent(s.rateWithin2x), s.missed.join(' '),
  ];
}

const HEAD = [
  'traces', 'false alarms', 'traces with one', 'of unclear ones', 'leaks found', 'samples until then', 'MB leaked by then',
  'kind right', 'rate within 2x', 'missed',
];

async function main() {
  const { values, positionals: [traces, labels] } = parseArgs({
    allowPositionals: true,
    options: { families: { type: 'boolean' }, verdicts: { type: 'string' } },
  });
  if (labels === undefined) throw new Error('expected a file of traces and one of labels');
  const started = process.cpuUsage();
  const answer = await replaySeries(traces, { timing: true });
  const { user, system } = process.cpuUsage(started);
  const verdicts = answer.traces.map(verdictOf);
  if (values.verdicts) fs.writeFileSync(values.verdicts, verdicts.map((verdict) => `${JSON.stringify(verdict)}\n`).join(''));
  const { all, families } = score(jsonLines(fs.readFileSync(labels, 'utf8')), verdicts);
  const rows = [row('all', all), ...(values.families ? Object.entries(families).map(([name, s]) => row(name, s)) : [])];
  const table = [HEAD, HEAD.map(() => '---'), ...rows];
  console.log(table.map((cells) => `| ${cells.join(' | ')} |`).join('\n'));
  const { updates, meanUs, p999Us, maxUs } = answer.timing;
  console.log(`\n${updates} updates of the detector: mean ${meanUs.toFixed(2)} us, 99.9th percentile ${p999Us.toFixed(1)} us, `
    + `largest ${maxUs.toFixed(1)} us; ${((user + system) / 1e6).toFixed(2)} s of CPU time in all`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
