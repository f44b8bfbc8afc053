'use strict';

// Whether the addon compiles for systems that nobody here has: `cargo check` for each, with the standard library of that target where it is
// installed, or made from its source. Nothing is linked, and the C part is not compiled: a compiler that makes empty files stands for it.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { StepError, run, say } = require('./steps');

const TARGETS = [
  'x86_64-apple-darwin', 'aarch64-apple-darwin', 'x86_64-pc-windows-msvc', 'x86_64-unknown-linux-musl', 'aarch64-unknown-linux-musl', 'aarch64-unknown-linux-gnu',
];

const COMPILER = `#!/bin/sh
while [ $# -gt 0 ]; do
  case "$1" in -Fo*) : > "\${1#-Fo}"; exit 0 ;; -o) : > "$2"; exit 0 ;; esac
  shift
done
`;
const ARCHIVER = `#!/bin/sh
for a; do case "$a" in -out:*|/out:*) : > "\${a#*:}" ;; *.a|*.lib) : > "$a" ;; esac; done
`;

/** How the standard library of a target is had here: arguments for cargo; nothing where it is not. */
function libraryFor(target) {
  const rustlib = path.join(execFileSync('rustc', ['--print', 'sysroot'], { encoding: 'utf8' }).trim(), 'lib', 'rustlib');
  if (fs.existsSync(path.join(rustlib, target, 'lib'))) return [];
  if (fs.existsSync(path.join(rustlib, 'src', 'rust', 'library'))) return ['-Zbuild-std=std,panic_unwind'];
  return undefined;
}

async function main(targets) {
  const unknown = targets.filter((target) => !TARGETS.includes(target));
  if (unknown.length > 0) throw new StepError(`expected targets out of ${TARGETS.join(', ')}, found ${unknown.join(', ')}`);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-targets-'));
  try {
    const [compiler, archiver] = [['cc', COMPILER], ['ar', ARCHIVER]].map(([name, text]) => {
      const file = path.join(folder, name);
      fs.writeFileSync(file, text, { mode: 0o755 });
      return file;
    });
    let checked = 0;
    for (const target of targets.length > 0 ? targets : TARGETS) {
      const library = libraryFor(target);
      if (library === undefined) {
        say(`SKIPPED ${target}: no standard library (rustup target add ${target}, or rustup component add rust-src)`);
        continue;
      }
      const suffix = target.replaceAll('-', '_');
      const env = { [`CC_${suffix}`]: compiler, [`AR_${suffix}`]: archiver, RUSTC_BOOTSTRAP: '1' };
      await run(target, 'cargo', ['check', '--locked', '--lib', '--target', target, ...library], { env, timeoutMs: 1_800_000 });
      checked += 1;
    }
    say(`${checked} of ${(targets.length > 0 ? targets : TARGETS).length} targets checked`);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

main(process.argv.slice(2)).catch((error) => {
  say(error instanceof StepError ? error.message : error.stack);
  process.exitCode = 1;
});
