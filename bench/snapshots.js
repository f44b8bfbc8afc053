'use strict';

// What the analyses of a snapshot cost beside other tools: node bench/snapshots.js --dir DIR [--size 100] [--rounds 3]
//   [--works histogram,summary,diff,paths,threads] [--tools heapwarden,v8-heap-parser,...] [--json FILE]
//
// DIR holds sSIZE.a.heapsnapshot and sSIZE.b.heapsnapshot; what is missing is generated. Tools take turns on the same files,
// each in a process of its own. The answers must agree: the run fails where they do not.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { KNOWN, disagreements } = require('./rivals/agree');
const { crate, measureProgram, ours, rivals } = require('./rivals');

const WORKS = ['histogram', 'summary', 'diff', 'paths', 'threads'];
const PATHS = 10;

/** The most that we may take: of a rival's CPU time, and of memory as a share of the (larger) file or in MB. */
const TARGETS = {
  histogram: { cpu: { 'v8-heap-parser': 0.06, '@heap-snapshot/tool': 0.1, memlab: 0.01, DevTools: 0.01 }, peakMB: 12 },
  summary: { cpu: { 'v8-heap-parser': 0.17, '@heap-snapshot/tool': 0.25, memlab: 0.04, DevTools: 0.04 }, peakOfFile: 0.7 },
  diff: { cpu: { 'v8-heap-parser': 0.06, '@heap-snapshot/tool': 0.1, memlab: 0.02, DevTools: 0.02 }, peakOfFile: 0.3 },
  paths: { cpu: { 'v8-heap-parser': 0.12, '@heap-snapshot/tool': 0.25, memlab: 0.02, DevTools: 0.02 }, peakOfFile: 0.7 },
  threads: { wall: 0.75 },
};
/** A whole summary of the largest size, in MB. */
const LARGEST = { size: 2000, peakMB: 1700 };

const median = (values) => values.slice().sort((a, b) => a - b)[values.length >> 1];
const scratch = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-bench-'));
process.on('exit', () => fs.rmSync(scratch, { recursive: true, force: true }));

/** Runs a tool once: its answer, and what the processes took. */
function once(measure, tool, work, args, env = {}) {
  const out = path.join(scratch, 'usage.json');
  const answerFile = path.join(scratch, 'answer');
  const stdout = fs.openSync(answerFile, 'w');
  const [command, ...rest] = tool.command(work, args);
  const run = spawnSync(measure, [out, command, ...rest], {
    stdio: ['ignore', stdout, 'pipe'], env: { ...process.env, ...env }, maxBuffer: 64 * 1024 * 1024,
  });
  fs.closeSync(stdout);
  if (run.status !== 0) {
    const lines = String(run.stderr).trim().split('\n');
    throw new Error(`${tool.name} ${work}: ${lines.find((line) => /error/i.test(line)) ?? lines.pop() ?? run.signal}`);
  }
  return { ...JSON.parse(fs.readFileSync(out, 'utf8')), read: () => tool.answer(work, fs.readFileSync(answerFile, 'utf8')) };
}

/** What an idle process of the tool's kind takes: it loads what it needs and does nothing. */
function idleOf(measure, tool, work = 'idle') {
  const runs = Array.from({ length: 5 }, () => once(measure, tool, work, []));
  const of = (key) => median(runs.map((run) => run[key]));
  return { cpuMs: of('cpuMs'), wallMs: of('wallMs'), peakMB: of('peakMB') };
}

/** Turns of all tools at one work: a list of rounds, `{ tool: { cpuMs, wallMs, peakMB } }`, and the last answers. */
function rounds(measure, tools, work, args, count, failed) {
  const answers = {};
  const taken = Array.from({ length: count }, (_, round) => {
    const row = {};
    // Who goes first alternates.
    for (const tool of round % 2 ? tools.slice().reverse() : tools) {
      if (failed.has(`${tool.name} ${work}`) || tool.missing?.includes(work)) continue;
      try {
        const { read, ...usage } = once(measure, tool, work, args);
        if (round === 0) answers[tool.name] = read();
        const idle = tool.idles?.[work] ?? tool.idle;
        row[tool.name] = Object.fromEntries(Object.entries(usage).map(([key, value]) => [key, Math.max(0, value - idle[key])]));
      } catch (error) {
        failed.set(`${tool.name} ${work}`, error.message);
      }
    }
    return row;
  });
  return { taken, answers };
}

