'use strict';

// The modes of Node that Heapwarden is tried in: how each is started, and what is expected there.

const path = require('node:path');

const ROOT = path.resolve(__dirname, '..', '..');
const REGISTER = path.join(ROOT, 'lib', 'register.js');
const PROBE = path.join(__dirname, 'probe.js');
const PROBE_MODULE = path.join(__dirname, 'probe.mts');

/** What the probe says where everything works, and how many recordings the process leaves. */
const ALL = { floor: true, samples: true, summary: /^(clone|inline) 500$/, census: 'inline 500', sites: 1, file: true, recordings: 1 };
/** Where the native part is not loaded: the program runs on, without it. */
const NOTHING = { loaded: 'HEAPWARDEN_ERR_LOAD', recordings: 0 };
const since = (version) => (have) => (have >= version ? undefined : `Node ${version} and later`);
const until = (version) => (have) => (have < version ? undefined : `not in Node ${version} and later`);

/** The permission model by the name that it has, with `more` allowed. */
const permission = (...more) => (major) => [major < 22 ? '--experimental-permission' : '--permission', ...more];
const READ = '--allow-fs-read=*';

/**
 * `{ name, args, lacks, expect, said, env, entry }`. `args` may depend on the major version and on `{ directory }`, where files may be written;
 * `build` is what a startup snapshot is built of, which is started then; `lacks(major)` says why a Node does not have the mode; `said` is what stderr must match (nothing of ours is expected there otherwise).
 * What `isMild` is not expected to matter, even together: the tests have all of those in one process.
 */
const MODES = [
  { name: '--require' },
  { name: '--import', register: '--import' },
  { name: 'NODE_OPTIONS', register: 'NODE_OPTIONS' },
  { name: 'HEAPWARDEN_BRIDGE=off', env: { HEAPWARDEN_BRIDGE: 'off' }, expect: { summary: 'inline 500' } },
  { name: '--expose-gc', args: ['--expose-gc'], isMild: true },
  { name: '--max-old-space-size', args: ['--max-old-space-size=64'] },
  { name: '--jitless', args: ['--jitless'] },
  { name: '--frozen-intrinsics', args: ['--frozen-intrinsics'] },
  { name: '--disallow-code-generation-from-strings', args: ['--disallow-code-generation-from-strings'] },
  { name: '--disable-proto=throw', args: ['--disable-proto=throw'], isMild: true },
  { name: '--enable-source-maps', args: ['--enable-source-maps'], isMild: true },
  { name: '--experimental-vm-modules', args: ['--experimental-vm-modules'], isMild: true },
  { name: '--preserve-symlinks', args: ['--preserve-symlinks', '--preserve-symlinks-main'], isMild: true },
  { name: '--experimental-default-type=module', args: ['--experimental-default-type=module'], lacks: until(24) },
  { name: '--experimental-strip-types, TypeScript', args: ['--experimental-strip-types'], entry: PROBE_MODULE, lacks: since(22) },
  { name: '--unhandled-rejections=strict', args: ['--unhandled-rejections=strict'], isMild: true },
  { name: '--throw-deprecation', args: ['--throw-deprecation'], isMild: true },
  { name: '--zero-fill-buffers', args: ['--zero-fill-buffers'], isMild: true, lacks: until(26) },
  { name: '--cpu-prof', args: (major, { directory }) => ['--cpu-prof', `--cpu-prof-dir=${directory}`] },
  { name: '--heap-prof', args: (major, { directory }) => ['--heap-prof', `--heap-prof-dir=${directory}`], expect: { sites: 'HEAPWARDEN_ERR_BUSY' } },
  { name: '--inspect', args: ['--inspect=127.0.0.1:0'] },
  { name: 'startup snapshot', build: path.join(__dirname, 'startup.js') },
  { name: '--no-addons', args: ['--no-addons'], expect: NOTHING, said: /HEAPWARDEN_ERR_LOAD.*Node was started with --no-addons/ },
  {
    name: '--permission, add-ons and files', lacks: since(20), expect: { sites: /./ },
    args: (major, { directory }) => permission(READ, '--allow-addons', `--allow-fs-write=${path.join(directory, '*')}`)(major),
  },
  {
    name: '--permission, add-ons', args: permission(READ, '--allow-addons'), lacks: since(20),
    expect: { file: 'HEAPWARDEN_ERR_PERMISSION', recordings: 0, sites: /./ }, said: /nothing is written.*--allow-fs-write=/,
  },
  { name: '--permission', args: permission(READ), lacks: since(20), expect: NOTHING, said: /HEAPWARDEN_ERR_LOAD.*without --allow-addons/ },
];

/** The modes for a test on a Node of that `major`: all mild ones as one. */
function fewer(major) {
  const mild = MODES.filter(({ isMild, lacks }) => isMild && !lacks?.(major));
  return [{ name: 'mild flags', args: mild.flatMap(({ args }) => args) }, ...MODES.filter(({ isMild }) => !isMild)];
}

module.exports = { ALL, MODES, fewer, NOTHING, PROBE, REGISTER, ROOT };
