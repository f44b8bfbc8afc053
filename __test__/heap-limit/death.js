'use strict';

// One program's death of its heap's limit: how it ended, and what it left.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const REGISTER = path.resolve(__dirname, '..', '..', 'lib', 'register.js');
/** A clone may outlive its process by as much: larger heaps take half a minute on a busy machine. */
const REPORT_MS = 600_000;
const LIFE_MS = 300_000;

/** Runs `file` until it dies: `{ code, signal, stderr, tookMs }`. With `directory` Heapwarden is there. */
function die(node, file, { limitMB, mode = 'sync', directory, env = {}, flags = [], cwd }) {
  return new Promise((resolve, reject) => {
    const watched = directory ? ['--require', REGISTER] : [];
    const began = Date.now();
    const child = spawn(node, [`--max-old-space-size=${limitMB}`, ...flags, ...watched, file, mode], {
      env: { ...process.env, NODE_TEST_CONTEXT: undefined, ...env, ...(directory && { HEAPWARDEN_DIR: directory }) },
      stdio: ['ignore', 'pipe', 'pipe'],
      cwd,
    });
    let [stdout, stderr] = ['', ''];
    child.stdout.setEncoding('utf8').on('data', (text) => { stdout += text; });
    child.stderr.setEncoding('utf8').on('data', (text) => { stderr += text; });
    const timer = setTimeout(() => child.kill('SIGKILL'), LIFE_MS);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout, stderr, tookMs: Date.now() - began });
    });
  });
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** The reports of a heap's limit in `directory`: of a leak that was proven before there may be another. */
function reports(directory) {
  let names = [];
  try {
    names = fs.readdirSync(directory).filter((name) => /^heapwarden-leak-.*\.json$/.test(name));
  } catch {
    // None was written.
  }
  const all = names.map((name) => JSON.parse(fs.readFileSync(path.join(directory, name), 'utf8')));
  return all.filter(({ reason }) => reason === 'heap-limit');
}

const isDraft = ({ evidence }) => evidence.reason === 'the look at the heap did not come to its end';

/** The reports once they are complete; what there is, if a clone does not come to its end in time. */
async function finalReports(directory) {
  const end = Date.now() + REPORT_MS;
  for (;;) {
    const found = reports(directory);
    if (found.length > 0 && !found.some(isDraft)) return found;
    if (Date.now() > end || found.length === 0) return found;
    await sleep(100);
  }
}

/** Whether the process ended as V8 ends it, in words where not. */
function wrongEnd({ code, signal, stderr }) {
  if (signal !== 'SIGABRT' && code !== 134) return `ended with ${signal ?? code}`;
  if (!/^FATAL ERROR: .*JavaScript heap out of memory/m.test(stderr)) return 'without V8\'s message';
  return undefined;
}

/** Has one case die, and says what is wrong with what it left: `{ misses, report, tookMs }`. */
async function judgeDeath(node, { file, constructors }, how) {
  const directory = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-limit-'));
  try {
    const end = await die(node, file, { ...how, directory });
    const found = await finalReports(directory);
    const misses = [];
    const wrong = wrongEnd(end);
    if (wrong) misses.push(wrong);
    const [report] = found;
    if (found.length !== 1) misses.push(`${found.length} reports`);
    if (report) {
      const [first] = report.culprits;
      if (!first) misses.push(`no culprit: ${report.evidence.reason}`);
      else if (!constructors.includes(first.constructorName)) misses.push(`first is ${first.constructorName}`);
    }
    return { misses, report, end };
  } finally {
    fs.rmSync(directory, { recursive: true, force: true });
  }
}

module.exports = { REGISTER, die, finalReports, judgeDeath, reports, wrongEnd };