function report(work, taken, tools, fileMB) {
  const target = TARGETS[work];
  const us = ours.name;
  const rows = [];
  for (const { name } of tools) {
    const own = taken.map((row) => row[name]).filter(Boolean);
    if (own.length === 0) continue;
    const of = (key) => median(own.map((usage) => usage[key]));
    const paired = taken.filter((row) => row[us] && row[name]);
    const ratio = (key) => (name === us || paired.length === 0 ? null : median(paired.map((row) => row[us][key] / row[name][key])));
    rows.push({
      work, tool: name, cpuMs: of('cpuMs'), wallMs: of('wallMs'), peakMB: of('peakMB'), cpuRatio: ratio('cpuMs'),
      peakOfFile: of('peakMB') / fileMB, cpuTarget: target.cpu?.[name] ?? null,
      peakTargetMB: name === us ? (target.peakMB ?? target.peakOfFile * fileMB) : null,
    });
  }
  return rows;
}

const digits = (value, count = 0) => (value === null ? '' : value.toFixed(count));

function print(rows) {
  console.log('| work | tool | CPU ms | wall ms | peak MB | of the file | ours / theirs, CPU | target | met |');
  console.log('|---|---|---|---|---|---|---|---|---|');
  for (const row of rows) {
    const isOurs = row.tool === ours.name;
    const target = isOurs ? `<= ${digits(row.peakTargetMB)} MB` : `<= ${row.cpuTarget}`;
    const met = isOurs ? row.peakMB <= row.peakTargetMB : row.cpuRatio === null ? '' : row.cpuRatio <= row.cpuTarget;
    console.log(`| ${row.work} | ${row.tool} | ${digits(row.cpuMs)} | ${digits(row.wallMs)} | ${digits(row.peakMB)} | ${digits(row.peakOfFile, 2)} `
      + `| ${digits(row.cpuRatio, 3)} | ${target} | ${met === '' ? '' : met ? 'yes' : 'no'} |`);
  }
}

/** One thread against two: the wall time of a summary. */
function threads(measure, args, count) {
  const walls = { 1: [], 2: [] };
  const cpus = { 1: [], 2: [] };
  for (let round = 0; round < count; round++) {
    for (const number of round % 2 ? [2, 1] : [1, 2]) {
      const usage = once(measure, ours, 'summary', args, { HEAPWARDEN_BENCH_THREADS: String(number) });
      walls[number].push(usage.wallMs - ours.idle.wallMs);
      cpus[number].push(usage.cpuMs - ours.idle.cpuMs);
    }
  }
  const ratio = median(walls[2].map((wall, round) => wall / walls[1][round]));
  console.log(`\nthreads: summary, wall ms with one ${digits(median(walls[1]))} (CPU ${digits(median(cpus[1]))}), `
    + `with two ${digits(median(walls[2]))} (CPU ${digits(median(cpus[2]))}): ratio ${digits(ratio, 2)}, target <= ${TARGETS.threads.wall}, `
    + `${ratio <= TARGETS.threads.wall ? 'met' : 'not met'}; load of the machine ${digits(os.loadavg()[0], 1)} on ${os.cpus().length} cores`);
  return { wallMs: walls, cpuMs: cpus, ratio };
}

function files(dir, size) {
  const pair = ['a', 'b'].map((which) => path.join(dir, `s${size}.${which}.heapsnapshot`));
  if (!pair.every((file) => fs.existsSync(file))) {
    const generator = path.join(__dirname, 'snapshots', 'generate.js');
    // Without the long lists: one rival's dominators take ten times longer with them, which says nothing of ours.
    const made = spawnSync(process.execPath, [generator, '--size', String(size), '--out', dir, '--list-length', '100'], { stdio: ['ignore', 2, 2] });
    if (made.status !== 0) throw new Error(`no snapshots of ${size} MB could be made in ${dir}`);
  }
  return pair;
}

