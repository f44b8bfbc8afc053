'use strict';

// Why the native half could not be loaded, in the words of whoever has to mend it. Only ever loaded when that has happened.

const fs = require('node:fs');
const path = require('node:path');
const { PLATFORMS, addonFiles, identify, platformsHere } = require('./addon-file');
const { OLDEST_GLIBC, newestGlibc } = require('./glibc');

/** This system: `{ name, libc, glibc, wanted }`; `wanted` is the platform whose package it takes, or undefined. */
function system() {
  const name = `${process.platform}-${process.arch}`;
  if (process.platform !== 'linux') return { name, wanted: platformsHere()[0] };
  const glibc = glibcVersion();
  const libc = glibc === undefined ? 'musl' : 'gnu';
  const wanted = `${name}-${libc}`;
  return { name, libc, glibc, wanted: wanted in PLATFORMS ? wanted : undefined };
}

function glibcVersion() {
  const { report } = process;
  const before = report.excludeNetwork;
  // Without it the report asks the name server of every connection.
  report.excludeNetwork = true;
  try {
    return report.getReport().header.glibcVersionRuntime;
  } finally {
    report.excludeNetwork = before;
  }
}

/** What each attempt said, last first, without those that can never have succeeded here. */
function attempts(error) {
  const messages = [];
  for (let cause = error; cause; cause = cause.cause) messages.push(cause.message);
  return messages.filter((message) => !/^Cannot find native binding|^Cannot find module '.*wasm32-wasi|\.wasi\.cjs'/.test(message)).map((message) => message.split('\n')[0]);
}

function describeSystem({ name, libc, glibc }) {
  return `${name}${libc === 'gnu' ? ` (glibc ${glibc})` : libc === 'musl' ? ' (musl)' : ''}`;
}

/** Whether this code was copied into a bundle: it goes by another name there. */
function isBundled(loadedAs) {
  return path.basename(loadedAs) !== 'load.js' || path.basename(path.dirname(loadedAs)) !== 'lib';
}

function isOnNoexec(file) {
  try {
    const mounts = fs.readFileSync('/proc/self/mountinfo', 'utf8').split('\n').map((line) => line.split(' ')).filter((fields) => fields.length > 5);
    const holds = ([, , , , mount]) => mount === '/' || file === mount || file.startsWith(`${mount}/`);
    const [nearest] = mounts.filter(holds).sort((a, b) => b[4].length - a[4].length);
    return nearest !== undefined && nearest[5].split(',').includes('noexec');
  } catch {
    return false;
  }
}

/** What is wrong with a file that could not be loaded, by its content: `[what, cure]`, or undefined. */
function wrongFile(file, again) {
  let found;
  try {
    found = identify(file);
  } catch (error) {
    return [`${file} cannot be read (${error.code}).`, ['Give the user that runs Node the right to read it.']];
  }
  const { platform, arch, size, wholeBytes } = found;
  if (platform === null || (wholeBytes !== null && size < wholeBytes)) {
    const how = platform === null ? `its ${size} bytes are no library` : `it has ${size} bytes of ${wholeBytes}`;
    return [`${file} is damaged: ${how}.`, [`An installation that was cut short, or a full disk? ${again}`]];
  }
  if (platform !== process.platform || (arch !== null && arch !== process.arch)) {
    return [`${file} is for ${platform}${arch ? `-${arch}` : ''}, not for this system.`, [`It was copied here from another system (a Docker layer, a CI cache). ${again}`]];
  }
  if (isOnNoexec(file)) return [`${file} is on a file system that is mounted noexec.`, ['Mount it without noexec, or install elsewhere.']];
  return undefined;
}

/** What Node itself refuses, as `[what, cures]`; undefined where that is not why. */
function refused(text) {
  if (/loading addons is disabled/.test(text)) {
    // eslint-disable-next-line n/no-unsupported-features/node-builtins
    if (process.permission) return ['Node was started with the permission model without --allow-addons.', ['Add it: --permission --allow-addons.']];
    return ['Node was started with --no-addons.', ['Leave it out.']];
  }
  if (/Access to this API has been restricted/.test(text)) {
    return ['It could not be read: Node\'s permission model does not allow it.', [`Start with --allow-fs-read=${path.resolve(__dirname, '..', '..', '*')}.`]];
  }
  return undefined;
}

