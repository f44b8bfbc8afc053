'use strict';

// The JavaScript tests, on every supported Node, with V8's own functions and with the public modules only.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { ROOT, capture, say, seconds } = require('./steps');
const { nodeCounts, nodeFailures, settle } = require('./counts');
const { nodes } = require('./nodes');

/** Tests of our own tools and documents, no part of which goes to users: they run once, on the newest Node. */
const ONCE = ['bench', 'docs', 'gate', 'generate', 'release', 'soak'];
/** What is skipped where V8 is not read through the bridge, or does not come near it: text, files, options, commands on files. */
const SAME_WITHOUT_BRIDGE = [
  'channels', 'cli', 'cli-report', 'cli-run', 'cluster', 'container', 'deaths', 'declarations', 'devtools', 'diagnosis', 'endpoints', 'evidence-folder',
  'fingerprint', 'hostile', 'hostile-names', 'input', 'known-leaks', 'load', 'misspelled', 'modes', 'names', 'node-options', 'otel', 'path-match', 'permissions',
  'positions', 'postmortem', 'products', 'redaction', 'report', 'report-page', 'report-redaction', 'request-channels', 'schema', 'series', 'storage',
];

/** Explicit names, since Node 18 and 20 take no globs. */
function testFiles() {
  const names = fs.readdirSync(path.join(ROOT, '__test__')).filter((name) => name.endsWith('.test.js'));
  return names.sort().map((name) => path.join('__test__', name));
}

/** Those of `files` that one run of the matrix has: the whole suite on every Node, and without the bridge what it can make a difference to. */
function filesFor(files, { isNewest, bridge }) {
  const isOf = (names) => (file) => names.includes(path.basename(file, '.test.js'));
  return files.filter((file) => {
    if (isOf(ONCE)(file)) return isNewest && bridge !== 'off';
    return bridge !== 'off' || !isOf(SAME_WITHOUT_BRIDGE)(file);
  });
}

/**
 * Runs the tests on one Node. Files with failures run once more, alone: tests of pauses and deadlines can fail beside others on a
 * crowded machine. What fails twice has failed; what does not is told in the summary, as unsteady, so that it is mended.
 */
async function runOne(job) {
  const first = await runFiles(job);
  const files = [...new Set(first.failures.map(({ file }) => file))];
  // A runner that itself crashed or hung names no file: that is final.
  if (first.failed === 0 || files.length === 0) return first;
  const again = await runFiles({ ...job, label: `${job.label}, again`, files });
  if (again.failed > 0) return { ...again, label: job.label, passed: first.passed };
  const notes = first.failures.map(({ file, name }) => `${job.label}: unsteady, passed when run alone: ${file}: ${name}`);
  return { label: job.label, passed: first.passed + first.failed, failed: 0, notes };
}

async function runFiles({ label, binary, bridge, files }) {
  const since = Date.now();
  const env = {
    HEAPWARDEN_BRIDGE: bridge,
    // Tests that start `node` by name get the one under test.
    PATH: [path.dirname(binary), process.env.PATH].join(path.delimiter),
  };
  const args = ['--test', '--test-reporter=spec', ...files];
  const { code, output } = await capture(binary, args, { env, label, timeoutMs: 1_200_000 });
  const result = settle(nodeCounts(output), code ?? 1);
  say(`  ${label} | ${result.passed} passed, ${result.failed} failed (${seconds(since)})`);
  const failures = nodeFailures(output);
  const names = failures.map(({ file, name }) => `${file}: ${name}`);
  return { label, ...result, failures, reason: result.reason && [result.reason, ...names].join('\n') };
}

/** Runs all of `jobs` with at most `width` under way. */
async function pool(jobs, width) {
  const results = [];
  const queue = [...jobs];
  const worker = async () => {
    for (let job = queue.shift(); job !== undefined; job = queue.shift()) results.push(await job());
  };
  await Promise.all(Array.from({ length: width }, worker));
  return results;
}

/** Resolves to one result for each Node, and for the oldest and the newest on each side of the bridge. */
async function matrix() {
  const files = testFiles();
  // `node --test` with no file would go looking for some by itself.
  if (files.length === 0) return [{ label: 'js', passed: 0, failed: 1, reason: 'no __test__/*.test.js' }];
  const jobs = [];
  const all = await nodes();
  for (const [at, node] of all.entries()) {
    // Without the bridge it is Node's own modules that matter: the oldest and the newest say what there is to say.
    const isNewest = at === all.length - 1;
    const isAtEnd = at === 0 || isNewest;
    for (const bridge of isAtEnd ? [undefined, 'off'] : [undefined]) {
      const label = `node ${node.major} bridge ${bridge ?? 'on'}`;
      jobs.push(() => runOne({ label, binary: node.path, bridge, files: filesFor(files, { isNewest, bridge }) }));
    }
  }
  // Never more than two: the tests measure pauses, and a crowded machine is one long pause.
  return pool(jobs, Math.min(2, os.cpus().length));
}

module.exports = { ONCE, SAME_WITHOUT_BRIDGE, filesFor, matrix, pool, testFiles };
