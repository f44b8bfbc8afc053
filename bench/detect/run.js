'use strict';

// How good the detector is on labelled traces: node bench/detect/run.js <traces.jsonl[.gz]> <labels.jsonl> [--families] [--verdicts <file>]
//
// Runs what `heapwarden replay` runs. The traces' format: docs/series.md; a label is
// {"id","leak","family","dt","hours","ambiguous","kind","onset","visible","knots":[[seconds,KiB]]}.

const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { replaySeries } = require('../../lib/replay');
const { verdictOf } = require('../../lib/cli/replay');
const { garwood } = require('./poisson');
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

/** The rate, with the interval that holds the true one with 95 % confidence. */
function falseAlarms({ falseAlarms: count, healthyHours, wallHours }) {
  const a10k = (n) => (n / healthyHours * 1e4).toFixed(2);
  const [low, high] = garwood(count);
  return `false alarms ${count} in ${healthyHours.toFixed(0)} h of a sample every 30 s (${wallHours.toFixed(0)} h of time): `
    + `${a10k(count)} per 10 000 h [${a10k(low)}, ${a10k(high)}]`;
}

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
  console.log(`\n${falseAlarms(all)}`);
  for (const { id, family, seconds, alarms } of all.falseAlarmsOf) {
    console.log(`  ${id} (${family}): ${alarms.map(([t, kind]) => `${kind} at sample ${Math.round(t / seconds)} (${(t / 3600).toFixed(2)} h)`).join(', ')}`);
  }
  if (all.leaks > 0) console.log(`a suspicion or an alarm for ${all.hinted} of ${all.leaks} leaks, the first after ${all.hintSamplesMedian?.toFixed(0)} samples (median)`);
  if (all.suspectsADay !== null) console.log(`${all.suspectsADay.toFixed(2)} suspicions in a healthy day`);
  const { updates, meanUs, p50Us, p99Us, p999Us, maxUs } = answer.timing;
  console.log(`${updates} updates of the detector: mean ${meanUs.toFixed(2)} us, median ${p50Us.toFixed(1)} us, 99th percentile `
    + `${p99Us.toFixed(1)} us, 99.9th ${p999Us.toFixed(1)} us, largest ${maxUs.toFixed(1)} us; ${((user + system) / 1e6).toFixed(2)} s of CPU time in all`);
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