function notInstalled({ wanted }, installed, again) {
  const name = `heapwarden-${wanted}`;
  if (process.versions.pnp !== undefined) {
    return [`${name}, the package with the binary, is not there for Yarn's Plug'n'Play.`, [
      'Run yarn install on this system, or add it to supportedArchitectures in .yarnrc.yml; nodeLinker: node-modules does without Plug\'n\'Play.',
    ]];
  }
  if (installed.length > 0) {
    return [`${name} is not installed, but ${installed.map((platform) => `heapwarden-${platform}`).join(', ')} is.`, [
      `node_modules was installed on another system and copied here (a Docker layer, a CI cache, a shared folder). ${again}`,
    ]];
  }
  return [`${name}, the package with the binary, is not installed.`, [
    'Are optional dependencies left out (--omit=optional, --no-optional, omit in .npmrc)? The binary is one: install with them.',
    `Was the lock file written on another system? npm may have left out what others need: remove node_modules and package-lock.json, and install again.`,
    `Alone it can be had by: npm install ${name}`,
  ]];
}

/** The cause, as `[what, cures]`. */
function diagnose(messages, here, loadedAs) {
  const again = `Remove node_modules and install again on this system${here.wanted ? `, which takes heapwarden-${here.wanted}` : ''}.`;
  const text = messages.join('\n');
  if (isBundled(loadedAs)) {
    return ['It was bundled: the binary does not go into a bundle.', [
      'Leave heapwarden out of it, and install it beside it. esbuild: --external:heapwarden; webpack: externals: { heapwarden: "commonjs heapwarden" }.',
    ]];
  }
  const refusal = refused(text);
  if (refusal) return refusal;
  if (here.wanted === undefined) {
    return ['There is no binary for this system.', [
      `There are binaries for ${Object.keys(PLATFORMS).join(', ')}.`, 'On others build it from the repository: npm run build (needs Rust, https://rustup.rs).',
    ]];
  }
  if (/the binary has no /.test(text)) return ['The binary is of another version than the rest.', [again]];
  // The loader tells of the first that is missing.
  const [, missing, file] = /GLIBC_([\d.]+)' not found \(required by (.+?\.node)\)/.exec(text) ?? [];
  if (missing) {
    return [`The binary needs glibc ${newestGlibc(file) ?? missing}, and this system has ${here.glibc}.`, [
      `The published ones run with glibc ${OLDEST_GLIBC} and later; one that was built here runs where glibc is at least as new as where it was built.`,
      'Use a newer base image, or build the binary on this system: npm run build.',
    ]];
  }
  const files = [...addonFiles()];
  const mine = files.filter(({ platform }) => platform === here.wanted);
  for (const { file } of mine) {
    const wrong = wrongFile(file, again);
    if (wrong) return wrong;
  }
  if (mine.length > 0) {
    if (/libc\.musl|ld-musl|ld-linux|__register_atfork|symbol not found/i.test(text)) {
      return [`${mine[0].file} is for the other C library.`, [again]];
    }
    return [`${mine[0].file} could not be loaded.`, [again]];
  }
  return notInstalled(here, [...new Set(files.map(({ platform }) => platform))], again);
}

/** The message of the error: what is the matter, what helps, and what the system said. */
function explain(error, loadedAs) {
  const messages = attempts(error);
  let here = { name: `${process.platform}-${process.arch}` };
  let what;
  let cures = [];
  try {
    here = system();
    [what, cures] = diagnose(messages, here, loadedAs);
  } catch (problem) {
    // What the system said is worth more than a second error.
    what = `Why could not be found out: ${problem.message}`;
  }
  return [
    `The native part of heapwarden could not be loaded for ${describeSystem(here)}, Node ${process.version}. ${what}`,
    ...cures.map((cure) => `  - ${cure}`),
    `What the system said: ${messages.join('; ')}`,
  ].join('\n');
}

module.exports = { explain };
