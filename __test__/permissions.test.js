'use strict';

// Files that Heapwarden makes are their owner's alone from the moment that they are there, whatever the umask, and new where others could have
// put something in their place.

const assert = require('node:assert');
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { ROOT, folder } = require('./support');

const isRoot = process.getuid?.() === 0;
const NOBODY = 54321;
const CLI = path.join(ROOT, 'lib', 'cli', 'main.js');
const REGISTER = path.join(ROOT, 'lib', 'register.js');
const unix = { skip: process.platform === 'win32' && 'no modes there' };

/** What runs a command as a user who is not root: to root, files without rights are open as well. */
const asUser = isRoot ? ['setpriv', '--reuid', `${NOBODY}`, '--regid', `${NOBODY}`, '--clear-groups'] : [];
/** The repository may be where nobody else can read it. */
const canRun = () => spawnSync([...asUser, process.execPath][0], [...asUser.slice(1), ...(isRoot ? [process.execPath] : []), '-e', `require(${JSON.stringify(ROOT)})`]).status === 0;

/** Runs Node as that user, under `umask`, perhaps traced; gives its output. It must end with 0. */
async function node(umask, args, env, traced) {
  const command = [...(traced ? ['strace', '-f', '-qq', '-o', traced, '-e', 'trace=open,openat,creat,mkdir,mkdirat,mknod,mknodat,chmod,fchmod,fchmodat,link,linkat,symlink,symlinkat'] : []),
    ...asUser, 'sh', '-c', 'umask $0; exec "$@"', umask, process.execPath, ...args];
  const clean = { ...process.env, ...env };
  delete clean.NODE_TEST_CONTEXT;
  const child = spawn(command[0], command.slice(1), { env: clean, stdio: ['ignore', 'pipe', 'pipe'], cwd: ROOT });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (text) => { output += text; });
  const timer = setTimeout(() => child.kill('SIGKILL'), 240_000);
  const [code, signal] = await once(child, 'close');
  clearTimeout(timer);
  return { code, signal, output };
}

/** `[path, mode, kind]` of all that is below a folder. */
function below(root) {
  return fs.readdirSync(root, { withFileTypes: true }).flatMap((entry) => {
    const place = path.join(root, entry.name);
    const mode = fs.lstatSync(place).mode & 0o7777;
    return entry.isDirectory() ? [[place, mode, 'folder'], ...below(place)] : [[place, mode, entry.isFile() ? 'file' : 'other']];
  });
}

/** What is wrong with the rights of what is below a folder. */
const wrongBelow = (root) => below(root)
  .filter(([, mode, kind]) => mode !== (kind === 'folder' ? 0o700 : 0o600) || kind === 'other')
  .map(([place, mode, kind]) => `${kind} ${place}: ${mode.toString(8)}`);

/** The calls in a trace, a line each: one that another thread's call came between is told in two parts, put together here. */
function callsIn(trace) {
  const begun = new Map();
  return fs.readFileSync(trace, 'utf8').split('\n').flatMap((line) => {
    const [, thread, rest] = /^(\d+) +(.*)$/.exec(line) ?? [];
    if (rest?.endsWith(' <unfinished ...>')) {
      begun.set(thread, rest.slice(0, -' <unfinished ...>'.length));
      return [];
    }
    const end = /^<\.\.\. \w+ resumed>(.*)$/.exec(rest ?? '');
    return end ? [`${thread} ${begun.get(thread) ?? ''}${end[1]}`] : [line];
  });
}

