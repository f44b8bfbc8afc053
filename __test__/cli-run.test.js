'use strict';

// `heapwarden run`, `summarize` and `diff`, as a shell sees them: output, exit codes, signals.

const assert = require('node:assert');
const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { test } = require('node:test');
const v8 = require('node:v8');
const { diffSnapshots, summarizeSnapshot } = require('..');
const { Interrupted, atLength, lineOf } = require('../lib/cli/long');
const { folder, run, ROOT, sleep } = require('./support');

const MAIN = path.join(ROOT, 'lib', 'cli', 'main.js');
const NODE = process.execPath;
const FIXTURES = path.join(__dirname, 'fixtures');
const heapwarden = (args, options) => run([MAIN, ...args], options);
const isPosix = process.platform !== 'win32';

/** Starts the command and gives it with the promise of its end. */
function started(args, env = {}) {
  const clean = { ...process.env, ...env };
  delete clean.NODE_TEST_CONTEXT;
  const child = spawn(NODE, [MAIN, ...args], { env: clean, stdio: ['pipe', 'pipe', 'pipe'] });
  const said = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text) => { said.stdout += text; });
  child.stderr.setEncoding('utf8').on('data', (text) => { said.stderr += text; });
  const end = new Promise((resolve) => { child.once('close', (code, signal) => resolve({ ...said, code, signal })); });
  return { child, end, said };
}

class CliThing {
  constructor(i) {
    this.held = { i };
  }
}

/** Two snapshots of this process, with `CliThing` in between. */
function pair(t) {
  const dir = folder(t);
  const things = new Map();
  const files = ['a', 'b'].map((name) => {
    for (let i = 0; i < 3000; i += 1) things.set(`${name}${i}`, new CliThing(i));
    return v8.writeHeapSnapshot(path.join(dir, `${name}.heapsnapshot`));
  });
  return { dir, files, things };
}

test('run: output, arguments and exit codes are the program\'s', async (t) => {
  const directory = folder(t);
  const script = 'console.log(process.argv.slice(1).join()); process.exitCode = 7';
  const told = await heapwarden(['run', '--dir', directory, '--', NODE, '-e', script, '--', '--json', 'a b']);
  assert.deepEqual([told.code, told.stdout, told.stderr], [7, '--json,a b\n', '']);
  assert.equal((await heapwarden(['run', '--dir', directory, '--', NODE, '-e', ''])).code, 0);
  const missing = await heapwarden(['run', '--', 'no-such-program-of-the-tests']);
  assert.deepEqual([missing.code, missing.stderr], [127, 'heapwarden: no-such-program-of-the-tests could not be started: ENOENT\n']);
  if (isPosix) {
    const file = path.join(directory, 'not-executable');
    fs.writeFileSync(file, '', { mode: 0o600 });
    assert.equal((await heapwarden(['run', '--', file])).code, 126);
  }
  for (const args of [['run'], ['run', '--evidence', 'some', '--', NODE], ['run', '--interval-ms', '1s', '--', NODE], ['run', '--dir', '', '--', NODE]]) {
    const { code, stderr } = await heapwarden(args);
    assert.deepEqual([code, /expected/.test(stderr)], [2, true], args.join(' '));
  }
});

test('run: a leak is told, as text and as JSON', async (t) => {
  const leaky = ['--', NODE, path.join(FIXTURES, 'leaky.js')];
  const directory = folder(t);
  const text = await heapwarden(['run', '--dir', directory, '--interval-ms', '20', ...leaky]);
  assert.deepEqual([text.code, text.stdout], [0, 'done\n']);
  assert.match(text.stderr, /Session/);
  const [, file] = /report written to (.*)\n/.exec(text.stderr);
  assert.equal(path.dirname(file), directory);
  const json = await heapwarden(['run', '--dir', folder(t), '--interval-ms', '20', '--json', ...leaky]);
  assert.deepEqual([json.code, json.stdout], [0, 'done\n']);
  const events = json.stderr.trimEnd().split('\n').map((line) => JSON.parse(line).heapwarden);
  const leak = events.find(({ event }) => event === 'leak');
  assert.equal(leak.payload.culprits[0].constructorName, 'Session');
  assert.deepEqual(JSON.parse(fs.readFileSync(leak.file, 'utf8')), leak.payload);
});

