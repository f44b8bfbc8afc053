'use strict';

// A memory control group with a limit for a child process: a real one where one can be made, else a stand-in.

const { spawn } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');

const KINDS = [
  { root: '/sys/fs/cgroup/memory', limit: 'memory.limit_in_bytes', name: 'version 1' },
  { root: '/sys/fs/cgroup', limit: 'memory.max', name: 'version 2' },
  { root: '/sys/fs/cgroup/unified', limit: 'memory.max', name: 'version 2' },
];
let number = 0;

/** A real control group with a limit; undefined where none can be made. */
function realGroup(limitBytes) {
  for (const { root, limit, name } of KINDS) {
    const dir = path.join(root, `heapwarden-deaths-${process.pid}-${number++}`);
    try {
      if (!fs.existsSync(path.join(root, 'cgroup.procs'))) continue;
      fs.mkdirSync(dir);
    } catch {
      continue;
    }
    try {
      fs.writeFileSync(path.join(dir, limit), String(limitBytes));
      // With swap a process is slowed down first; where it is not accounted for there is no such file.
      for (const [file, value] of [['memory.swap.max', '0'], ['memory.swappiness', '0']]) {
        if (fs.existsSync(path.join(dir, file))) fs.writeFileSync(path.join(dir, file), value);
      }
      return { kind: `a control group, ${name}`, run: (args, options) => runIn(dir, args, options), close: () => remove(dir) };
    } catch {
      remove(dir);
    }
  }
  return undefined;
}

function runIn(dir, args, options) {
  const script = `echo $$ > '${path.join(dir, 'cgroup.procs')}' && exec "$@"`;
  return child(spawn('/bin/sh', ['-c', script, 'sh', ...args], options));
}

/** The same in no group. */
const runOutside = (args, options) => child(spawn(args[0], args.slice(1), options));

/** Processes leave a group some moments after their end. */
function remove(dir) {
  const end = Date.now() + 5000;
  for (;;) {
    try {
      return fs.rmdirSync(dir);
    } catch (error) {
      if (error.code === 'ENOENT') return undefined;
      if (Date.now() > end) throw error;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 20);
    }
  }
}

/**
 * A stand-in for one of version 2: a folder with files as the kernel has them, where HEAPWARDEN_SYSTEM_ROOT has the child look, and this
 * process in the kernel's place. It writes down what the child has resident every few milliseconds, and kills it at the limit.
 */
function standIn(limitBytes) {
  const root = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-group-'));
  const group = path.join(root, 'sys/fs/cgroup');
  fs.mkdirSync(path.join(root, 'proc/self'), { recursive: true });
  fs.mkdirSync(group, { recursive: true });
  fs.writeFileSync(path.join(root, 'proc/self/cgroup'), '0::/\n');
  fs.writeFileSync(path.join(root, 'proc/self/mountinfo'), '30 24 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n');
  fs.writeFileSync(path.join(group, 'memory.max'), `${limitBytes}\n`);
  fs.writeFileSync(path.join(group, 'memory.stat'), 'inactive_file 0\nactive_file 0\nslab_reclaimable 0\n');
  const files = Object.fromEntries(['memory.current', 'memory.events'].map((name) => [name, fs.openSync(path.join(group, name), 'w')]));
  // In place and of one length: a reader must never find a file empty.
  const put = (name, text) => fs.writeSync(files[name], text, 0);
  let kills = 0;
  const events = () => put('memory.events', `low 0\nhigh 0\nmax ${kills}\noom ${kills}\noom_kill ${kills}\n`);
  const current = (bytes) => put('memory.current', `${String(bytes).padEnd(16)}\n`);
  current(0);
  events();
  const run = (args, { env, ...options } = {}) => {
    const process_ = spawn(args[0], args.slice(1), { ...options, env: { ...env, HEAPWARDEN_SYSTEM_ROOT: root } });
    const timer = setInterval(() => {
      const used = resident(process_.pid);
      current(Math.min(used, limitBytes));
      if (used >= limitBytes && process_.kill('SIGKILL')) {
        kills = 1;
        events();
        clearInterval(timer);
      }
    }, 5);
    return child(process_).finally(() => {
      clearInterval(timer);
      current(0);
    });
  };
  const close = () => {
    Object.values(files).forEach((file) => fs.closeSync(file));
    fs.rmSync(root, { recursive: true, force: true });
  };
  return { kind: 'a stand-in for a control group', run, close };
}

/** Bytes of a process that are its own: what is resident, without files that are mapped. */
function resident(pid) {
  try {
    const [, pages, shared] = fs.readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ').map(Number);
    return (pages - shared) * 4096;
  } catch {
    return 0;
  }
}

/** What becomes of a child: `{ code, signal, stdout, stderr }`; one that hangs is killed, and the promise rejected. */
function child(process_, deadlineMs = 120_000) {
  return new Promise((resolve, reject) => {
    const result = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) process_[name].setEncoding('utf8').on('data', (text) => { result[name] += text; });
    const timer = setTimeout(() => {
      process_.kill('SIGKILL');
      reject(new Error(`hung after ${deadlineMs} ms\n${result.stderr}`));
    }, deadlineMs);
    process_.on('error', reject);
    process_.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ ...result, code, signal });
    });
  });
}

/** A real group where one can be made, unless a stand-in is asked for. */
function memoryGroup(limitBytes, wanted = 'any') {
  return (wanted === 'stand-in' ? undefined : realGroup(limitBytes)) ?? (wanted === 'real' ? undefined : standIn(limitBytes));
}

module.exports = { memoryGroup, runOutside };
