'use strict';

// Runs a program that dies, with Heapwarden beside it and without, and says where the two differ and what the recording got wrong.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { readRecording } = require('../../lib/recording');

const REGISTER = path.join(__dirname, '..', '..', 'lib', 'register.js');
const DEADLINE_MS = 120_000;

/** No core files in anybody's folder. */
const NO_CORE = 'ulimit -c 0; exec "$@"';
/** A core file without the memory: its notes alone. The shell stays, and says what the system tells it: that there is a core file. */
const CORE = 'echo 0 > /proc/self/coredump_filter; ulimit -c unlimited; "$@"; exit "$?"';

function fresh() {
  return fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-death-'));
}

/** Runs Node to its end: `{ code, signal, stdout, stderr }`. `onLine(line, child)` hears what it prints. */
function end(node, args, { cwd, env, onLine, shell = NO_CORE }) {
  return new Promise((resolve, reject) => {
    const clean = { ...process.env, ...env };
    delete clean.NODE_TEST_CONTEXT;
    const child = spawn('sh', ['-c', shell, 'sh', node, ...args], { cwd, env: clean, stdio: ['ignore', 'pipe', 'pipe'] });
    const result = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text) => {
      result.stdout += text;
      text.split('\n').filter(Boolean).forEach((line) => onLine?.(line, child));
    });
    child.stderr.setEncoding('utf8').on('data', (text) => { result.stderr += text; });
    const timer = setTimeout(() => child.kill('SIGKILL'), DEADLINE_MS);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...result, code, signal });
    });
  });
}

/** What Node says of a death, without what differs from one run to the next. */
function said(stderr) {
  return stderr
    // Where the heap stood when it was collected last, and which of two ways V8 has to notice that this is of no use.
    .replace(/(<--- Last few GCs --->)[^]*?(?=<--- JS stacktrace --->|FATAL ERROR)/g, '$1 ')
    .replace(/FATAL ERROR: (Reached heap limit|Ineffective mark-compacts near heap limit)/g, 'FATAL ERROR: the heap limit')
    .replace(/0x[0-9a-f]+/gi, 'ADDRESS')
    .replace(/\breport\.\d+\.\d+\.\d+\.\d+\.\d+\.json/g, 'REPORT')
    // The stack in the machine's own terms: of a fatal error, some frames more or less of the same collector.
    .replace(/^ *\d+: .*\n/gm, '')
    .replace(/\d+/g, 'N');
}

/** The recordings in a folder, oldest first. */
function recordings(directory) {
  const names = fs.existsSync(directory) ? fs.readdirSync(directory) : [];
  return names.filter((name) => name.endsWith('.hwr')).sort().map((name) => readRecording(path.join(directory, name)));
}

