'use strict';

// `heapwarden replay`: recorded series, judged again by the detector that runs in production.

const path = require('node:path');
const native = require('../load');
const { fromNative } = require('../errors');
const { replaySeries } = require('../replay');

const summary = 'judges recorded series again';

const usage = `heapwarden replay <file...> [options]

Judges recorded series by the detector that runs in production. A file is what monitor.exportSeries() gives, or columnar
traces, one a line (docs/series.md); plain, gzip or zstd, told by its content. "-" is the standard input.

Prints one JSON line a trace: {"id","t","kind","rate","alarms","suspects"}, or instead

  --verdicts     the same, said aloud
  --text         a sentence a trace, for people
  --json         everything, as one JSON document: {"traces":[...],"timing":...}
  --explain      one JSON line for each change of a verdict, with its evidence
  --timing       how long the detector took, in microseconds an update (with --json in it, else on stderr)
  --strictness <n>
                 asks for n times the growth, straightness and certainty, 0.1 to 10; 1 is what a monitor has (docs/detector.md)
  --out <file>   writes there instead of to the standard output; the file appears whole or not at all
  -h, --help

Exit codes: 0 done (whatever the verdicts), 1 a file cannot be read, is no series, or --out cannot be written, 2 called in a
way that is not understood.
`;

const options = {
  verdicts: { type: 'boolean' },
  text: { type: 'boolean' },
  json: { type: 'boolean' },
  explain: { type: 'boolean' },
  timing: { type: 'boolean' },
  strictness: { type: 'string', default: '1' },
  out: { type: 'string' },
};

async function run(values, files, { UsageError, print }) {
  if (files.length === 0) throw new UsageError('expected a file to replay, or - for the standard input');
  if (files.filter((file) => file === '-').length > 1) throw new UsageError('expected - once at most');
  const forms = ['verdicts', 'text', 'json', 'explain'].filter((name) => values[name]);
  if (forms.length > 1) throw new UsageError(`expected one of --verdicts, --text, --json and --explain, found --${forms.join(' and --')}`);
  if (values.out === '') throw new UsageError('--out: expected a file, found ""');

  const strictness = Number(values.strictness);
  if (values.strictness.trim() === '' || !(strictness >= 0.1 && strictness <= 10)) {
    throw new UsageError(`--strictness: expected a number from 0.1 to 10, found "${values.strictness}"`);
  }

  const answers = [];
  for (const file of files) answers.push(await replayed(file, { explain: values.explain, timing: values.timing, strictness }));
  const traces = answers.flatMap((answer) => answer.traces);
  const timings = answers.flatMap((answer, i) => (answer.timing ? [{ file: files[i], ...answer.timing }] : []));
  if (values.timing && !values.json) timings.forEach((timing) => process.stderr.write(`${timingText(timing)}\n`));
  const text = FORMS[forms[0] ?? 'verdicts'](traces, timings);
  if (values.out === undefined) return print(text);
  try {
    native.writeFileAtomic(path.resolve(values.out), text);
  } catch (error) {
    throw fromNative(error);
  }
  return 0;
}

async function replayed(file, settings) {
  try {
    return await replaySeries(file === '-' ? process.stdin : file, settings);
  } catch (error) {
    // What the system refuses is told with its path already.
    if (error.code === 'HEAPWARDEN_ERR_IO') throw error;
    throw new Error(`${file}: ${error.message}`, { cause: error });
  }
}

/** What is written, by its option's name. */
const FORMS = {
  json: (traces, timings) => `${JSON.stringify(timings.length > 0 ? { traces, timing: timings } : { traces }, null, 2)}\n`,
  verdicts: (traces) => jsonLines(traces.map(verdictOf)),
  explain: (traces) => jsonLines(traces.flatMap(({ id, changes }) => changes.map((change) => ({ id, ...change })))),
  text: (traces) => traces.map((trace) => `${row(trace)}\n`).join(''),
};

const jsonLines = (values) => values.map((value) => `${JSON.stringify(value)}\n`).join('');

/** What a scorer wants to know of a trace. */
function verdictOf({ id, t, kind, rate, alarms, suspects }) {
  return { id, t, kind, rate, alarms, suspects };
}

function row({ id, t, kind, rate, alarms, samples, verdict }) {
  const end = `${samples} samples, at the end ${verdict.status}`;
  if (t === null) return `${id}: no leak (${end})`;
  const again = alarms.length > 1 ? `, ${alarms.length} alarms` : '';
  return `${id}: leak of ${kind} after ${t} s, ${(rate * 60 / 1048576).toFixed(2)} MB a minute${again} (${end})`;
}

function timingText({ file, updates, meanUs, p50Us, p99Us, p999Us, maxUs }) {
  const us = (n) => `${n.toFixed(2)} us`;
  return `${file}: ${updates} updates of the detector: mean ${us(meanUs)}, median ${us(p50Us)}, 99th percentile ${us(p99Us)}, 99.9th percentile ${us(p999Us)}, largest ${us(maxUs)}`;
}

module.exports = { summary, usage, options, run, verdictOf };
