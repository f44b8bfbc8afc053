'use strict';

// Programs that the kernel kills at their container's memory limit, and what their recordings say:
// npm run container-deaths -- [--runs 20] [--node PATH] [--stand-in] [--seed 1]

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { memoryGroup, runOutside } = require('./group');

const ROOT = path.resolve(__dirname, '../..');
const PROGRAM = path.join(__dirname, 'program.js');
const MB = 1024 * 1024;
const KINDS = ['heap', 'buffers', 'blocked'];

/** Numbers from 0 to 1, the same for the same seed. */
function random(seed) {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

/** The run's program, limit and pace, of `number`. */
function plan(number, next) {
  return {
    kind: KINDS[number % KINDS.length],
    limitMB: 128 + 32 * Math.floor(5 * next()),
    rate: Math.round(8 * 20 ** next()),
    outside: number % 2 === 1,
  };
}

/**
 * Runs one program to its death and has its recording judged: by a process of the same group, to which the kernel's count of kills is known,
 * or from `outside`, as by a container that was made anew.
 */
async function death({ kind, limitMB, rate, outside = false }, { node, wanted }) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-deaths-'));
  const group = memoryGroup(limitMB * MB, wanted);
  try {
    const env = { ...process.env, HEAPWARDEN_DIR: directory, HEAPWARDEN_INTERVAL_MS: '1000', NODE_OPTIONS: '' };
    const options = { env, cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'] };
    // A heap limit beyond the container's, so that it is the container that ends it.
    const program = [node, '--max-old-space-size=4096', '--require', 'heapwarden/register', PROGRAM, kind, String(rate)];
    const end = await group.run(program, options);
    const cli = [node, path.join(ROOT, 'lib/cli/main.js'), 'postmortem', directory];
    const told = await (outside ? runOutside : group.run)([...cli, '--json'], options);
    const finding = told.code === 0 ? JSON.parse(told.stdout).finding : null;
    return { group: group.kind, end, finding, problem: told.code === 0 ? '' : told.stderr };
  } finally {
    group.close();
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

function row(number, { kind, limitMB, rate, outside }, { end, finding, problem }) {
  const share = finding?.last?.containerHeldBytes / finding?.last?.containerLimitBytes;
  const reason = finding?.events.filter((moment) => moment.kind === 'incident').map(({ text }) => text.split(': ').pop())[0];
  return [
    String(number + 1).padStart(3), kind.padEnd(8), `${limitMB} MB`.padStart(7), `${rate} MB/s`.padStart(9), String(end.signal ?? end.code).padEnd(8),
    (finding ? `${finding.cause.kind}, ${finding.cause.certainty}` : `nothing: ${problem.trim()}`).padEnd(26),
    Number.isNaN(share) ? '' : `held ${(100 * share).toFixed(0)} %`, (reason ? `incident: ${reason}` : 'no incident').padEnd(15), outside ? 'judged outside' : '',
  ].join('  ').trimEnd();
}

async function main() {
  const { values } = parseArgs({
    options: {
      runs: { type: 'string', default: '20' }, node: { type: 'string', default: process.execPath },
      seed: { type: 'string', default: '1' }, 'stand-in': { type: 'boolean' },
    },
  });
  const next = random(Number(values.seed));
  const runs = Number(values.runs);
  let right = 0;
  let killed = 0;
  for (let number = 0; number < runs; number++) {
    const planned = plan(number, next);
    const result = await death(planned, { node: values.node, wanted: values['stand-in'] ? 'stand-in' : 'any' });
    if (number === 0) console.log(`killed at the limit of ${result.group}`);
    killed += Number(result.end.signal === 'SIGKILL');
    right += Number(result.end.signal === 'SIGKILL' && result.finding?.cause.kind === 'container-limit');
    console.log(row(number, planned, result));
  }
  console.log(`${killed} of ${runs} were killed; of ${right} the recording says that it was the container's limit`);
  process.exitCode = right === runs ? 0 : 1;
}

module.exports = { death, plan, random };

if (require.main === module) main();
