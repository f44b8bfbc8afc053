'use strict';

// What the published packages are made of, as one CycloneDX document: the npm packages that are installed with the main one, and the crates that
// the addon of any platform is linked from.
//
//   npm run sbom [-- --out heapwarden.cdx.json]

const crypto = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { ROOT, StepError, run, say } = require('./steps');

const manifest = require('../package.json');

/** JSON among what a program and its warnings print. */
function json(output) {
  return JSON.parse(output.slice(output.search(/^\{/m), output.lastIndexOf('}') + 1));
}

/**
 * The npm packages, of the lock file: `{ root, components, dependencies }`. `npm sbom --omit=dev` leaves out what a development dependency needs
 * as well.
 */
function npmPackages() {
  const { packages } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8'));
  /** Where a package finds another: beside it, or further up. */
  const resolve = (from, name) => {
    for (let folder = from; ; folder = folder.slice(0, Math.max(folder.lastIndexOf('/node_modules/'), 0))) {
      const place = [folder, 'node_modules', name].filter(Boolean).join('/');
      if (place in packages) return place;
      if (folder === '') throw new StepError(`package-lock.json has no ${name}, which ${from || 'the package'} depends on`);
    }
  };
  const needed = (place) => Object.keys(packages[place].dependencies ?? {}).map((name) => resolve(place, name));
  const nameOf = (place) => packages[place].name ?? place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
  const ref = (place) => `pkg:npm/${place === '' ? manifest.name : nameOf(place).replace('@', '%40')}@${packages[place].version}`;
  const places = new Set(['']);
  for (const place of places) needed(place).forEach((dependency) => places.add(dependency));
  const component = (place) => {
    const { version, license, integrity } = packages[place];
    const hashes = integrity?.startsWith('sha512-') ? [{ alg: 'SHA-512', content: Buffer.from(integrity.slice(7), 'base64').toString('hex') }] : [];
    const [group, name] = nameOf(place).startsWith('@') ? nameOf(place).split('/') : [undefined, nameOf(place)];
    return { 'bom-ref': ref(place), type: 'library', ...(group && { group }), name, version, scope: 'required', purl: ref(place), licenses: [{ expression: license }], hashes };
  };
  return {
    root: { 'bom-ref': ref(''), type: 'library', name: manifest.name, version: manifest.version, description: manifest.description, licenses: [{ expression: manifest.license }], purl: ref('') },
    components: [...places].filter((place) => place !== '').map(component),
    dependencies: [...places].map((place) => ({ ref: ref(place), dependsOn: needed(place).map(ref) })),
  };
}

/** Checksums of crates by name and version, of Cargo.lock. */
function checksums() {
  const lock = fs.readFileSync(path.join(ROOT, 'Cargo.lock'), 'utf8');
  const entries = lock.matchAll(/name = "([^"]+)"\nversion = "([^"]+)"\nsource = "[^"]+"\nchecksum = "([0-9a-f]{64})"/g);
  return new Map([...entries].map(([, name, version, checksum]) => [`${name}@${version}`, checksum]));
}

function crate({ name, version, license, description, repository }, checksum) {
  const purl = `pkg:cargo/${name}@${version}`;
  return {
    'bom-ref': purl, type: 'library', name, version, scope: 'required', purl,
    ...(description && { description: description.trim() }),
    // An expression, but for the slash that old manifests have for OR.
    ...(license && { licenses: [{ expression: license.replaceAll('/', ' OR ') }] }),
    ...(checksum && { hashes: [{ alg: 'SHA-256', content: checksum }] }),
    ...(repository && { externalReferences: [{ type: 'vcs', url: repository }] }),
  };
}

/** The crates that end up in an addon: what is needed to build or test one does not. */
async function crates() {
  const targets = manifest.napi.targets.flatMap((target) => ['--filter-platform', target]);
  const { packages, resolve } = json(await run('cargo metadata', 'cargo', ['metadata', '--locked', '--format-version', '1', ...targets], { quiet: true }));
  const byId = new Map(packages.map((entry) => [entry.id, entry]));
  const nodes = new Map(resolve.nodes.map((node) => [node.id, node]));
  const linked = (id) => nodes.get(id).deps.filter(({ dep_kinds: kinds }) => kinds.some(({ kind }) => kind === null)).map(({ pkg }) => pkg);
  const found = new Set([resolve.root]);
  for (const id of found) linked(id).forEach((dependency) => found.add(dependency));
  const sums = checksums();
  const ref = (id) => `pkg:cargo/${byId.get(id).name}@${byId.get(id).version}`;
  return {
    root: ref(resolve.root),
    components: [...found].map((id) => crate(byId.get(id), sums.get(`${byId.get(id).name}@${byId.get(id).version}`))),
    dependencies: [...found].map((id) => ({ ref: ref(id), dependsOn: linked(id).map(ref) })),
  };
}

/** One document of both. */
async function sbom() {
  const npm = npmPackages();
  const rust = await crates();
  npm.dependencies[0].dependsOn.push(rust.root);
  return {
    bomFormat: 'CycloneDX', specVersion: '1.5', serialNumber: `urn:uuid:${crypto.randomUUID()}`, version: 1,
    metadata: { timestamp: new Date().toISOString(), component: npm.root },
    components: [...npm.components, ...rust.components],
    dependencies: [...npm.dependencies, ...rust.dependencies],
  };
}

/** What is wrong with a document: references to nothing, twins, nothing where something has to stand. */
function faults(bom) {
  const wrong = [];
  if (bom.bomFormat !== 'CycloneDX' || bom.specVersion !== '1.5') wrong.push(`${bom.bomFormat} ${bom.specVersion}, not CycloneDX 1.5`);
  const refs = [bom.metadata.component, ...bom.components].map((component) => component['bom-ref']);
  if (new Set(refs).size !== refs.length) wrong.push('a bom-ref stands for two components');
  for (const { name, version, purl, licenses, hashes, 'bom-ref': ref } of bom.components) {
    if (!/^pkg:(npm|cargo)\/[^@]+@[^@]+$/.test(purl ?? '')) wrong.push(`${name}: purl ${purl}`);
    if (!version) wrong.push(`${name}: no version`);
    if (!licenses?.length) wrong.push(`${name}: no licence`);
    if (!hashes?.length && !ref.startsWith(`pkg:cargo/${manifest.name}@`)) wrong.push(`${name}: no hash`);
  }
  const known = new Set(refs);
  const told = bom.dependencies.flatMap(({ ref, dependsOn = [] }) => [ref, ...dependsOn]);
  for (const ref of told) if (!known.has(ref)) wrong.push(`depends on ${ref}, which is not listed`);
  const reached = new Set([bom.metadata.component['bom-ref']]);
  const edges = new Map(bom.dependencies.map(({ ref, dependsOn = [] }) => [ref, dependsOn]));
  for (const ref of reached) for (const next of edges.get(ref) ?? []) reached.add(next);
  for (const ref of refs) if (!reached.has(ref)) wrong.push(`${ref}: nothing depends on it`);
  const direct = Object.keys(manifest.dependencies).filter((name) => !bom.components.some((component) => component.purl?.startsWith(`pkg:npm/${name.replace('@', '%40')}@`)));
  if (direct.length > 0) wrong.push(`missing: ${direct.join(', ')}`);
  return wrong;
}

async function main() {
  const { values } = parseArgs({ options: { out: { type: 'string' } } });
  const bom = await sbom();
  const wrong = faults(bom);
  if (wrong.length > 0) throw new StepError(wrong.join('\n'));
  const count = (kind) => bom.components.filter(({ purl }) => purl.startsWith(`pkg:${kind}/`)).length;
  const text = `${JSON.stringify(bom, null, 2)}\n`;
  if (values.out) fs.writeFileSync(values.out, text);
  say(`CycloneDX ${bom.specVersion}: ${count('npm')} npm packages, ${count('cargo')} crates${values.out ? `, in ${values.out}` : ''}`);
}

module.exports = { faults, sbom };

if (require.main === module) {
  main().catch((error) => {
    say(error.message);
    process.exitCode = 1;
  });
}
