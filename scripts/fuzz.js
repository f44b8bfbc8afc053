'use strict';

// Fuzzes all targets by turns, one process at a time, at the lowest priority: node scripts/fuzz.js [--minutes 60] [--slice 120] [--only parse,clone]
//   [--built DIR] [--json FILE]
//
// Each slice begins with what the ones before have found (`fuzz/corpus`) and with the seeds of the repository. Prints how long each target ran, how often, and
// what it covered; ends with 1 where one found something, which is then in `fuzz/artifacts`. Needs `cargo install cargo-fuzz` and a C++ compiler;
// `--built` names a folder with the programs of an earlier build instead.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');

const FUZZ = path.resolve(__dirname, '..', 'fuzz');
const TARGETS = fs.readdirSync(path.join(FUZZ, 'fuzz_targets')).map((name) => path.basename(name, '.rs')).sort();
/** What a target may take: a small input that makes much is a finding. */
const RSS_LIMIT_MB = 2048;
/** And how long one input may take, in seconds. */
const INPUT_SECONDS = 60;

const { values } = parseArgs({
  options: {
    minutes: { type: 'string', default: '60' },
    slice: { type: 'string', default: '120' },
    only: { type: 'string', default: TARGETS.join(',') },
    built: { type: 'string' },
    json: { type: 'string' },
  },
});

/** Builds all targets, and gives the folder that they are in. */
function build() {
  const run = (command, args, stderr) => {
    const { status, stdout, error } = spawnSync(command, args, { cwd: FUZZ, encoding: 'utf8', env: { ...process.env, RUSTC_BOOTSTRAP: '1' }, stdio: ['ignore', 'pipe', stderr] });
    if (error ?? status !== 0) throw error ?? new Error(`${command} ${args.join(' ')} ended with ${status}`);
    return stdout;
  };
  run('cargo', ['fuzz', 'build', '-O', '-a'], 'inherit');
  const [, host] = /^host: (.+)$/m.exec(run('rustc', ['-vV'], 'inherit'));
  return path.join(FUZZ, 'target', host, 'release');
}

/** One slice of a target: what libFuzzer says at its end. */
function slice(built, target, seconds) {
  const [corpus, seeds, artifacts] = ['corpus', 'seeds', 'artifacts'].map((folder) => path.join(FUZZ, folder, target));
  for (const folder of [corpus, seeds, artifacts]) fs.mkdirSync(folder, { recursive: true });
  const args = [corpus, seeds, `-artifact_prefix=${artifacts}/`, `-max_total_time=${seconds}`, `-rss_limit_mb=${RSS_LIMIT_MB}`, `-timeout=${INPUT_SECONDS}`, '-print_final_stats=1'];
  // As cargo-fuzz has it.
  const env = { ...process.env, ASAN_OPTIONS: 'detect_odr_violation=0' };
  const { status, stderr, error } = spawnSync('nice', ['-n', '19', path.join(built, target), ...args], { encoding: 'utf8', env, maxBuffer: 2 ** 30, stdio: ['ignore', 'ignore', 'pipe'] });
  if (error) throw error;
  const last = (pattern) => Number([...stderr.matchAll(pattern)].at(-1)?.[1] ?? NaN);
  const said = {
    runs: last(/stat::number_of_executed_units: (\d+)/g), seconds: last(/Done \d+ runs in (\d+) second/g), peakMB: last(/stat::peak_rss_mb:\s+(\d+)/g),
    coverage: last(/ cov: (\d+)/g), features: last(/ ft: (\d+)/g),
  };
  // What has not even begun has found nothing.
  if (status !== 0 && !stderr.includes('Test unit written')) throw new Error(stderr.slice(-3000));
  return { ...said, finding: status === 0 ? undefined : stderr.slice(-3000) };
}

function main() {
  const targets = values.only.split(',').filter(Boolean);
  const unknown = targets.filter((name) => !TARGETS.includes(name));
  if (unknown.length > 0 || targets.length === 0) throw new Error(`--only: expected some of ${TARGETS.join(', ')}, found "${values.only}"`);
  const [minutes, seconds] = [Number(values.minutes), Number(values.slice)];
  if (!(minutes > 0 && seconds >= 1)) throw new Error(`expected --minutes above 0 and --slice from 1 on, found ${values.minutes} and ${values.slice}`);
  const built = values.built ?? build();
  const until = Date.now() + minutes * 60_000;
  const totals = Object.fromEntries(targets.map((target) => [target, { seconds: 0, runs: 0, slices: 0 }]));
  const findings = [];
  for (let n = 0; Date.now() < until; n++) {
    const target = targets[n % targets.length];
    const said = slice(built, target, Math.max(1, Math.min(seconds, Math.round((until - Date.now()) / 1000))));
    const total = totals[target];
    total.slices += 1;
    total.seconds += said.seconds || 0;
    total.runs += said.runs || 0;
    Object.assign(total, { coverage: said.coverage, features: said.features, peakMB: said.peakMB, corpus: fs.readdirSync(path.join(FUZZ, 'corpus', target)).length });
    console.error(`  ${new Date().toISOString()} ${target}: ${said.runs} runs in ${said.seconds} s, coverage ${said.coverage}, ${said.features} features, ${total.corpus} inputs, ${said.peakMB} MB`);
    if (said.finding) {
      findings.push(target);
      console.error(said.finding);
    }
    if (values.json) fs.writeFileSync(values.json, `${JSON.stringify({ totals, findings }, null, 2)}\n`);
  }
  console.log('| target | minutes | runs | coverage | features | inputs | MB at most |\n|---|---|---|---|---|---|---|');
  for (const [target, { seconds: spent, runs, coverage, features, corpus, peakMB }] of Object.entries(totals)) {
    console.log(`| ${target} | ${(spent / 60).toFixed(1)} | ${runs} | ${coverage} | ${features} | ${corpus} | ${peakMB} |`);
  }
  if (findings.length > 0) console.log(`Found something: ${[...new Set(findings)].join(', ')}; see fuzz/artifacts`);
  return findings.length > 0 ? 1 : 0;
}

process.exitCode = main();