function prepared(names) {
  const notRunnable = new Map();
  const chosen = [ours, ...rivals].filter(({ name }) => names.length === 0 || names.includes(name));
  const tools = chosen.filter((tool) => {
    try {
      tool.prepare();
      return true;
    } catch (error) {
      notRunnable.set(tool.name, error.message.split('\n')[0]);
      return false;
    }
  });
  return { tools, notRunnable };
}

function main() {
  const { values } = parseArgs({
    options: {
      dir: { type: 'string' }, size: { type: 'string', default: '100' }, rounds: { type: 'string', default: '3' },
      works: { type: 'string', default: WORKS.join() }, tools: { type: 'string', default: '' }, json: { type: 'string' },
    },
  });
  if (!values.dir) throw new Error('usage: snapshots.js --dir DIR [--size MB] [--rounds N] [--works LIST] [--tools LIST] [--json FILE]');
  const size = Number(values.size);
  const count = Number(values.rounds);
  const works = values.works.split(',');
  const unknown = works.filter((work) => !WORKS.includes(work));
  if (unknown.length > 0) throw new Error(`--works: expected some of ${WORKS}, found ${unknown}`);
  const [before, after] = files(path.resolve(values.dir), size);
  const fileMB = fs.statSync(after).size / 1e6;
  const measure = measureProgram();
  const { tools, notRunnable } = prepared(values.tools.split(',').filter(Boolean));
  for (const tool of tools) {
    tool.idle = idleOf(measure, tool);
    // A client beside the tool costs time of its own; the peak is that of the larger of the two processes.
    if (tool.clients) tool.idles = Object.fromEntries(tool.clients.map((work) => [work, { ...idleOf(measure, tool, `idle ${work}`), peakMB: tool.idle.peakMB }]));
  }

  const failed = new Map();
  const wrong = [];
  const rows = [];
  const result = { node: process.version, cpu: os.cpus()[0]?.model, size, fileMB, rounds: count, idle: {}, rows };
  for (const tool of tools) result.idle[tool.name] = tool.idle;
  const ids = works.includes('paths') && tools.includes(crate) ? once(measure, crate, 'pick', [after, String(PATHS)]).read().ids : [];
  let objects = new Set();
  if (tools.includes(crate)) {
    const { classes } = once(measure, crate, 'histogram', [after]).read();
    objects = new Set(Object.keys(classes).filter((name) => classes[name].objects));
  }
  for (const work of works.filter((name) => name !== 'threads')) {
    const args = work === 'diff' ? [before, after] : work === 'paths' ? [after, ...ids.map(String)] : [after];
    const { taken, answers } = rounds(measure, tools, work, args, count, failed);
    rows.push(...report(work, taken, tools, fileMB));
    wrong.push(...disagreements(work, answers, objects));
  }
  console.log(`\n${path.basename(after)}, ${digits(fileMB, 1)} MB (diff: from ${digits(fs.statSync(before).size / 1e6, 1)} MB); ${count} rounds, medians; `
    + `Node ${process.version}; what an idle process of the same kind takes is subtracted\n`);
  print(rows);
  if (works.includes('threads') && tools.includes(ours)) result.threads = threads(measure, [after], count);
  const summary = rows.find(({ work, tool }) => work === 'summary' && tool === ours.name);
  if (size === LARGEST.size && summary) {
    console.log(`\n${LARGEST.size} MB summarised within ${digits(summary.peakMB)} MB, target <= ${LARGEST.peakMB}`);
  }
  for (const [name, reason] of notRunnable) console.log(`\n${name}: not runnable: ${reason}`);
  for (const [what, reason] of failed) console.log(`\n${what}: failed: ${reason}`);
  for (const work of ours.missing ?? []) if (works.includes(work)) console.log(`\n${ours.name}: this version has no ${work}`);
  console.log('\nknown differences, not failures:');
  for (const { name } of tools) for (const line of KNOWN[name] ?? []) console.log(`- ${name}: ${line}`);
  console.log(wrong.length === 0 ? '\nthe answers agree' : `\nthe answers differ in ${wrong.length} places:`);
  for (const line of wrong.slice(0, 50)) console.log(`- ${line}`);
  if (values.json) fs.writeFileSync(values.json, `${JSON.stringify({ ...result, wrong }, null, 1)}\n`);
  if (wrong.length > 0 || failed.size > 0) process.exitCode = 1;
}

main();
