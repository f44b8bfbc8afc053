'use strict';

// Has workers come and go in a process with Heapwarden, and in one without, again and again: whether it ever crashes, and what is left of them.
//
//   node __test__/modes/workers.js [--node PATH]... [--runs 20] [--workers 48] [--kinds samples,collects,captures,dies]
//
// Ends with 1 where a process ended otherwise than by itself, or has more threads or files after the second half of the workers than after the first.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { REGISTER } = require('./modes');

const PROGRAM = path.join(__dirname, '..', 'fixtures', 'many-workers.js');
const MOST_MS = 900_000;

/** One run: how it ended, and what it said. `beside`: `register` in every thread, `monitors` in each worker and the main thread, or `nothing`. */
function many(node, { workers, kinds, beside }) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-workers-'));
  const args = ['--expose-gc', ...(beside === 'register' ? ['--require', REGISTER] : []), PROGRAM, `${workers}`, ...(beside === 'nothing' ? ['alone'] : [])];
  return new Promise((resolve, reject) => {
    const env = { ...process.env, NODE_TEST_CONTEXT: undefined, NODE_OPTIONS: undefined, HEAPWARDEN_DIR: path.join(directory, 'evidence'), ...(kinds && { KINDS: kinds }) };
    const child = spawn(node, args, { env, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { said[name] += text; });
    const timer = setTimeout(() => child.kill('SIGKILL'), MOST_MS);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      fs.rmSync(directory, { recursive: true, force: true });
      resolve({ code, signal, ...said, state: code === 0 ? JSON.parse(said.stdout) : undefined });
    });
  });
}

/** What is not as it should be, in words. */
function faults({ code, signal, stderr, state }) {
  if (code !== 0) return [`ended with ${signal ?? code}\n${stderr.slice(-2000)}`];
  const { half, whole, failures } = state;
  const more = ['threads', 'files'].filter((what) => whole[what] > half[what]).map((what) => `${what}: ${half[what]}, then ${whole[what]}`);
  if (whole.children !== '') more.push(`children: ${whole.children}`);
  return [...more, ...Object.keys(failures).filter((name) => name !== 'ERR_WORKER_OUT_OF_MEMORY')];
}

async function main() {
  const { values } = parseArgs({
    options: {
      node: { type: 'string', multiple: true }, runs: { type: 'string', default: '20' }, workers: { type: 'string', default: '48' }, kinds: { type: 'string' },
    },
  });
  for (const node of values.node ?? [process.execPath]) {
    for (const beside of ['register', 'monitors', 'nothing']) {
      let wrong = 0;
      const grown = [];
      for (let run = 0; run < Number(values.runs); run++) {
        const result = await many(node, { workers: Number(values.workers), kinds: values.kinds, beside });
        const found = faults(result);
        if (found.length > 0) {
          wrong += 1;
          console.log(`  run ${run + 1}: ${found.join('; ')}`);
        }
        if (result.state) grown.push(result.state.whole.rss - result.state.half.rss);
      }
      grown.sort((a, b) => a - b);
      const median = ((grown[grown.length >> 1] ?? NaN) / 2 ** 20).toFixed(1);
      console.log(`${node}, ${beside}: ${values.runs - wrong} of ${values.runs} runs with ${values.workers} workers as expected; resident set from the first half to the second: median ${median} MB`);
      if (wrong > 0) process.exitCode = 1;
    }
  }
}

module.exports = { faults, many };

if (require.main === module) void main();