/** Runs a case both ways: `{ misses, ended, code, signal }`, misses in words. */
async function die(node, given, env = {}) {
  const folder = fresh();
  try {
    const program = path.join(folder, 'program.js');
    fs.writeFileSync(program, given.script);
    const directory = path.join(folder, 'evidence');
    const runs = [];
    for (const args of [[], ['--require', REGISTER]]) {
      const cwd = path.join(folder, `cwd-${runs.length}`);
      fs.mkdirSync(cwd);
      const all = [...given.args ?? [], ...args, program];
      const result = await end(node, all, { cwd, env: { HEAPWARDEN_INTERVAL_MS: '100', HEAPWARDEN_DIR: directory, ...env } });
      runs.push({ ...result, files: fs.readdirSync(cwd).map((name) => name.replace(/\d+/g, 'N')) });
    }
    const [without, beside] = runs;
    const misses = [...differences(without, beside, given), ...untrue(given, recordings(directory), beside)];
    const [recording] = recordings(directory);
    return { misses, ended: recording?.life.ended, code: beside.code, signal: beside.signal };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** What the shell says of a process that a signal ended: `{ without, beside }`, each its status, whether core was dumped, and the files there. */
async function core(node, given) {
  const folder = fresh();
  try {
    const program = path.join(folder, 'program.js');
    fs.writeFileSync(program, given.script);
    const said = [];
    for (const args of [[], ['--require', REGISTER]]) {
      const cwd = path.join(folder, `cwd-${said.length}`);
      fs.mkdirSync(cwd);
      const env = { HEAPWARDEN_DIR: path.join(folder, 'evidence') };
      const { code, stderr } = await end(node, [...given.args ?? [], ...args, program], { cwd, env, shell: CORE });
      const files = fs.readdirSync(cwd).filter((name) => name.startsWith('core')).length;
      said.push(`code ${code}, ${/\(core dumped\)\s/.test(stderr) ? 'dumped' : 'not dumped'}, core files: ${files}`);
    }
    return { without: said[0], beside: said[1] };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

/** What is not the same with and without. */
function differences(without, beside, given) {
  const misses = [];
  const same = (what, a, b) => {
    if (a !== b) misses.push(`${what}: without ${JSON.stringify(a)}, beside ${JSON.stringify(b)}`);
  };
  same('exit code', without.code, beside.code);
  same('signal', without.signal, beside.signal);
  same('stdout', without.stdout, beside.stdout);
  same('stderr', said(without.stderr), said(beside.stderr));
  same('files in the working directory', without.files.join(), beside.files.join());
  if (given.report && beside.files.length !== 1) misses.push(`diagnostic reports: expected one, found ${beside.files.length}`);
  if (given.stdout !== undefined) same('expected stdout', given.stdout, beside.stdout);
  return misses;
}

/** What the recording got wrong. */
function untrue(given, all, beside) {
  if (all.length !== 1) return [`recordings: expected one, found ${all.length}`];
  const [recording] = all;
  const misses = [];
  const expect = (what, expected, found) => {
    if (![expected].flat().includes(found)) misses.push(`${what}: expected ${[expected].flat().join(' or ')}, found ${found}`);
  };
  const { life } = recording;
  expect('ended', given.ended, life.ended);
  expect('alive', false, recording.alive);
  if (recording.damage.length > 0) misses.push(`damage: ${JSON.stringify(recording.damage)}`);
  if (recording.lastSample === null) misses.push('no sample');
  if (given.exitCode !== undefined) {
    expect('exit code', given.exitCode, life.end?.exitCode);
    expect('exit code of the process', given.exitCode, beside.code);
  }
  if (given.dies) expect('signal of the process', given.dies, beside.signal);
  if (given.dies && given.ended !== 'unknown') {
    expect('signal', beside.signal, life.words?.signal);
    if (given.name.startsWith('stack') && life.words?.osThread !== recording.header.osThread) misses.push('another thread');
  }
  if (given.text && !given.text.test(life.exception?.text)) misses.push(`exception: ${life.exception?.text}`);
  if (given.origin) expect('origin', given.origin, life.exception?.origin);
  return misses;
}

/** A program that works and, at times, does not let anybody in. */
const WORKING = `
process.stdout.write('ready\\n');
const kept = [];
setInterval(() => {
  kept.push(new Array(1000).fill(0));
  if (BLOCKED) for (const until = Date.now() + 700; Date.now() < until;);
}, 20);
`;

/** Kills a program at a random moment and says how old its last sample is: `{ misses, ageMs, blocked }`. */
async function kill(node, { intervalMs, slackMs, blocked }, env = {}) {
  const folder = fresh();
  try {
    const program = path.join(folder, 'program.js');
    fs.writeFileSync(program, WORKING.replace('BLOCKED', String(blocked)));
    let killedAt;
    const onLine = (line, child) => {
      if (line !== 'ready') return;
      setTimeout(() => {
        killedAt = Date.now();
        child.kill('SIGKILL');
      }, Math.random() * 1500);
    };
    const { signal, stderr } = await end(node, ['--require', REGISTER, program], {
      cwd: folder, onLine, env: { HEAPWARDEN_INTERVAL_MS: String(intervalMs), HEAPWARDEN_DIR: path.join(folder, 'evidence'), ...env },
    });
    const all = recordings(path.join(folder, 'evidence'));
    if (signal !== 'SIGKILL' || all.length !== 1) return { misses: [`ended by ${signal}, ${all.length} recordings\n${stderr}`], blocked };
    const [{ life, lastSample, damage }] = all;
    const ageMs = killedAt - Date.parse(lastSample?.timestamp);
    const misses = [];
    if (life.ended !== 'unknown') misses.push(`ended: ${life.ended}`);
    if (!(ageMs <= intervalMs + slackMs)) misses.push(`the last sample is ${ageMs} ms old`);
    // The record under way at the death may be torn.
    if (damage.some(({ torn, lost }) => torn > 1 || lost > 0)) misses.push(`damage: ${JSON.stringify(damage)}`);
    return { misses, ageMs, blocked };
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { core, die, kill, recordings, end, REGISTER };
