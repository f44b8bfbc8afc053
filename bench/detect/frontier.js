'use strict';

// What strictness buys: node bench/detect/frontier.js <traces.jsonl[.gz]> <labels.jsonl> [--rival name=points.json] [--out <file.svg>]
//
// Replays the traces at several strictnesses, prints what became of each, and with --out draws false alarms against delay. A rival's
// points are an array of {"strictness","falseAlarms","healthyHours","found","leaks","samplesMedian","samplesMedianOfAll","leakedMBMedian"},
// as score.js calls them, in the order of strictness.

const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { replaySeries } = require('../../lib/replay');
const { verdictOf } = require('../../lib/cli/replay');
const { picture } = require('./picture');
const { score } = require('./score');

const STRICTNESS = [0.25, 0.35, 0.5, 0.7, 0.85, 1, 1.4, 2, 2.8, 4];
const HEAD = ['detector', 'strictness', 'false alarms', 'per 10 000 h', 'leaks found', 'samples (median of all)', 'of those found', 'MB leaked by then'];

const n = (value, digits) => (value === null ? '-' : value.toFixed(digits));

function row(name, p) {
  return [
    name, p.strictness, p.falseAlarms, n(p.falseAlarms / p.healthyHours * 1e4, 1), `${p.found} of ${p.leaks}`,
    n(p.samplesMedianOfAll, 0), n(p.samplesMedian, 0), n(p.leakedMBMedian, 1),
  ];
}

function rivalOf(option) {
  const [, name, file] = /^([^=]+)=(.+)$/.exec(option) ?? [];
  if (file === undefined) throw new Error(`--rival: expected name=points.json, found ${option}`);
  return { name, points: JSON.parse(fs.readFileSync(file, 'utf8')) };
}

async function main() {
  const { values, positionals: [traces, file] } = parseArgs({
    allowPositionals: true,
    options: { rival: { type: 'string', multiple: true, default: [] }, out: { type: 'string' } },
  });
  if (file === undefined) throw new Error('expected a file of traces and one of labels');
  const labels = fs.readFileSync(file, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const rivals = values.rival.map(rivalOf);
  const points = [];
  for (const strictness of STRICTNESS) {
    const { traces: judged } = await replaySeries(traces, { strictness });
    points.push({ strictness, ...score(labels, judged.map(verdictOf)).all });
  }
  const curves = [{ name: 'heapwarden', points }, ...rivals];
  const rows = curves.flatMap(({ name, points: some }) => some.map((point) => row(name, point)));
  console.log([HEAD, HEAD.map(() => '---'), ...rows].map((cells) => `| ${cells.join(' | ')} |`).join('\n'));
  if (values.out !== undefined) fs.writeFileSync(values.out, picture(curves));
}

main().catch((error) => {
  console.error(error.message);
  process.exitCode = 1;
});
