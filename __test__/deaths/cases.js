'use strict';

// Programs that die, each in one way, and what their recordings have to say of it.

const LEAK = 'const kept = []; for (;;) kept.push({ text: String(kept.length), more: new Array(50).fill(kept.length) });';
/** A module of WebAssembly with one page of memory and `load(address)`. */
const WASM = `
const bytes = Uint8Array.from([
  0, 97, 115, 109, 1, 0, 0, 0, 1, 6, 1, 96, 1, 127, 1, 127, 3, 2, 1, 0, 5, 3, 1, 0, 1,
  7, 8, 1, 4, 108, 111, 97, 100, 0, 0, 10, 9, 1, 7, 0, 32, 0, 40, 2, 0, 11,
]);
const { load } = new WebAssembly.Instance(new WebAssembly.Module(bytes)).exports;
let trapped = 0;
for (let i = 0; i < 100; i++) {
  try { load(-4); } catch (error) { if (error instanceof WebAssembly.RuntimeError) trapped += 1; }
}
console.log(load(0), trapped);
`;

/** Signals by which V8 aborts, whichever its version likes. */
const ABORTS = ['SIGABRT', 'SIGTRAP', 'SIGILL'];

/** A signal that the program gets from itself; later than at once, so that it does not die while it starts. */
const kill = (signal) => ({ name: signal, script: `setTimeout(() => process.kill(process.pid, '${signal}'), 50); setInterval(() => {}, 1000);` });

/**
 * `ended`: what `life.ended` has to be; `signal` and `exitCode`: likewise, of the words and of the mark; `dies`: the signal, if it has to be
 * one. `args`: of node. `report`: whether a diagnostic report is asked for.
 */
const CASES = [
  { name: 'normal end', script: 'setTimeout(() => {}, 50);', ended: 'clean', exitCode: 0 },
  { name: 'process.exit(3)', script: 'setTimeout(() => process.exit(3), 20);', ended: 'clean', exitCode: 3 },
  { name: 'exitCode = 5', script: 'process.exitCode = 5;', ended: 'clean', exitCode: 5 },
  { name: 'exit at once', script: 'process.exit(0);', ended: 'clean', exitCode: 0 },
  {
    name: 'uncaught exception', script: 'setTimeout(() => { throw new TypeError("nobody catches me"); }, 20);',
    ended: 'uncaught', exitCode: 1, text: /^TypeError: nobody catches me\n {4}at /, origin: 'uncaughtException',
  },
  {
    name: 'unhandled rejection', script: 'Promise.reject(new Error("nobody handles me")); setTimeout(() => {}, 1000);',
    ended: 'uncaught', exitCode: 1, text: /^Error: nobody handles me/, origin: 'unhandledRejection',
  },
  { name: 'undefined thrown', script: 'setTimeout(() => { throw undefined; }, 20);', ended: 'uncaught', exitCode: 1, text: /^undefined$/ },
  {
    name: 'exception that somebody hears', ended: 'clean', exitCode: 0,
    script: 'process.on("uncaughtException", (error, origin) => console.log(error.message, origin)); setTimeout(() => { throw new Error("heard"); }, 20);',
  },
  {
    name: 'exit in a handler', ended: 'uncaught', exitCode: 9,
    script: 'process.on("uncaughtException", () => process.exit(9)); setTimeout(() => { throw new Error("x"); }, 20);',
  },
  { name: 'process.abort()', script: 'setTimeout(() => process.abort(), 20);', ended: 'signal', signal: 'SIGABRT', dies: ['SIGABRT'] },
  {
    name: 'abort on uncaught', args: ['--abort-on-uncaught-exception'], script: 'setTimeout(() => { throw new Error("x"); }, 20);',
    ended: 'signal', dies: ABORTS,
  },
  { name: 'heap limit', args: ['--max-old-space-size=40'], script: LEAK, ended: ['signal', 'heap-limit'], dies: ABORTS },
  {
    name: 'heap limit, report', args: ['--max-old-space-size=40', '--report-on-fatalerror'], script: LEAK, report: true,
    ended: ['signal', 'heap-limit'], dies: ABORTS,
  },
  { ...kill('SIGSEGV'), ended: 'signal', signal: 'SIGSEGV', dies: ['SIGSEGV'] },
  { ...kill('SIGBUS'), ended: 'signal', signal: 'SIGBUS', dies: ['SIGBUS'] },
  { ...kill('SIGFPE'), ended: 'signal', signal: 'SIGFPE', dies: ['SIGFPE'] },
  { ...kill('SIGABRT'), ended: 'signal', signal: 'SIGABRT', dies: ['SIGABRT'] },
  {
    name: 'stack overflow in native', args: ['--stack-size=65500'], script: 'setTimeout(function f() { f(); }, 20);',
    ended: 'signal', signal: 'SIGSEGV', dies: ['SIGSEGV'],
  },
  { name: 'WebAssembly trap', script: WASM, ended: 'clean', exitCode: 0, stdout: '0 100\n' },
  ...['SIGTERM', 'SIGINT', 'SIGHUP'].map((signal) => ({ ...kill(signal), ended: 'signal', signal, dies: [signal] })),
  { ...kill('SIGKILL'), ended: 'unknown', dies: ['SIGKILL'] },
  {
    name: 'SIGTERM that is handled', ended: 'clean', exitCode: 6,
    script: 'process.on("SIGTERM", () => process.exit(6)); setTimeout(() => process.kill(process.pid, "SIGTERM"), 20); setInterval(() => {}, 1000);',
  },
  {
    name: 'SIGTERM that was handled for a while', ended: 'unknown', dies: ['SIGTERM'],
    script: `process.once("SIGTERM", () => process.kill(process.pid, "SIGTERM")); setTimeout(() => process.kill(process.pid, "SIGTERM"), 20);
      setInterval(() => {}, 1000);`,
  },
  {
    name: 'SIGABRT that is handled', ended: 'clean', exitCode: 7,
    script: 'process.on("SIGABRT", () => process.exit(7)); setTimeout(() => process.kill(process.pid, "SIGABRT"), 20); setInterval(() => {}, 1000);',
  },
  {
    name: 'listeners of the program', ended: 'uncaught', exitCode: 1,
    script: `process.on('exit', (code) => console.log('exit', code));
      process.on('uncaughtExceptionMonitor', (error, origin) => console.log('monitor', error.message, origin));
      setTimeout(() => { throw new Error('x'); }, 20);`,
  },
];

module.exports = { CASES };
