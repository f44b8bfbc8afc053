'use strict';

// Memory traces of programs that do not leak, and of some that do:
//
//   node bench/detect/generate.js --seed N --hours H [--leaks M] [--out PREFIX] [--families a,b]
//
// writes PREFIX.jsonl.gz (one trace a line, see trace-file.js) and PREFIX.labels.jsonl: at least H hours of healthy programs, then
// M leaks in healthy programs. The same arguments give the same bytes on the same Node.
//
// Modelled. A program (program.js, families.js, parts/) is a sum of components with parameters drawn from wide priors: base and boot, warm-up,
// caches, sessions, pools, jobs, load (load.js), memory outside the heap. Its demand (demand.js) goes through V8 (v8-model.js): scavenges when
// young space is full, promotion, garbage that waits for a major collection; limits by V8's rule (growing factor from the speeds of collector
// and program, at least 1.1 and a fixed step, never more than half of what is left to the heap's limit); majors for external memory;
// the memory reducer's one to three more collections, 8 to 104 s apart; floating garbage and what is in flight at a collection. Resident
// memory (resident-model.js) follows the pages of the heap with a lag, keeps a share of what was freed, and adds native memory.
//
// Not modelled: incremental marking's own allocation, large-object and code space by themselves, several isolates, pauses, and what a collection
// costs the program. Of the scavenges in a sample only the last is written.
//
// A healthy trace is `ambiguous` where a component had not settled when the process ended: nobody could have known.

const { parseArgs } = require('node:util');
const { FAMILIES } = require('./families');
const { Random } = require('./random');
const { healthyTrace, leakyTrace } = require('./simulate');
const { TraceWriter } = require('./trace-file');

const HEALTHY = 1;
const LEAKY = 2;

/** Traces with their labels: `hours` of healthy ones at least, then `leaks` leaky ones. */
function* generate({ seed, hours, leaks = 0, families = Object.keys(FAMILIES) }) {
  let lived = 0;
  for (let i = 0; lived < hours; i++) {
    const made = healthyTrace(new Random(seed, HEALTHY, i), `g${seed}h${i}`, families);
    lived += made.label.hours;
    yield made;
  }
  for (let i = 0; i < leaks; i++) yield leakyTrace(new Random(seed, LEAKY, i), `g${seed}l${i}`, families);
}

async function main() {
  const { values } = parseArgs({
    options: {
      seed: { type: 'string' },
      hours: { type: 'string' },
      leaks: { type: 'string', default: '0' },
      out: { type: 'string', default: 'traces' },
      families: { type: 'string' },
    },
  });
  const number = (name, least) => {
    const value = Number(values[name]);
    if (values[name] === undefined || !(value >= least)) throw new Error(`--${name}: a number of at least ${least} is expected, found ${values[name]}`);
    return value;
  };
  const families = values.families === undefined ? Object.keys(FAMILIES) : values.families.split(',');
  const unknown = families.filter((family) => FAMILIES[family] === undefined);
  if (unknown.length > 0) throw new Error(`--families: unknown ${unknown.join(', ')}; known are ${Object.keys(FAMILIES).join(', ')}`);

  const writer = new TraceWriter(values.out);
  const total = { traces: 0, hours: 0, ambiguous: 0, leaks: 0 };
  for (const { trace, label } of generate({ seed: number('seed', 0), hours: number('hours', 0), leaks: number('leaks', 0), families })) {
    await writer.write(trace, label);
    total.traces++;
    if (label.leak) total.leaks++;
    else total.hours += label.hours;
    if (label.ambiguous) total.ambiguous++;
  }
  await writer.close();
  console.log(`${total.traces} traces: ${total.hours.toFixed(0)} healthy hours, ${total.ambiguous} ambiguous traces, ${total.leaks} leaks`);
}

if (require.main === module) {
  main().catch((error) => {
    console.error(error.message);
    process.exitCode = 1;
  });
}

module.exports = { generate };