test('run: a command that is not node has its programs watched', { skip: !isPosix }, async (t) => {
  const script = 'process.stdout.write(`${Object.keys(require.cache).some((name) => name.endsWith("register.js"))}`)';
  const env = { NODE_OPTIONS: '--no-deprecation', HEAPWARDEN_TEST_NODE: NODE, HEAPWARDEN_TEST_SCRIPT: script };
  const { code, stdout } = await heapwarden(['run', '--dir', folder(t), '--', 'sh', '-c', '"$HEAPWARDEN_TEST_NODE" -e "$HEAPWARDEN_TEST_SCRIPT"'], { env });
  assert.deepEqual([code, stdout], [0, 'true']);
});

test('run: signals reach the program, and what ends it is told', { skip: !isPosix }, async (t) => {
  const directory = folder(t);
  const script = `
    process.on('SIGTERM', () => { console.log('SIGTERM'); process.exit(3); });
    process.on('SIGUSR2', () => console.log('SIGUSR2')).on('SIGINT', () => console.log('SIGINT'));
    setInterval(() => {}, 1000);
    console.log('ready');
  `;
  const { child, end, said } = started(['run', '--dir', directory, '--', NODE, '-e', script]);
  for (const [wanted, signal] of [['ready', 'SIGUSR2'], ['SIGUSR2', 'SIGINT'], ['SIGINT', 'SIGTERM']]) {
    while (!said.stdout.includes(wanted)) await sleep(5);
    child.kill(signal);
  }
  const { code, stdout } = await end;
  assert.deepEqual([code, stdout], [3, 'ready\nSIGUSR2\nSIGINT\nSIGTERM\n']);

  const killed = await heapwarden(['run', '--dir', directory, '--', NODE, '-e', 'process.kill(process.pid, "SIGKILL")']);
  assert.equal(killed.code, 128 + os.constants.signals.SIGKILL);
  if (process.platform === 'linux') assert.match(killed.stderr, /^heapwarden: Process \d+ did not end cleanly: /m);
});

test('summarize: what the library says, as text and as JSON', async (t) => {
  const { files: [file], things } = pair(t);
  const json = await heapwarden(['summarize', file, '--json']);
  assert.deepEqual([json.code, json.stderr], [0, '']);
  assert.deepEqual(JSON.parse(json.stdout), JSON.parse(JSON.stringify(await summarizeSnapshot(file))));
  const text = await heapwarden(['summarize', file, '--top', '400', '--threads', '2']);
  assert.match(text.stdout, /^ +[\d.]+ kB +[\d.]+ kB +3000 {2}CliThing/m);
  const short = await heapwarden(['summarize', file, '--top', '3']);
  assert.match(short.stdout, /Classes\n.*\n.*\n.*\n.*\n {2}and \d+ more/);
  const counted = JSON.parse((await heapwarden(['summarize', file, '--histogram', '--json'])).stdout);
  assert.equal(counted.constructors.find(({ constructorName }) => constructorName === 'CliThing').count, 3000);
  assert.match((await heapwarden(['summarize', file, '--histogram'])).stdout, /objects {2}class/);
  assert.equal(things.size, 6000);
});

test('diff: what the library says, as text and as JSON', async (t) => {
  const { files, things } = pair(t);
  const json = await heapwarden(['diff', ...files, '--json']);
  assert.deepEqual([json.code, json.stderr], [0, '']);
  assert.deepEqual(JSON.parse(json.stdout), JSON.parse(JSON.stringify(await diffSnapshots(files))));
  const text = await heapwarden(['diff', ...files]);
  assert.match(text.stdout, /What holds the growth\n {2}CliThing \[\w+\]: \+3000 objects/);
  assert.match(text.stdout, /^ +\+[\d.]+ kB +\+3000 +3000 +0 {2}CliThing$/m);
  const same = await heapwarden(['diff', files[1], files[1], '--no-culprits']);
  assert.match(same.stdout, /^Nothing grew; /);
  assert.equal(things.size, 6000);
});

