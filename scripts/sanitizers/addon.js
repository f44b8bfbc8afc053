'use strict';

// The addon, built with AddressSanitizer, in a real Node: node scripts/sanitizers/addon.js [--addon FILE] [--node PATH] [--rounds 1] [--only monitor] [--clone]
//
// Node's program knows nothing of it, so the sanitizer's runtime is loaded before everything else: gcc's, which speaks the same version of the interface.
// V8 hides pointers from a search for leaks, which memcheck does instead (valgrind.js). Ends with 1 where something is found.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const ROOT = path.resolve(__dirname, '..', '..');

const { values } = parseArgs({
  options: {
    addon: { type: 'string' },
    node: { type: 'string', default: process.execPath },
    rounds: { type: 'string', default: '1' },
    only: { type: 'string' },
    runtime: { type: 'string' },
    clone: { type: 'boolean', default: false },
  },
});

function output(command, args) {
  const { status, stdout, error } = spawnSync(command, args, { encoding: 'utf8' });
  if (error ?? status !== 0) throw error ?? new Error(`${command} ${args.join(' ')} ended with ${status}`);
  return stdout;
}

function build() {
  const [, host] = /^host: (.+)$/m.exec(output('rustc', ['+nightly', '-vV']));
  const target = path.join(ROOT, 'target', 'sanitizer-address');
  const { status } = spawnSync('cargo', ['+nightly', 'build', '--locked', '--release', '--lib', '--target', host], {
    cwd: ROOT, stdio: 'inherit',
    // With names and lines in the stacks, and without the optimisation of the whole, which takes longest.
    env: { ...process.env, CARGO_TARGET_DIR: target, RUSTFLAGS: '-Zsanitizer=address', CARGO_PROFILE_RELEASE_DEBUG: '1', CARGO_PROFILE_RELEASE_STRIP: 'none', CARGO_PROFILE_RELEASE_LTO: 'off', CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16' },
  });
  if (status !== 0) throw new Error(`cargo ended with ${status}`);
  return path.join(target, host, 'release', 'libheapwarden.so');
}

const built = values.addon ?? build();
const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'addon-'));
// Node loads by the name's ending.
const addon = path.join(folder, 'heapwarden.node');
fs.copyFileSync(built, addon);
const runtime = values.runtime ?? output('gcc', ['-print-file-name=libasan.so']).trim();
const { status, signal } = spawnSync(values.node, [path.join(__dirname, 'exercise.js'), '--rounds', values.rounds, ...(values.only ? ['--only', values.only] : [])], {
  stdio: 'inherit',
  env: {
    ...process.env, LD_PRELOAD: runtime, NAPI_RS_NATIVE_LIBRARY_PATH: addon, ...(values.clone ? {} : { HEAPWARDEN_CLONE: 'off' }),
    // Signals stay whose they are: the recorder has handlers for them.
    ASAN_OPTIONS: 'detect_leaks=0:handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_sigill=0:handle_abort=0:use_sigaltstack=0:abort_on_error=1',
  },
});
fs.rmSync(folder, { recursive: true, force: true });
console.log(status === 0 ? 'nothing was found' : `ended with ${signal ?? status}`);
process.exitCode = status === 0 ? 0 : 1;