/** What was made below `root`, as the system was asked for it: with more rights than its owner's, or over what is there already. */
function wrongCalls(trace, root) {
  return callsIn(trace).filter((line) => line.includes(`"${root}`)).filter((line) => {
    if (/ = -1 E/.test(line)) return false;
    const mode = Number.parseInt(/, 0?([0-7]{3,5})\)/.exec(line)?.[1] ?? /S_IFIFO\|0?([0-7]+)/.exec(line)?.[1] ?? '0', 8);
    if (/\bopen(at)?\(/.test(line)) {
      if (!line.includes('O_CREAT')) return false;
      // A file of alerts is appended to: see `lib/own-files.js` for what it may be.
      if (line.includes('O_APPEND')) return mode !== 0o600 || !line.includes('O_NONBLOCK');
      return mode !== 0o600 || !line.includes('O_EXCL');
    }
    if (/\b(mkdir|mknod|f?chmod)(at)?\(/.test(line)) return (mode & 0o077) !== 0;
    return /\b(link|symlink)(at)?\(|\bcreat\(/.test(line);
  });
}

/** A folder that is that user's. */
function ownFolder(t, name) {
  const parent = folder(t);
  fs.chmodSync(parent, 0o755);
  const root = path.join(parent, name);
  fs.mkdirSync(root, { mode: 0o700 });
  if (isRoot) fs.chownSync(root, NOBODY, NOBODY);
  return { root, parent };
}

const environment = (root, more) => ({
  TMPDIR: root,
  HOME: root,
  HEAPWARDEN_DIR: path.join(root, 'made', 'evidence'),
  HEAPWARDEN_INTERVAL_MS: '20',
  HEAPWARDEN_EVIDENCE: 'snapshot',
  HEAPWARDEN_ALLOCATION_SITES: '1',
  HEAPWARDEN_ALERT_FILE: path.join(root, 'also', 'made', 'alerts.jsonl'),
  HEAPWARDEN_ALERT_THRESHOLD_MB: '1',
  HEAPWARDEN_SNAPSHOT_SIGNAL: 'SIGUSR2',
  HEAPWARDEN_SNAPSHOT_COMPRESS: 'gzip',
  ...more,
});

const WRITES_ALL = ['-r', REGISTER, path.join(__dirname, 'fixtures', 'writes-all.js')];
const hasStrace = spawnSync('strace', ['-qq', '-o', '/dev/null', 'true']).status === 0;

for (const [umask, env, traced] of [['0777', { LEAKS: '1' }], ['0000', {}, true], ['0277', { HEAPWARDEN_BRIDGE: 'off' }]]) {
  test(`umask ${umask}${env.HEAPWARDEN_BRIDGE ? ', without the bridge' : ''}: all that is written is 0600, in folders of 0700`, unix, async (t) => {
    if (!canRun()) return t.skip('the repository cannot be read by another user');
    const { root, parent } = ownFolder(t, 'root');
    const trace = traced && hasStrace ? path.join(parent, 'trace') : undefined;
    const { code, output } = await node(umask, [...WRITES_ALL, root], environment(root, env), trace);
    assert.equal(code, 0, output);
    assert.deepEqual(wrongBelow(root), []);
    if (trace) {
      assert.deepEqual(wrongCalls(trace, root), []);
      const created = callsIn(trace).filter((line) => line.includes(`"${root}`) && line.includes('O_EXCL'));
      assert.ok(created.length >= 8, 'the trace has what was made');
    }
    const names = below(root).map(([place]) => path.basename(place));
    const kinds = [/\.heapsnapshot$/, /\.heapsnapshot\.gz$/, /\.heapsnapshot\.zst$/, /^a\.heapprofile$/, /^a\.pb\.gz$/, /^a\.jsonl$/, /^alerts\.jsonl$/];
    if (process.platform === 'linux') kinds.push(/\.hwr$/);
    if (env.LEAKS) kinds.push(/^heapwarden-leak-.*\.json$/);
    for (const kind of kinds) assert.ok(names.some((name) => kind.test(name)), `${kind} of ${names}`);
    assert.deepEqual(names.filter((name) => /\.tmp$|^heapwarden-(pipe|download)-/.test(name)), [], 'nothing temporary is left');

    // What the commands write of it, and what the next start does.
    const commands = [
      ['report', root, '-o', path.join(root, 'page.html')], ['replay', path.join(root, 'series', 'a.jsonl'), '--out', path.join(root, 'new', 'verdicts')],
    ];
    for (const args of commands) {
      const ran = await node(umask, [CLI, ...args], environment(root));
      assert.equal(ran.code, 0, ran.output);
    }
    assert.deepEqual(wrongBelow(root), []);
    return undefined;
  });
}

test('what is written of a death, and of its being told, is the same', { skip: process.platform !== 'linux' }, async (t) => {
  if (!canRun()) return t.skip('the repository cannot be read by another user');
  const { root } = ownFolder(t, 'root');
  const env = environment(root, { HEAPWARDEN_SNAPSHOT_SIGNAL: '', HEAPWARDEN_EVIDENCE: 'summary' });
  const leak = 'class Held { constructor(n) { this.n = new Array(50).fill(n); } } global.all = []; setInterval(() => { for (let i = 0; i < 5000; i++) all.push(new Held(i)); }, 5)';
  const died = await node('0777', ['--max-old-space-size=24', '-r', REGISTER, '-e', leak], env);
  assert.notEqual(died.code, 0);
  const { output } = await node('0777', ['-r', REGISTER, '-e', 'setTimeout(() => {}, 5000)'], env);
  assert.match(output, /limit/, 'the death is told of');
  const names = below(root).map(([place]) => path.basename(place));
  for (const kind of [/^heapwarden-postmortem-/, /\.told$/]) assert.ok(names.some((name) => kind.test(name)), `${kind} of ${names}`);
  assert.deepEqual(wrongBelow(root), []);
  return undefined;
});