test('what is wrong is said, with the exit code for it', async (t) => {
  const broken = path.join(folder(t), 'broken.heapsnapshot');
  fs.writeFileSync(broken, '{"snapshot":{"meta":17}}');
  for (const [args, wanted] of [
    [['summarize'], 2], [['summarize', 'a', 'b'], 2], [['summarize', 'a', '--top', '0'], 2], [['summarize', 'a', '--threads', '9'], 2],
    [['diff', 'a'], 2], [['diff', '-', '-'], 2], [['summarize', broken], 1], [['summarize', `${broken}.none`], 1], [['diff', broken, broken], 1],
  ]) {
    const { code, stdout, stderr } = await heapwarden(args);
    assert.deepEqual([code, stdout, /^heapwarden: /.test(stderr)], [wanted, '', true], args.join(' '));
  }
  for (const name of ['run', 'summarize', 'diff']) {
    const { code, stdout } = await heapwarden([name, '--help']);
    assert.ok(code === 0 && /Exit codes/.test(stdout) && /--json/.test(stdout), name);
  }
});

test('a signal ends long work at once, with nothing written', { skip: process.platform !== 'linux' }, async (t) => {
  const dir = folder(t);
  const pipe = path.join(dir, 'pipe');
  execFileSync('mkfifo', [pipe]);
  for (const [signal, code, args] of [['SIGINT', 130, ['summarize', pipe]], ['SIGTERM', 143, ['diff', pipe, pipe, '--json']]]) {
    const { child, end } = started(args);
    // It opens when somebody reads: the work has begun then.
    const writer = await fs.promises.open(pipe, 'w');
    await writer.write('{"snapshot":');
    child.kill(signal);
    const told = await end;
    await writer.close();
    assert.deepEqual([told.code, told.stdout, told.stderr], [code, '', `heapwarden: ended by ${signal}; nothing was written\n`]);
  }
  const { child, end, said } = started(['summarize', '-']);
  child.stdin.on('error', () => {}).write('{"snapshot":');
  await sleep(1500);
  child.kill('SIGINT');
  assert.equal((await end).code, 130, said.stderr);
  assert.deepEqual(fs.readdirSync(dir), ['pipe']);
});

test('how far it is, is told on a terminal and nowhere else', async () => {
  assert.equal(lineOf({ stage: 'reading', bytes: 512 << 20, totalBytes: 2048 * 2 ** 20 }), `[${'#'.repeat(6)}${'-'.repeat(18)}] 25 %  512 of 2048 MB  reading`);
  assert.equal(lineOf({ stage: 'reading', bytes: 3 << 20, totalBytes: null }), 'reading: 3 MB');
  assert.equal(lineOf({ stage: 'dominators', bytes: 1, totalBytes: 1 }), 'dominators ...');
  const stream = { isTTY: true, columns: 20, text: '', write(text) { this.text += text; } };
  const progress = { stage: 'reading', bytes: 1, totalBytes: 4 };
  const listeners = () => process.listenerCount('SIGINT') + process.listenerCount('SIGTERM');
  const before = listeners();
  assert.equal(await atLength(async ({ onProgress }) => { onProgress(progress); return 5; }, stream), 5);
  // eslint-disable-next-line no-control-regex
  assert.match(stream.text, /^\r\x1b\[2K\[#{6}-{12}\r\x1b\[2K$/);
  const silent = { write() { throw new Error('no terminal'); } };
  await atLength(async ({ onProgress }) => assert.equal(onProgress, undefined), silent);
  await assert.rejects(atLength(({ signal }) => new Promise((resolve, reject) => {
    signal.addEventListener('abort', () => reject(signal.reason));
    process.emit('SIGINT');
  }), silent), (error) => error instanceof Interrupted && error.exitCode === 130);
  assert.equal(listeners(), before, 'no listener is left behind');
});
