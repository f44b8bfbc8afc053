'use strict';

// The Rust tests under a sanitizer: node scripts/sanitizers/rust.js address|thread [--core] [names of tests...]
//
// Needs a nightly toolchain (`rustup toolchain install nightly`). Without `--core` the Node-API shell's tests run, too: those of src/ffi/os fork, map memory and
// handle signals. LeakSanitizer comes with `address`. Ends with cargo's code.

const { spawnSync } = require('node:child_process');
const path = require('node:path');
const { parseArgs } = require('node:util');

const ROOT = path.resolve(__dirname, '..', '..');
/** The standard library that comes with the compiler is not instrumented, which the compiler has to be told is meant. */
const MISMATCH = '-Cunsafe-allow-abi-mismatch=sanitizer';

const SANITIZERS = {
  address: { flags: '-Zsanitizer=address', env: { ASAN_OPTIONS: 'detect_stack_use_after_return=1', LSAN_OPTIONS: `suppressions=${path.join(__dirname, 'leak.supp')}` } },
  // A clone of a process has one thread, and may go on after a fork from many.
  thread: { flags: `-Zsanitizer=thread ${MISMATCH}`, env: { TSAN_OPTIONS: `suppressions=${path.join(__dirname, 'thread.supp')} die_after_fork=0` } },
};

const { values, positionals } = parseArgs({ allowPositionals: true, options: { core: { type: 'boolean', default: false } } });
const [name, ...tests] = positionals;
const sanitizer = SANITIZERS[name];
if (sanitizer === undefined) throw new Error(`expected one of ${Object.keys(SANITIZERS).join(', ')}, found "${name}"`);

const [, host] = /^host: (.+)$/m.exec(spawnSync('rustc', ['+nightly', '-vV'], { encoding: 'utf8' }).stdout ?? '') ?? [];
if (host === undefined) throw new Error('no nightly toolchain was found: rustup toolchain install nightly');
// A target makes cargo leave build scripts and macros alone, which run inside of the compiler.
const args = ['+nightly', 'test', '--locked', '--lib', '--features', 'fuzzing', ...(values.core ? ['--no-default-features', '--test', 'seeds'] : []), '--target', host, ...tests.length > 0 ? ['--', ...tests] : []];
const { status } = spawnSync('cargo', args, {
  cwd: ROOT, stdio: 'inherit',
  env: {
    CARGO_TARGET_DIR: path.join(ROOT, 'target', `sanitizer-${name}`), CARGO_PROFILE_TEST_OPT_LEVEL: '1', ...process.env, ...sanitizer.env, RUSTFLAGS: sanitizer.flags,
  },
});
process.exitCode = status ?? 1;
