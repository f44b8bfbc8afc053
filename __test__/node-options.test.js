'use strict';

// NODE_OPTIONS names register for every Node that is started from here on: npm, test runners, workers, programs that end at once. None of them may
// print, end or wait otherwise than without.

const assert = require('node:assert');
const { spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { describe, test } = require('node:test');
const { ROOT, folder } = require('./support');

const NODE = process.execPath;
const REGISTER = path.join(ROOT, 'lib', 'register.js');
const major = Number(process.versions.node.split('.')[0]);
const CHILD = 'const { execFileSync } = require("node:child_process")';
const script = (text) => ['-e', text];

/** By name: arguments of Node; or what is done otherwise, and why not, where a Node cannot. `files` are there, `input` is on stdin. */
const PROGRAMS = {
  'nothing at all': script(''),
  '-p': ['-p', '6 * 7'],
  'a program on stdin': { args: ['-'], input: 'console.log(typeof require)' },
  'a module on stdin': { args: ['--input-type=module', '-'], input: 'console.log(typeof require)' },
  'what reads stdin': { args: script('process.stdin.on("data", (text) => process.stdout.write(`<${text}>`)).on("end", () => console.log("end"))'), input: 'abc' },
  'what waits for stdin and is not given any': { args: script('require("node:fs").readSync(0, Buffer.alloc(9))'), input: '' },
  '--check': { args: ['--check', 'program.js'], files: { 'program.js': 'syntax (' } },
  '--version': ['--version'],
  'a bad option': ['--no-such-option'],
  'a missing program': ['missing.js'],
  'throw': script('throw new TypeError("no such order")'),
  'throw undefined': script('throw undefined'),
  'throw later': script('setTimeout(() => { throw new Error("late") }, 5)'),
  'an unhandled rejection': script('Promise.reject(new Error("unheard"))'),
  'an unhandled rejection, as a warning': ['--unhandled-rejections=warn', ...script('Promise.reject(new Error("unheard"))')],
  'an exception that is caught at last': script('process.on("uncaughtException", (e) => console.log(e.message)); setTimeout(() => { throw new Error("x") })'),
  'process.exit at once': script('process.exit(3)'),
  'process.exit in a microtask': script('Promise.resolve().then(() => process.exit(4))'),
  'process.exit in nextTick': script('process.nextTick(() => process.exit(5))'),
  'process.exit in beforeExit': script('process.on("beforeExit", () => process.exit(6))'),
  'process.exit in exit': script('process.on("exit", () => process.exit(7))'),
  'process.exit with output under way': script('process.stdout.write("x".repeat(1e5)); process.exit(0)'),
  'process.exitCode': script('process.exitCode = 8'),
  'process.reallyExit': script('process.reallyExit(9)'),
  'a module that never settles': ['--input-type=module', ...script('await new Promise(() => {})')],
  'beforeExit, once and again': script('let n = 0; process.on("beforeExit", () => { if (n++ < 2) setTimeout(() => console.log(n)) })'),
  'SIGTERM': script('process.kill(process.pid, "SIGTERM"); setTimeout(() => {}, 5000)'),
  'SIGINT that is handled': script('process.on("SIGINT", () => { console.log("int"); process.exit(2) }); process.kill(process.pid, "SIGINT"); setTimeout(() => {}, 5000)'),
  'SIGKILL': script('process.kill(process.pid, "SIGKILL"); setTimeout(() => {}, 5000)'),
  'SIGUSR2 that nobody handles': script('process.kill(process.pid, "SIGUSR2"); setTimeout(() => {}, 5000)'),
  'stdout that is closed': script('process.stdout.on("error", (e) => process.exit(e.code === "EPIPE" ? 11 : 12)); process.stdout.destroy(); console.log("x")'),
  'listeners and handles': script('console.log(process.getActiveResourcesInfo().join(), ["SIGUSR2", "SIGINT", "uncaughtException", "unhandledRejection", "beforeExit"].map((name) => process.listenerCount(name)).join())'),
  'globals and arguments': { args: ['program.js', '--flag'], files: { 'program.js': 'console.log(Object.keys(globalThis).length, process.argv.slice(2), process.execArgv, require.main === module)' } },
  'a child by execFileSync': script(`${CHILD}; console.log(String(execFileSync(process.execPath, ["-p", "1 + 1"])))`),
  'a child with IPC': {
    args: ['program.js'],
    files: { 'program.js': 'if (process.send) process.once("message", (m) => process.send(m + 1, () => process.disconnect()));\nelse require("node:child_process").fork(__filename).on("message", (m) => console.log(m)).on("exit", (code) => console.log("code", code)).send(1)' },
  },
  'workers, one after the other': script('const { Worker } = require("node:worker_threads"); const next = (i) => i < 3 && new Worker("console.log(1); process.exitCode = 5", { eval: true }).on("exit", (code) => { console.log("code", code); next(i + 1); }); next(0)'),
  'a worker without options': script('const { Worker } = require("node:worker_threads"); new Worker("console.log(process.execArgv.length)", { eval: true, execArgv: [], env: {} })'),
  'node --test': { args: ['--test', '--test-reporter=tap', 'a.test.js'], files: { 'a.test.js': 'const { test } = require("node:test"); test("one", () => {}); test("two", () => { throw new Error("x") })' }, lacks: major < 20 && 'no reporters' },
  'node --run': { args: ['--run', 'hello'], files: { 'package.json': '{ "scripts": { "hello": "node -p 40+2" } }' }, lacks: major < 22 && 'Node 22 and later' },
  'npm run': { command: 'npm', args: ['run', '--silent', 'hello'], files: { 'package.json': '{ "scripts": { "hello": "node -p 40+2 && exit 3" } }' } },
};

/** What is not the same from one run to the next. */
const steady = (text) => text.replace(/0x[0-9a-f]+/g, 'ADDRESS').replace(/\d+(\.\d+)?/g, 'N');

/** How a program ends, and what it says. */
function end(command, args, { env, cwd, input }) {
  return new Promise((resolve, reject) => {
    const clean = { ...process.env, ...env, PATH: [path.dirname(NODE), process.env.PATH].join(path.delimiter), NODE_TEST_CONTEXT: undefined, npm_config_update_notifier: 'false' };
    const child = spawn(command, args, { cwd, env: clean, stdio: ['pipe', 'pipe', 'pipe'] });
    const said = { stdout: '', stderr: '' };
    for (const name of ['stdout', 'stderr']) child[name].setEncoding('utf8').on('data', (text) => { said[name] += text; });
    child.stdin.on('error', () => {}).end(input);
    const timer = setTimeout(() => child.kill('SIGKILL'), 60_000);
    child.on('error', reject);
    child.on('close', (code, signal) => {
      clearTimeout(timer);
      resolve({ code, signal, stdout: said.stdout, stderr: steady(said.stderr) });
    });
  });
}

describe('NODE_OPTIONS', { concurrency: 2 }, () => {
  for (const [name, given] of Object.entries(PROGRAMS)) {
    const { command = NODE, args, files = {}, input, lacks = false } = Array.isArray(given) ? { args: given } : given;
    test(name, { skip: lacks }, async (t) => {
      const cwd = folder(t);
      for (const [file, text] of Object.entries(files)) fs.writeFileSync(path.join(cwd, file), text);
      const how = { cwd, input };
      // Whatever is imported changes how Node starts, and with it the stacks that it prints.
      for (const [flag, twin] of [['--require', undefined], ['--import', '--import=data:text/javascript,']]) {
        const without = await end(command, args, { ...how, env: { NODE_OPTIONS: twin } });
        const env = { NODE_OPTIONS: `${flag}=${REGISTER}`, HEAPWARDEN_DIR: path.join(cwd, 'evidence'), HEAPWARDEN_POSTMORTEM: 'off' };
        const beside = await end(command, args, { ...how, env });
        if (name === 'node --test') for (const ended of [without, beside]) ended.stdout = steady(ended.stdout);
        assert.deepEqual(beside, without, flag);
      }
    });
  }
});
