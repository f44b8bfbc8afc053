'use strict';

// What would publish: the workflows, and the manifests that they make.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { parse } = require('yaml');
const { PLATFORMS } = require('../lib/addon-file');
const { read } = require('../scripts/audit');
const { isNewer } = require('../lib/glibc');
const { INSTALL_SCRIPTS } = require('../scripts/pack');
const { faults } = require('../scripts/sbom');

const ROOT = path.join(__dirname, '..');
const FOLDER = path.join(ROOT, '.github', 'workflows');
const manifest = require('../package.json');

const workflows = Object.fromEntries(fs.readdirSync(FOLDER).map((name) => [name, parse(fs.readFileSync(path.join(FOLDER, name), 'utf8'))]));
const steps = Object.entries(workflows).flatMap(([name, { jobs }]) => Object.entries(jobs).flatMap(([job, { steps: all }]) => all.map((step) => ({ where: `${name} ${job}`, ...step }))));

test('every action is one commit, and its version is said beside it', () => {
  for (const name of Object.keys(workflows)) {
    const lines = fs.readFileSync(path.join(FOLDER, name), 'utf8').split('\n').filter((line) => /\buses:/.test(line));
    assert.ok(lines.length > 0);
    for (const line of lines) assert.match(line, /uses: [\w-]+\/[\w-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/);
  }
});

test('a workflow may read, and the job that publishes may sign', () => {
  for (const [name, { permissions, jobs }] of Object.entries(workflows)) {
    assert.deepEqual(permissions, { contents: 'read' }, name);
    for (const [job, { permissions: more }] of Object.entries(jobs)) {
      if (name !== 'release.yml' || job !== 'publish') assert.equal(more, undefined, `${name} ${job}`);
    }
  }
  assert.equal(workflows['release.yml'].jobs.publish.permissions['id-token'], 'write');
});

test('nothing is published but by a tag, after it was tried, with provenance, platforms first', () => {
  const { build, pack, try: tried, publish } = workflows['release.yml'].jobs;
  assert.match(publish.if, /github\.event_name == 'push' && startsWith\(github\.ref, 'refs\/tags\/v'\)/);
  assert.deepEqual([publish.needs, tried.needs, pack.needs, build.needs], ['try', 'pack', 'build', undefined]);
  const publishing = steps.filter(({ run }) => /npm publish/.test(run ?? ''));
  assert.deepEqual(publishing.map(({ where }) => where), ['release.yml publish']);
  assert.match(publishing[0].run, /--provenance/);
  assert.match(publishing[0].run, /heapwarden-win32-\*\.tgz "dist\/heapwarden-\$\{GITHUB_REF_NAME#v\}\.tgz"; do/);
});

test('every platform is built', () => {
  const { include } = workflows['release.yml'].jobs.build.strategy.matrix;
  assert.deepEqual(include.map(({ target }) => target).sort(), [...manifest.napi.targets].sort());
  for (const { target, build } of include) assert.ok(build.includes(`--target ${target}`), target);
});

test('what the workflows run is there', () => {
  for (const { where, run = '' } of steps) {
    for (const [, script] of run.matchAll(/npm run ([\w:-]+)/g)) assert.ok(script in manifest.scripts, `${where}: ${script}`);
    for (const [, file] of run.matchAll(/(?:node |^)((?:scripts|\.ci)\/[\w./-]+)/gm)) assert.ok(fs.existsSync(path.join(ROOT, file)), `${where}: ${file}`);
  }
});

test('no manifest has npm run anything at an installation', () => {
  assert.deepEqual(INSTALL_SCRIPTS.filter((name) => name in manifest.scripts), []);
});

test('one version, in each of the places that have one', () => {
  const cargo = fs.readFileSync(path.join(ROOT, 'Cargo.toml'), 'utf8');
  assert.equal(/^version = "(.+)"$/m.exec(cargo)[1], manifest.version);
  const { version, packages } = JSON.parse(fs.readFileSync(path.join(ROOT, 'package-lock.json'), 'utf8'));
  assert.deepEqual([version, packages[''].version], [manifest.version, manifest.version]);
  assert.ok(fs.readFileSync(path.join(ROOT, 'CHANGELOG.md'), 'utf8').includes(`\n## ${manifest.version} `));
  assert.ok(fs.readFileSync(path.join(ROOT, 'native.js'), 'utf8').includes(`expected ${manifest.version} but got`));
});

test('the glue looks for the packages that are published', () => {
  const glue = fs.readFileSync(path.join(ROOT, 'native.js'), 'utf8');
  for (const platform of Object.keys(PLATFORMS)) assert.ok(glue.includes(`require('heapwarden-${platform}')`), platform);
});

test('versions of glibc are compared part by part', () => {
  assert.ok(isNewer('2.34', '2.28') && isNewer('2.28.1', '2.28') && isNewer('3.0', '2.28'));
  assert.ok(!isNewer('2.28', '2.28') && !isNewer('2.9', '2.28') && !isNewer('2.2.5', '2.28'));
});

test('a list of parts that refers to nothing, or lacks what it has to say, is refused', () => {
  const component = (name) => ({ 'bom-ref': name, name, version: '1.0.0', purl: `pkg:npm/${name}@1.0.0`, licenses: [{ expression: 'MIT' }], hashes: [{}] });
  const names = Object.keys(manifest.dependencies);
  const bom = () => ({
    bomFormat: 'CycloneDX', specVersion: '1.5', metadata: { component: { 'bom-ref': 'top' } },
    components: names.map((name) => ({ ...component(name), purl: `pkg:npm/${name.replace('@', '%40')}@1.0.0` })), dependencies: [{ ref: 'top', dependsOn: [...names] }],
  });
  assert.deepEqual(faults(bom()), []);
  const wrong = (change) => { const changed = bom(); change(changed); return faults(changed).join('\n'); };
  assert.match(wrong(({ dependencies }) => dependencies[0].dependsOn.push('ghost')), /depends on ghost, which is not listed/);
  assert.match(wrong(({ dependencies }) => dependencies[0].dependsOn.pop()), /nothing depends on it/);
  assert.match(wrong(({ components }) => { delete components[0].licenses; }), /no licence/);
  assert.match(wrong(({ components }) => { components.shift(); }), /missing: /);
  assert.match(wrong(({ components }) => { components.push(components[0]); }), /stands for two/);
});

test('an audit that found something, nothing, or no registry', () => {
  assert.deepEqual(read('npm warn x\n{ "auditReportVersion": 2, "vulnerabilities": {} }\n'), { found: [] });
  const one = { vulnerabilities: { a: { name: 'a', severity: 'high', via: [{ title: 'Prototype pollution' }, 'b'] } } };
  assert.deepEqual(read(JSON.stringify(one)), { found: ['a: high: Prototype pollution, b'] });
  assert.match(read('npm warn audit 405\n{ "message": "405 Method Not Allowed" }').unasked, /405/);
  assert.match(read('npm error nothing\n').unasked, /nothing/);
});
