'use strict';

// The addons that may be loaded here, as files: where they are, and whether they are what they should be.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');

/** The platforms that packages are published for, as their names end, with the targets of Rust. */
const PLATFORMS = {
  'linux-x64-gnu': 'x86_64-unknown-linux-gnu',
  'linux-arm64-gnu': 'aarch64-unknown-linux-gnu',
  'linux-x64-musl': 'x86_64-unknown-linux-musl',
  'linux-arm64-musl': 'aarch64-unknown-linux-musl',
  'darwin-x64': 'x86_64-apple-darwin',
  'darwin-arm64': 'aarch64-apple-darwin',
  'win32-x64-msvc': 'x86_64-pc-windows-msvc',
};

const HEADER_BYTES = 64;
const ELF_MACHINES = { 3: 'ia32', 8: 'mips', 20: 'ppc', 21: 'ppc64', 22: 's390x', 40: 'arm', 62: 'x64', 183: 'arm64', 243: 'riscv64', 258: 'loong64' };
const MACH_MACHINES = { 0x01000007: 'x64', 0x0100000c: 'arm64' };

/** The addons in the package's own folder, where a build puts them, then those of installed packages, one by one: `{ platform, file }`. */
function* addonFiles(platforms = Object.keys(PLATFORMS)) {
  for (const platform of platforms) {
    const file = path.join(__dirname, '..', `heapwarden.${platform}.node`);
    if (fs.existsSync(file)) yield { platform, file };
  }
  // Not `require` itself, whose calls a bundler would follow.
  const { resolve } = createRequire(__filename);
  for (const platform of platforms) {
    let file;
    try {
      file = resolve(`heapwarden-${platform}`);
    } catch {
      // Not installed, as most are not.
      continue;
    }
    yield { platform, file };
  }
}

/** The platforms whose addon fits this system, whichever C library it has. */
function platformsHere() {
  const prefix = `${process.platform}-${process.arch}`;
  return Object.keys(PLATFORMS).filter((platform) => platform === prefix || platform.startsWith(`${prefix}-`));
}

function head(file) {
  const fd = fs.openSync(file, 'r');
  try {
    const bytes = Buffer.alloc(HEADER_BYTES);
    return { bytes: bytes.subarray(0, fs.readSync(fd, bytes, 0, HEADER_BYTES, 0)), size: fs.fstatSync(fd).size };
  } finally {
    fs.closeSync(fd);
  }
}

/** What a file is by its first bytes: `{ platform, arch, size, wholeBytes }`; `platform` is null where it is no library at all. */
function identify(file) {
  const { bytes, size } = head(file);
  const none = { platform: null, arch: null, size, wholeBytes: null };
  if (bytes.length < HEADER_BYTES) return none;
  if (bytes.readUInt32BE(0) === 0x7f454c46) {
    const arch = ELF_MACHINES[bytes.readUInt16LE(18)] ?? `machine ${bytes.readUInt16LE(18)}`;
    // The table of sections stands at the end of what a linker writes. Only the 64-bit form is ours.
    const wholeBytes = bytes[4] === 2 ? Number(bytes.readBigUInt64LE(40)) + bytes.readUInt16LE(58) * bytes.readUInt16LE(60) : null;
    return { platform: 'linux', arch, size, wholeBytes };
  }
  if (bytes.readUInt32LE(0) === 0xfeedfacf) return { ...none, platform: 'darwin', arch: MACH_MACHINES[bytes.readUInt32LE(4)] ?? 'another processor' };
  if (bytes.readUInt16LE(0) === 0x5a4d) return { ...none, platform: 'win32' };
  return none;
}

/** Whether the addon that is likely to be loaded was cut short: `{ file, what }`; undefined where it was not, or cannot be read. */
function broken() {
  if (process.platform !== 'linux') return undefined;
  try {
    const { value: first } = addonFiles(platformsHere()).next();
    if (first === undefined) return undefined;
    const { platform, size, wholeBytes } = identify(first.file);
    if (platform === 'linux' && wholeBytes !== null && size < wholeBytes) return { file: first.file, what: `${size} bytes, where its header tells of ${wholeBytes}` };
  } catch {
    // Not readable: the attempt to load it tells why.
  }
  return undefined;
}

module.exports = { PLATFORMS, addonFiles, broken, identify, platformsHere };
