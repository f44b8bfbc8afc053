'use strict';

// What is published, as tarballs: the main package, which is JavaScript alone, and for each platform whose addon is at hand a package with that
// addon. The main one names all of them as optional dependencies, of its own version and no other; npm installs the one whose os, cpu and libc
// fit. Both manifests are made here, from package.json, so that a version is written down once and `npm ci` in the repository looks for nothing
// that is not published yet.
//
//   npm run dist [-- --out dist] [--from FOLDER] [--all]     --from: where the addons are, at any depth (else here); --all: a missing one is an error

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { ROOT, StepError, run, say } = require('./steps');

/** What only this repository needs of a manifest. */
const DEVELOPMENT = ['devDependencies', 'napi', 'overrides', 'scripts'];
const NAPI = path.join(ROOT, 'node_modules', '@napi-rs', 'cli', 'dist', 'cli.js');

function readJson(file) {
  return JSON.parse(fs.readFileSync(file, 'utf8'));
}

function writeJson(file, value) {
  fs.writeFileSync(file, `${JSON.stringify(value, null, 2)}\n`);
}

/** Runs `npm pack` in a folder; resolves to `{ name, tarball, names, bytes, unpackedBytes }`. */
async function pack(cwd, out) {
  const output = await run('pack', 'npm', ['pack', '--json', '--ignore-scripts', '--pack-destination', out], { cwd, quiet: true });
  return described(output, out);
}

function described(output, out) {
  // npm's warnings come on the same stream, before and after the JSON.
  const json = output.slice(output.search(/^\[$/m), output.search(/^\]$/m) + 1);
  const [{ name, filename, files, size, unpackedSize }] = JSON.parse(json);
  const names = files.map((file) => file.path.split(path.sep).join('/'));
  return { name, tarball: path.join(out, filename), names, bytes: size, unpackedBytes: unpackedSize };
}

/** The manifests of the platform packages, as the napi CLI writes them: `[{ folder, manifest }]`. */
async function platforms(stage) {
  const folder = path.join(stage, 'npm');
  // The CLI writes beside the manifest that it reads, and nowhere else.
  fs.copyFileSync(path.join(ROOT, 'package.json'), path.join(stage, 'package.json'));
  await run('create-npm-dirs', process.execPath, [NAPI, 'create-npm-dirs'], { cwd: stage, quiet: true });
  const names = fs.readdirSync(folder).sort();
  return names.map((name) => ({ folder: path.join(folder, name), manifest: readJson(path.join(folder, name, 'package.json')) }));
}

/** The manifest of the main package as it is published. */
function publishedManifest(manifest, platformManifests) {
  const published = { ...manifest, files: manifest.files.filter((pattern) => pattern !== '*.node') };
  for (const key of DEVELOPMENT) delete published[key];
  published.optionalDependencies = Object.fromEntries(platformManifests.map(({ name, version }) => [name, version]));
  return published;
}

async function packMain(stage, out, list) {
  const manifest = readJson(path.join(ROOT, 'package.json'));
  const folder = path.join(stage, 'main');
  fs.mkdirSync(folder);
  const { names } = described(await run('list', 'npm', ['pack', '--json', '--dry-run', '--ignore-scripts'], { quiet: true }), out);
  for (const name of names.filter((file) => !file.endsWith('.node'))) fs.cpSync(path.join(ROOT, name), path.join(folder, name));
  writeJson(path.join(folder, 'package.json'), publishedManifest(manifest, list.map((platform) => platform.manifest)));
  return pack(folder, out);
}

/** Files below a folder by their names, as `napi build` names addons. */
function addonsBelow(folder) {
  const found = new Map();
  const entries = fs.readdirSync(folder, { withFileTypes: true });
  for (const entry of entries) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) for (const [name, below] of addonsBelow(file)) found.set(name, below);
    else if (entry.name.endsWith('.node')) found.set(entry.name, file);
  }
  return found;
}

function addonsHere() {
  const names = fs.readdirSync(ROOT).filter((name) => name.endsWith('.node'));
  return new Map(names.map((name) => [name, path.join(ROOT, name)]));
}

async function packPlatform({ folder, manifest }, addon, out) {
  if (addon !== undefined) fs.copyFileSync(addon, path.join(folder, manifest.main));
  fs.copyFileSync(path.join(ROOT, 'LICENSE'), path.join(folder, 'LICENSE'));
  fs.writeFileSync(path.join(folder, 'README.md'), `# ${manifest.name}\n\nThe native part of [heapwarden](https://www.npmjs.com/package/heapwarden) for one platform, which is installed with it.\n`);
  // A shared library is loaded from a file of its own, not from inside an archive.
  writeJson(path.join(folder, 'package.json'), { ...manifest, preferUnplugged: true });
  return pack(folder, out);
}

/**
 * Packs into `out`; resolves to `{ main, platforms, missing }`: tarballs, and the names of platform packages
 * whose addon is not there. `only` picks platforms by their manifests; `placeholders`: those packages are made as well, without it.
 */
async function dist({ out, from, only = () => true, placeholders = false }) {
  const stage = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-dist-'));
  try {
    fs.mkdirSync(out, { recursive: true });
    const list = await platforms(stage);
    const addons = from === undefined ? addonsHere() : addonsBelow(from);
    const result = { main: await packMain(stage, out, list), platforms: [], missing: [] };
    for (const platform of list.filter(({ manifest }) => only(manifest))) {
      const addon = addons.get(platform.manifest.main);
      if (addon === undefined) result.missing.push(platform.manifest.name);
      if (addon !== undefined || placeholders) result.platforms.push(await packPlatform(platform, addon, out));
    }
    return result;
  } finally {
    fs.rmSync(stage, { recursive: true, force: true });
  }
}

/** Whether npm installs a package of this manifest here. */
function fits({ os: systems, cpu, libc }) {
  const here = process.report.getReport().header.glibcVersionRuntime ? 'glibc' : 'musl';
  return systems.includes(process.platform) && cpu.includes(process.arch) && (libc === undefined || libc.includes(here));
}

/** The tarballs that an app on this machine installs, main package first. */
async function distHere(out) {
  const result = await dist({ out, only: fits });
  if (result.platforms.length === 0) throw new StepError('no addon of this platform is here: npm run build makes one');
  return { ...result, tarballs: [result.main, ...result.platforms].map(({ tarball }) => tarball) };
}

module.exports = { dist, distHere, fits };

async function main() {
  const { values } = parseArgs({ options: { out: { type: 'string', default: 'dist' }, from: { type: 'string' }, all: { type: 'boolean', default: false } } });
  const from = values.from && path.resolve(values.from);
  const { main: package_, platforms: others, missing } = await dist({ out: path.resolve(values.out), from });
  for (const { tarball, names, bytes, unpackedBytes } of [package_, ...others]) {
    say(`${path.relative(process.cwd(), tarball)}: ${names.length} files, ${(bytes / 1024).toFixed(0)} KiB, ${(unpackedBytes / 1024).toFixed(0)} KiB unpacked`);
  }
  if (missing.length > 0) say(`no addon for ${missing.join(', ')}`);
  if (missing.length > 0 && values.all) throw new StepError('--all: every platform was expected');
}

if (require.main === module) {
  main().catch((error) => {
    say(error.message);
    process.exitCode = 1;
  });
}
