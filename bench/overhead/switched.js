'use strict';

// What Heapwarden costs a server's throughput from the moment that it is switched on: node bench/overhead/switched.js [--pairs 15] [--seconds 6]
//   [--settle 6] [--apps hello,api] [--part everything] [--connections 32] [--pipelining 10] [--node PATH] [--json FILE]
//
// Two processes that do the same differ by several hundredths in how fast they are, by where their code and data happen to lie, and each becomes
// faster while it runs. So each is compared with itself: measured once warm, and again after Heapwarden was started in the one of a pair, and
// nothing done in the other. What is told is the median over the pairs of the one's change by the other's; `twice without` is that of the
// processes in which nothing was started, of each pair by the one before.
//
// turns.js measures the parts in one process, by turns, more finely. What it cannot see is what stays after a first start and stop.

const fs = require('node:fs');
const { setTimeout: passed } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const { seeded } = require('../snapshots/random');
const { intervalText, medianWithInterval, shuffled } = require('./statistics');
const { UnderLoad } = require('./under-load');

const { values } = parseArgs({
  options: {
    pairs: { type: 'string', default: '15' }, seconds: { type: 'string', default: '6' }, settle: { type: 'string', default: '6' },
    apps: { type: 'string', default: 'hello,api' }, part: { type: 'string', default: 'everything' },
    connections: { type: 'string', default: '32' }, pipelining: { type: 'string', default: '10' }, node: { type: 'string', default: process.execPath },
    json: { type: 'string' },
  },
});

const WARM_UP_MS = 8000;
const MS = 1000;

/** A process's figures before and after: `{ before, after }`. */
async function life(app, part) {
  const one = await UnderLoad.begin(app, values);
  try {
    await passed(WARM_UP_MS);
    const before = await one.figures(values.seconds * MS);
    await one.switchTo(part);
    await passed(values.settle * MS);
    const [after] = await Promise.all([one.figures(values.seconds * MS), part === '' ? undefined : one.scrape()]);
    return { before, after };
  } finally {
    await one.end();
  }
}

async function measure(app, random) {
  const pairs = [];
  for (let i = 0; i < Number(values.pairs); i++) {
    const pair = {};
    for (const name of shuffled(['with', 'without'], random)) pair[name] = await life(app, name === 'with' ? values.part : '');
    pairs.push(pair);
    process.stderr.write(`\r${app} ${i + 1}/${values.pairs}`);
  }
  process.stderr.write('\n');
  return pairs;
}

const changeOf = ({ before, after }, key) => after[key] / before[key];

function row(app, pairs) {
  const absolute = (key) => medianWithInterval(pairs.map(({ without }) => without.after[key])).value;
  const ratios = (key) => ({
    with: medianWithInterval(pairs.map((pair) => changeOf(pair.with, key) / changeOf(pair.without, key))),
    again: medianWithInterval(pairs.slice(1).map((pair, i) => changeOf(pair.without, key) / changeOf(pairs[i].without, key))),
  });
  return { app, part: values.part, pairs: pairs.length, perSecond: absolute('perSecond'), cpuUs: absolute('cpuUs'), throughput: ratios('perSecond'), cpu: ratios('cpuUs') };
}

const told = (interval) => intervalText(interval, 4);

async function main() {
  const random = seeded(Date.now() % 1_000_000).next;
  const rows = [];
  for (const app of values.apps.split(',')) rows.push(row(app, await measure(app, random)));
  console.log('| | without | throughput, times without | twice without | CPU a request, times without | twice without |\n|---|---|---|---|---|---|');
  for (const { app, perSecond, cpuUs, throughput, cpu } of rows) {
    console.log(`| ${app} | ${perSecond.toFixed(0)}/s, ${cpuUs.toFixed(1)} us each | ${told(throughput.with)} | ${told(throughput.again)} | ${told(cpu.with)} | ${told(cpu.again)} |`);
  }
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
