'use strict';

// Runs the cases and says whether each leak was diagnosed as a human would, and each healthy twin left alone.
//
//   node __test__/diagnosis/run.js [--quick | --full] [--node PATH]... [--only NAME,NAME] [--shared DIR] [--leaks | --twins] [--jobs N] [--verbose]
//
// --quick (default) takes two looks at each heap; --full waits for the monitor's report. HEAPWARDEN_CASES stands for --shared. A name in
// --only may be the beginning of several. Ends with 1 if anything was missed, or where the same leak has two fingerprints, two leaks have
// one: over all Nodes that were given.

const fs = require('node:fs');
const { parseArgs } = require('node:util');
const { ownCases, prepareOwn, sharedCases } = require('./cases');
const { full, healthy, quick } = require('./child');
const { culpritText, judgeHealth, judgeLeak } = require('./judge');

/** Whether a leaky program was diagnosed: `{ misses, culprits, tookMs }`, misses in words. */
async function diagnose({ programs, expected, pace }, { node, isFull }) {
  const { culprits, units, tookMs } = isFull
    ? await full(node, programs.leaky, pace).then(({ report, tookMs }) => ({ culprits: report.culprits, tookMs }))
    : await quick(node, programs.leaky, pace);
  const misses = Object.entries(judgeLeak(expected, culprits)).flatMap(([what, found]) => (found ? [`${what}: ${found}`] : []));
  // Else the silence of the healthy twin would prove nothing.
  if (!isFull && judgeHealth(expected, culprits, units).length === 0) misses.push('growth: a healthy program might have it');
  return { misses, culprits, tookMs };
}

/** Whether a healthy program was left alone, likewise. */
async function leaveAlone({ programs, expected, pace }, { node, isFull, twinMs }) {
  if (!isFull) {
    const { culprits, units } = await quick(node, programs.healthy, pace);
    return { misses: judgeHealth(expected, culprits, units), culprits };
  }
  const { report, stderr } = await healthy(node, programs.healthy, pace, twinMs);
  const misses = report ? [`a leak: ${report.culprits[0] ? culpritText(report.culprits[0]) : 'without culprits'}`] : [];
  if (!report && stderr.includes('heapwarden')) misses.push(stderr.trim());
  return { misses, culprits: report?.culprits ?? [] };
}

/** Runs what is wanted of a case, one program after the other: `[{ name, program, misses, culprits, seconds }]`. */
async function runCase(given, options) {
  const results = [];
  let twinMs;
  const kinds = [['leaky', diagnose], ['healthy', leaveAlone]].filter(([kind]) => given.programs[kind] && options.kinds.includes(kind));
  for (const [program, judge] of kinds) {
    const since = Date.now();
    const { tookMs, ...result } = await judge(given, { ...options, twinMs }).catch((error) => ({ misses: [error.message], culprits: [] }));
    twinMs = tookMs;
    results.push({ name: given.name, program, ...result, seconds: (Date.now() - since) / 1000 });
  }
  return results;
}

/** Runs `cases` on `options.node`, `options.jobs` at a time, and tells `onResult` of each program. */
async function runAll(cases, options, onResult) {
  const waiting = [...cases];
  const results = [];
  const worker = async () => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      for (const result of await runCase(next, options)) {
        results.push(result);
        onResult(result);
      }
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  return results;
}

function options(args) {
  const { values } = parseArgs({
    args,
    options: {
      quick: { type: 'boolean' }, full: { type: 'boolean' }, node: { type: 'string', multiple: true }, only: { type: 'string' },
      shared: { type: 'string' }, leaks: { type: 'boolean' }, twins: { type: 'boolean' }, jobs: { type: 'string' }, verbose: { type: 'boolean' },
    },
  });
  return {
    nodes: values.node ?? [process.execPath], isFull: values.full === true, jobs: Number(values.jobs ?? 2), isVerbose: values.verbose === true,
    shared: values.shared ?? process.env.HEAPWARDEN_CASES,
    isWanted: (name) => !values.only || values.only.split(',').some((only) => name.startsWith(only)),
    kinds: values.leaks ? ['leaky'] : values.twins ? ['healthy'] : ['leaky', 'healthy'],
  };
}

function say({ name, program, misses, culprits, seconds }, isVerbose) {
  const state = misses.length === 0 ? 'ok    ' : 'MISSED';
  console.log(`${state} ${name.padEnd(32)} ${program.padEnd(8)} ${seconds.toFixed(1).padStart(5)} s  ${misses.join('; ')}`);
  if (isVerbose) for (const culprit of culprits.slice(0, 3)) console.log(`         ${culpritText(culprit)}`);
}

/** What is wrong with the fingerprints of the first culprits, in words: each leak has one on every Node, which is no other leak's. */
function fingerprintFaults(results) {
  const ofCase = new Map();
  const faults = [];
  for (const { name, program, culprits: [first] } of results) {
    if (program !== 'leaky' || !first) continue;
    const known = ofCase.get(name) ?? ofCase.set(name, new Set()).get(name);
    known.add(first.fingerprint);
  }
  const owners = new Map();
  for (const [name, known] of ofCase) {
    if (known.size > 1) faults.push(`${name} has ${[...known].join(' and ')}`);
    for (const fingerprint of known) {
      if (owners.has(fingerprint)) faults.push(`${name} and ${owners.get(fingerprint)} have ${fingerprint}`);
      owners.set(fingerprint, name);
    }
  }
  console.log(`fingerprints of ${ofCase.size} leaks: ${faults.length === 0 ? 'one each' : faults.join('; ')}`);
  return faults;
}

async function main(args) {
  const given = options(args);
  const { shared, isWanted, nodes } = given;
  if (!shared) prepareOwn();
  const cases = shared ? sharedCases(shared, isWanted) : ownCases().filter(({ name }) => isWanted(name));
  if (cases.length === 0) throw new Error('no such case');
  let missed = 0;
  let ran = 0;
  const all = [];
  for (const node of nodes) {
    console.log(`# ${fs.realpathSync(node)}, ${given.isFull ? 'with a monitor' : 'two looks'}`);
    const results = await runAll(cases, { ...given, node }, (result) => say(result, given.isVerbose));
    ran += results.length;
    all.push(...results);
    missed += results.filter(({ misses }) => misses.length > 0).length;
  }
  console.log(`${ran - missed} of ${ran} as they should be`);
  return fingerprintFaults(all).length + missed === 0 ? 0 : 1;
}

module.exports = { ownCases, prepareOwn, runCase };

if (require.main === module) {
  main(process.argv.slice(2)).then((code) => { process.exitCode = code; }, (error) => {
    console.error(error.message);
    process.exitCode = 2;
  });
}
