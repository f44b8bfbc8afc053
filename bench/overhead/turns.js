'use strict';

// What Heapwarden with everything on costs a server's throughput, to a hundredth or less: node bench/overhead/turns.js [--rounds 60]
//   [--seconds 1] [--settle 2] [--apps hello,api] [--parts everything] [--connections 32] [--pipelining 10] [--node PATH] [--json FILE]
//
// Two processes that do the same differ by several hundredths in how fast they are, by where their code and data happen to lie. So here it is one
// process, under load all the time, in which Heapwarden is started and stopped by turns. A round is a turn with each part and two without, in an order
// drawn anew; a pair is a turn with a part and the mean of the two without, or (`again`) these two. What is told is the median over the pairs.
// Parts are everything, defaults, least, routes, blackBox, listeners, containerWatch, auditor: see turns-server.js.
// What stays after a first start and stop is in both turns of a pair: switched.js sees that. Measured begins --settle seconds after a switch, of which each
// has V8 compile functions anew.

const fs = require('node:fs');
const { setTimeout: passed } = require('node:timers/promises');
const { parseArgs } = require('node:util');
const { seeded } = require('../snapshots/random');
const { intervalText, medianWithInterval, shuffled } = require('./statistics');
const { UnderLoad } = require('./under-load');

const { values } = parseArgs({
  options: {
    rounds: { type: 'string', default: '60' }, seconds: { type: 'string', default: '1' }, apps: { type: 'string', default: 'hello,api' },
    connections: { type: 'string', default: '32' }, pipelining: { type: 'string', default: '10' }, node: { type: 'string', default: process.execPath },
    json: { type: 'string' }, parts: { type: 'string', default: 'everything' }, settle: { type: 'string', default: '2' },
  },
});

const WARM_UP_MS = 5000;
const MS = 1000;
const SCRAPE_EVERY = 5;

const OFF = ['off', 'again'];
const PARTS = values.parts.split(',');

async function turn(server, part, scrapes) {
  await server.switchTo(part);
  await passed(values.settle * MS);
  return (await Promise.all([server.figures(values.seconds * MS), scrapes ? server.scrape() : undefined]))[0];
}

async function measure(app, random) {
  const server = await UnderLoad.begin(app, values);
  try {
    await passed(WARM_UP_MS);
    const rounds = [];
    for (let i = 0; i < Number(values.rounds); i++) {
      const round = {};
      for (const name of shuffled([...OFF, ...PARTS], random)) {
        const isOff = OFF.includes(name);
        round[name] = await turn(server, isOff ? '' : name, !isOff && i % SCRAPE_EVERY === 0);
      }
      rounds.push(round);
      process.stderr.write(`\r${app} ${i + 1}/${values.rounds}`);
    }
    process.stderr.write('\n');
    return rounds;
  } finally {
    await server.end();
  }
}

function row(app, rounds) {
  const absolute = (key) => medianWithInterval(rounds.map(({ off }) => off[key])).value;
  const without = (round, name, key) => (name === 'again' ? round.off[key] : (round.off[key] + round.again[key]) / 2);
  const ratio = (name, key) => medianWithInterval(rounds.map((round) => round[name][key] / without(round, name, key)));
  const parts = Object.fromEntries([...PARTS, 'again'].map((name) => [name, { throughput: ratio(name, 'perSecond'), cpu: ratio(name, 'cpuUs') }]));
  return { app, rounds: rounds.length, perSecond: absolute('perSecond'), cpuUs: absolute('cpuUs'), parts };
}

const told = (interval) => intervalText(interval, 4);

async function main() {
  const random = seeded(Date.now() % 1_000_000).next;
  const rows = [];
  for (const app of values.apps.split(',')) rows.push(row(app, await measure(app, random)));
  console.log('| | bare | with | throughput, times bare | CPU a request, times bare |\n|---|---|---|---|---|');
  for (const { app, perSecond, cpuUs, parts } of rows) {
    for (const [part, { throughput, cpu }] of Object.entries(parts)) {
      console.log(`| ${app} | ${perSecond.toFixed(0)}/s, ${cpuUs.toFixed(1)} us each | ${part === 'again' ? 'nothing, again' : part} | ${told(throughput)} | ${told(cpu)} |`);
    }
  }
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify(rows, null, 2)}\n`);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
