'use strict';

// Runs inspectLeaks on functions that leak and on functions that do not, and says whether each was judged rightly.
//
//   node __test__/leak-tests/run.js [--repeat N] [--node PATH]... [--only NAME,NAME] [--leaks | --healthy] [--iterations N] [--jobs N] [--verbose]
//
// A process for each function and Node. A name in --only may be the beginning of several. Ends with 1 if anything was judged wrongly.

const { execFile } = require('node:child_process');
const path = require('node:path');
const { parseArgs, promisify } = require('node:util');
const { healthy } = require('./healthy');
const { leaks, others } = require('./leaks');

const CHILD = path.join(__dirname, 'child.js');
/** A check takes about a second; on a machine that does nothing else; a function that hangs is a failure. */
const MOST_MS_A_CHECK = 300_000;

/** What came of `repeat` checks of one function: `{ kind, name, runs, failures }`. */
async function checkOne({ kind, name }, { node, repeat, iterations }) {
  const args = [CHILD, kind, name, `${repeat}`, JSON.stringify(iterations ? { iterations } : {})];
  const done = await promisify(execFile)(node, args, { timeout: repeat * MOST_MS_A_CHECK, maxBuffer: 2 ** 28 })
    .catch((error) => ({ stdout: error.stdout ?? '', problem: `${error.message}\n${error.stderr ?? ''}` }));
  const runs = done.stdout.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  const failures = runs.flatMap(({ wrong }, at) => (wrong.length > 0 ? [`run ${at + 1}: ${wrong.join('; ')}`] : []));
  if (runs.length < repeat) failures.push(`ended after ${runs.length} runs: ${done.problem ?? 'without a reason'}`);
  return { kind, name, runs, failures };
}

async function checkAll(wanted, options, onResult) {
  const queue = [...wanted];
  const results = [];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const result = await checkOne(next, options);
      results.push(result);
      onResult(result);
    }
  };
  await Promise.all(Array.from({ length: options.jobs }, worker));
  return results;
}

const median = (values) => values.slice().sort((a, b) => a - b)[Math.floor(values.length / 2)];

function say({ kind, name, runs, failures }, isVerbose) {
  const beyond = runs.map(({ durationMs, callsMs }) => durationMs - callsMs);
  const deep = runs.filter(({ rung }) => rung === 'snapshots').length;
  const cost = runs.length > 0 ? `${(median(beyond) / 1000).toFixed(2)} s beyond the calls, ${deep} of ${runs.length} by snapshots` : '';
  console.log(`${failures.length === 0 ? 'ok    ' : 'FAILED'} ${kind.padEnd(8)} ${name.padEnd(40)} ${cost}`);
  for (const failure of failures.slice(0, isVerbose ? undefined : 3)) console.log(`       ${failure.split('\n').join('\n       ')}`);
  if (isVerbose && kind !== 'healthy') console.log(runs[0]?.message.replace(/^/gm, '         '));
}

async function main(args) {
  const { values } = parseArgs({
    args,
    options: {
      repeat: { type: 'string' }, node: { type: 'string', multiple: true }, only: { type: 'string' }, leaks: { type: 'boolean' },
      healthy: { type: 'boolean' }, iterations: { type: 'string' }, jobs: { type: 'string' }, verbose: { type: 'boolean' },
    },
  });
  const isWanted = ({ name }) => !values.only || values.only.split(',').some((only) => name.startsWith(only));
  const tables = { leaks, others, healthy };
  const kinds = values.leaks ? ['leaks', 'others'] : values.healthy ? ['healthy'] : ['leaks', 'others', 'healthy'];
  const wanted = kinds.flatMap((kind) => tables[kind].filter(isWanted).map(({ name }) => ({ kind, name })));
  if (wanted.length === 0) throw new Error('no such function');
  let failed = 0;
  for (const node of values.node ?? [process.execPath]) {
    const options = {
      node, repeat: Number(values.repeat ?? 1), jobs: Number(values.jobs ?? 2), iterations: values.iterations && Number(values.iterations),
    };
    console.log(`# ${node}, each function ${options.repeat} times`);
    const results = await checkAll(wanted, options, (result) => say(result, values.verbose));
    for (const kind of kinds) {
      const of = results.filter((result) => result.kind === kind);
      const wrong = of.filter(({ failures }) => failures.length > 0).length;
      console.log(`${kind}: ${of.length - wrong} of ${of.length} judged rightly, ${of.reduce((sum, { runs }) => sum + runs.length, 0)} runs`);
      failed += wrong;
    }
  }
  return failed === 0 ? 0 : 1;
}

main(process.argv.slice(2)).then((code) => { process.exitCode = code; }, (error) => {
  console.error(error.message);
  process.exitCode = 2;
});
