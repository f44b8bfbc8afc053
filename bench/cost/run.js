'use strict';

// What Heapwarden costs, measured here, as the table of docs/cost.md: npm run cost -- [--quick] [--only idle,loop,...] [--write] [--node PATH]
//
// Ends with 1 where a figure is above what is allowed. --write puts the table into docs/cost.md.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { intervalText: told, meanWithInterval } = require('../overhead/statistics');
const { idle } = require('./idle');
const { loop } = require('./loop');
const { resident } = require('./resident');

const ROOT = path.resolve(__dirname, '..', '..');
const MB = 2 ** 20;
const BEGIN = '<!-- npm run cost -->';
const END = '<!-- end of what was measured -->';

const { values } = parseArgs({
  options: { quick: { type: 'boolean', default: false }, only: { type: 'string' }, write: { type: 'boolean', default: false }, node: { type: 'string', default: process.execPath } },
});
const quick = (few, many) => (values.quick ? few : many);

const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-cost-'));
process.on('exit', () => fs.rmSync(directory, { recursive: true, force: true }));
const where = { node: values.node, directory };

/** Runs another benchmark; gives its JSON, from the file that it is told to write or from its last line. */
function bench(script, args, file) {
  const all = file ? [...args, '--json', path.join(directory, file)] : args;
  const { status, stdout, signal } = spawnSync(values.node, [path.join(ROOT, 'bench', script), ...all], { cwd: directory, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'], maxBuffer: 2 ** 26 });
  const text = file ? fs.existsSync(path.join(directory, file)) && fs.readFileSync(path.join(directory, file), 'utf8') : stdout.trim().split('\n').pop();
  if (!text || (status !== 0 && !file)) throw new Error(`${script} ended with ${status ?? signal}`);
  return JSON.parse(text);
}

/** Each gives rows: what, the figure, what is allowed (`isMet`, where something is), and how it was measured. */
const PARTS = {
  async idle() {
    const [pairs, seconds] = [4, quick(60, 300)];
    const figure = meanWithInterval(await idle({ ...where, pairs, seconds }));
    return [{ what: 'an idle program, by the hour', figure: `${told(figure, 0)} ms of processor time`, how: `${pairs} pairs of idle processes side by side for ${seconds} s` }];
  },
  async loop() {
    const pairs = quick(7, 21);
    const { ratio, gcUs, collections, sampleUs, sampleP99Us, restartUs } = loop({ ...where, pairs });
    const how = `${pairs} pairs of processes that allocate, ${collections.value} collections each`;
    return [
      { what: 'a loop that only allocates', figure: `${told(ratio, 3)} times its processor time`, how },
      { what: 'a collection', figure: `${told(gcUs, 1)} µs`, how: 'the difference within these pairs, by their collections' },
      { what: 'a sample, on your thread', figure: `${told(sampleUs, 1)} µs, 99th percentile ${sampleP99Us.value.toFixed(0)}`, allowed: '20 µs', isMet: sampleUs.value <= 20, how: '2000 samples in each of these processes' },
      { what: '`stop()` and `start()`', figure: `${(restartUs.value / 1000).toFixed(1)} ms`, how: '200 times in each' },
    ];
  },
  async start() {
    const { cpuMs, pairs } = bench('overhead/start.js', ['--pairs', String(quick(8, 30))], 'start.json');
    return [{ what: 'the start of the program', figure: `${told(cpuMs, 0)} ms of processor time`, how: `${pairs} pairs of \`node -e 0\`` }];
  },
  async resident() {
    const pairs = quick(3, 9);
    const rows = await resident({ ...where, pairs });
    return rows.map(({ app, watcher, all, own }) => ({
      what: `resident memory of *${app}*${watcher === 'again' ? ', two times without' : watcher === 'everything' ? ', everything on' : ', defaults'}`,
      figure: `${told({ value: all.value / MB, low: all.low / MB, high: all.high / MB }, 1)} MB more; ${told({ value: own.value / MB, low: own.low / MB, high: own.high / MB }, 1)} of what is the process's alone`,
      ...(watcher !== 'again' && { allowed: '6 MB', isMet: all.value <= 6 * MB }),
      how: `${pairs} pairs of processes, after 20 000 requests`,
    }));
  },
  async throughput() {
    const rows = bench('overhead/turns.js', ['--rounds', String(quick(30, 100))], 'turns.json');
    return rows.flatMap(({ app, rounds, perSecond, cpuUs, parts: { everything, again } }) => [
      { what: `throughput of *${app}*, everything on`, figure: `${told(everything.throughput, 4)} of ${perSecond.toFixed(0)} requests a second; two times without ${told(again.throughput, 4)}`, allowed: 'at least 0.995', isMet: everything.throughput.value >= 0.995, how: `${rounds} rounds of turns of a second in one process` },
      { what: `processor time a request of *${app}*`, figure: `${told(everything.cpu, 4)} of ${cpuUs.toFixed(1)} µs; two times without ${told(again.cpu, 4)}`, how: 'the same turns' },
    ]);
  },
  async pause() {
    const { heapMB, cloneMs, v8Ms, ratio } = bench('clone/pause.js', ['--runs', String(quick(3, 10))]);
    return [{ what: `a look at a heap of ${heapMB} MB, in a clone`, figure: `the process stands still for ${cloneMs.median.toFixed(0)} ms (at most ${cloneMs.most.toFixed(0)}); \`v8.writeHeapSnapshot\` ${v8Ms.median.toFixed(0)} ms`, allowed: 'a fiftieth', isMet: ratio <= 0.02, how: 'Express under load, by turns' }];
  },
  async analysis() {
    const { rows, fileMB, rounds } = bench('snapshots.js', ['--dir', directory, '--size', String(quick(10, 100)), '--works', 'histogram,summary,diff', '--rounds', '3'], 'snapshots.json');
    const ours = rows.filter(({ cpuRatio }) => cpuRatio === null);
    return ours.map(({ work, tool, cpuMs, peakMB }) => {
      const others = rows.filter((row) => row.work === work && row.tool !== tool && row.cpuRatio !== null);
      const beside = others.map(({ tool: name, cpuRatio }) => `${(1 / cpuRatio).toFixed(0)} times ${name}'s`).join(', ');
      return { what: `${work} of a snapshot of ${fileMB.toFixed(0)} MB`, figure: `${cpuMs.toFixed(0)} ms of processor time, ${peakMB.toFixed(0)} MB; as fast as ${beside}`, how: `${rounds} rounds, answers compared` };
    });
  },
};

function table(rows) {
  const line = ({ what, figure, allowed = '', isMet, how }) => `| ${what} | ${figure} | ${allowed}${isMet === false ? ' (missed)' : ''} | ${how} |`;
  return ['| what | cost | allowed | how |', '|---|---|---|---|', ...rows.map(line)].join('\n');
}

async function main() {
  const names = values.only?.split(',') ?? Object.keys(PARTS);
  const unknown = names.filter((name) => !(name in PARTS));
  if (unknown.length > 0) throw new Error(`--only: expected some of ${Object.keys(PARTS).join(', ')}, found ${unknown.join(', ')}`);
  const version = spawnSync(values.node, ['--version'], { encoding: 'utf8' }).stdout.trim();
  const rows = [];
  for (const name of names) {
    console.error(`${name} ...`);
    const part = await PARTS[name]();
    rows.push(...part);
    console.error(table(part));
  }
  const load = os.loadavg()[1].toFixed(1);
  const text = `Node ${version.slice(1)}, ${os.cpus()[0].model}, ${os.cpus().length} cores, Linux ${os.release().split('-')[0]}, load ${load}; medians with 95 % intervals.\n\n${table(rows)}\n`;
  console.log(text);
  if (values.write) {
    const file = path.join(ROOT, 'docs', 'cost.md');
    const page = fs.readFileSync(file, 'utf8');
    const [from, to] = [page.indexOf(BEGIN) + BEGIN.length, page.indexOf(END)];
    fs.writeFileSync(file, `${page.slice(0, from)}\n${values.only ? merged(page.slice(from, to), rows) : text}${page.slice(to)}`);
  }
  if (rows.some(({ isMet }) => isMet === false)) process.exitCode = 1;
}

/** What is on the page, with the rows that were measured now in place of those of the same name. */
function merged(before, rows) {
  const anew = new Map(rows.map((row) => [row.what, table([row]).trim().split('\n').pop()]));
  return before.trimStart().replace(/^\| ([^|]*) \|.*$/gm, (line, what) => anew.get(what.trim()) ?? line);
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
