'use strict';

// An installation that cannot work says which of the causes it is: each is brought about for real, in a process of its own.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { PLATFORMS } = require('../lib/addon-file');

const ROOT = path.join(__dirname, '..');
const manifest = require('../package.json');
const [MAJOR] = process.versions.node.split('.').map(Number);
const isHere = process.platform === 'linux' && process.arch === 'x64' && process.report.getReport().header.glibcVersionRuntime !== undefined;
const skip = !isHere && 'made for Linux x64 with glibc';

let app;
let addon;

const own = (platform) => path.join(app, 'node_modules', `heapwarden-${platform}`, `heapwarden.${platform}.node`);

/** An app into which the package was installed, and no addon. */
before(() => {
  app = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-load-')));
  const folder = path.join(app, 'node_modules', 'heapwarden');
  for (const name of ['index.js', 'native.js', 'package.json', 'lib', 'data']) fs.cpSync(path.join(ROOT, name), path.join(folder, name), { recursive: true });
  for (const name of Object.keys(manifest.dependencies)) {
    fs.mkdirSync(path.dirname(path.join(app, 'node_modules', name)), { recursive: true });
    fs.symlinkSync(path.join(ROOT, 'node_modules', name), path.join(app, 'node_modules', name), 'junction');
  }
  const file = path.join(ROOT, 'heapwarden.linux-x64-gnu.node');
  addon = fs.existsSync(file) ? fs.readFileSync(file) : undefined;
});

after(() => fs.rmSync(app, { recursive: true, force: true }));

function put(platform, bytes) {
  fs.mkdirSync(path.dirname(own(platform)), { recursive: true });
  const main = path.basename(own(platform));
  fs.writeFileSync(path.join(path.dirname(own(platform)), 'package.json'), JSON.stringify({ name: `heapwarden-${platform}`, version: manifest.version, main }));
  // A new file: one that a living process has mapped must not change under it.
  fs.rmSync(own(platform), { force: true });
  fs.writeFileSync(own(platform), bytes);
}

function empty() {
  for (const platform of Object.keys(PLATFORMS)) fs.rmSync(path.dirname(own(platform)), { recursive: true, force: true });
}

/** What loading says with these addons installed: a message, or undefined where it succeeds. */
function told(addons, { flags = [], before: first = '', cwd = app } = {}) {
  empty();
  for (const [platform, bytes] of Object.entries(addons)) put(platform, bytes);
  const script = `${first}
    try { require('heapwarden'); } catch (error) { console.log(JSON.stringify({ code: error.code, message: error.message })); }`;
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, [...flags, '-e', script], { cwd, encoding: 'utf8' });
  assert.equal(signal, null, stderr);
  assert.equal(status, 0, stderr);
  if (stdout === '') return undefined;
  const { code, message } = JSON.parse(stdout);
  assert.equal(code, 'HEAPWARDEN_ERR_LOAD', message);
  return message;
}

function replaced(from, to) {
  const at = addon.indexOf(from);
  assert.notEqual(at, -1);
  const bytes = Buffer.from(addon);
  bytes.write(to, at, 'latin1');
  return bytes;
}

function withMachine(machine) {
  const bytes = Buffer.from(addon);
  bytes.writeUInt16LE(machine, 18);
  return bytes;
}

test('the package of this platform is enough', { skip }, () => {
  assert.equal(told({ 'linux-x64-gnu': addon }), undefined);
});

test('no package: which one is wanted, and how it came not to be there', { skip }, () => {
  const message = told({});
  assert.match(message, /linux-x64 \(glibc [\d.]+\), Node v\d/);
  assert.match(message, /heapwarden-linux-x64-gnu, the package with the binary, is not installed/);
  assert.match(message, /--omit=optional/);
  assert.match(message, /npm install heapwarden-linux-x64-gnu/);
  assert.doesNotMatch(message, /wasi/i);
});

test('a package of another platform: copied', { skip }, () => {
  const message = told({ 'darwin-arm64': Buffer.alloc(100) });
  assert.match(message, /heapwarden-linux-x64-gnu is not installed, but heapwarden-darwin-arm64 is/);
  assert.match(message, /on another system and copied here/);
});

test('musl: the package for it is named', { skip }, () => {
  const first = 'process.report.getReport = () => ({ header: {}, sharedObjects: ["/lib/ld-musl-x86_64.so.1"] });';
  const message = told({ 'darwin-arm64': Buffer.alloc(100) }, { before: first });
  assert.match(message, /linux-x64 \(musl\)/);
  assert.match(message, /heapwarden-linux-x64-musl is not installed, but heapwarden-darwin-arm64 is/);
});

test('a binary for the other C library', { skip }, () => {
  const message = told({ 'linux-x64-gnu': replaced('libm.so.6\0', 'ld-musl.1\0') });
  assert.match(message, /linux-x64-gnu\.node is for the other C library/);
  assert.match(message, /which takes heapwarden-linux-x64-gnu/);
});

test('damaged: no library, nothing at all, or half of one', { skip }, () => {
  assert.match(told({ 'linux-x64-gnu': Buffer.alloc(5000, 'x') }), /linux-x64-gnu\.node is damaged: its 5000 bytes are no library/);
  assert.match(told({ 'linux-x64-gnu': Buffer.alloc(0) }), /is damaged: its 0 bytes/);
  // Without a look at its header this one kills the process.
  assert.match(told({ 'linux-x64-gnu': addon.subarray(0, addon.length / 2) }), new RegExp(`is damaged: it has ${Math.floor(addon.length / 2)} bytes of ${addon.length}`));
});

test('a binary for another processor or system', { skip }, () => {
  assert.match(told({ 'linux-x64-gnu': withMachine(183) }), /linux-x64-gnu\.node is for linux-arm64, not for this system/);
  const mach = Buffer.alloc(5000);
  mach.writeUInt32LE(0xfeedfacf, 0);
  mach.writeUInt32LE(0x0100000c, 4);
  assert.match(told({ 'linux-x64-gnu': mach }), /is for darwin-arm64/);
  assert.match(told({ 'linux-x64-gnu': Buffer.from('MZ'.padEnd(5000, '\0')) }), /is for win32/);
});

test('a glibc that is older than the binary asks for', { skip }, () => {
  // That of memcpy, which no binary does without; of what a version is only wished for, the loader says nothing.
  const version = 'GLIBC_2.14';
  const message = told({ 'linux-x64-gnu': replaced(`${version}\0`, version.replace('_2', '_9')) });
  assert.match(message, /needs glibc 9\.\d+, and this system has 2\.\d+/);
  assert.match(message, /glibc 2\.28 and later/);
});

test('a binary of another version', { skip }, () => {
  const glue = path.join(app, 'node_modules', 'heapwarden', 'native.js');
  const text = fs.readFileSync(glue, 'utf8');
  fs.writeFileSync(glue, `${text}\nmodule.exports.fromTheFuture = nativeBinding.fromTheFuture\n`);
  try {
    const message = told({ 'linux-x64-gnu': addon });
    assert.match(message, /is of another version than the rest/);
    assert.match(message, /has no fromTheFuture/);
  } finally {
    fs.writeFileSync(glue, text);
  }
});

test('no binary for the system: which there are', { skip }, () => {
  const first = 'Object.defineProperty(process, "arch", { value: "s390x" });';
  const message = told({}, { before: first });
  assert.match(message, /There is no binary for this system/);
  for (const platform of Object.keys(PLATFORMS)) assert.ok(message.includes(platform), platform);
});

test('where the cause cannot be found out, what the system said is told all the same', { skip }, () => {
  const message = told({}, { before: 'process.report.getReport = () => { throw new Error("no report"); };' });
  assert.match(message, /Why could not be found out: no report/);
  assert.match(message, /What the system said: .*heapwarden-linux-x64-gnu/);
});

test('an older Node is told so, by JavaScript that it can read', () => {
  const first = 'Object.defineProperty(process, "versions", { value: { ...process.versions, node: "14.21.3" } });';
  assert.match(told({}, { before: first }), /heapwarden needs Node 18 or later/);
});

test('addons that Node forbids', { skip }, () => {
  assert.match(told({ 'linux-x64-gnu': addon }, { flags: ['--no-addons'] }), /--no-addons/);
  if (MAJOR < 20) return;
  const permission = MAJOR >= 24 || process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
  const flags = [permission, '--allow-fs-read=*', '--no-warnings'];
  assert.match(told({ 'linux-x64-gnu': addon }, { flags }), /the permission model without --allow-addons/);
  const packages = [permission, `--allow-fs-read=${path.join(app, 'node_modules', 'heapwarden', '*')}`, '--allow-addons', '--no-warnings'];
  assert.match(told({ 'linux-x64-gnu': addon }, { flags: packages }), /permission model does not allow it/);
  assert.equal(told({ 'linux-x64-gnu': addon }, { flags: [...flags, '--allow-addons'] }), undefined);
});

const noSnapshot = MAJOR < 20 && 'in a snapshot Node 18 has no createRequire';

test('in a startup snapshot, where V8 would end the process', { skip: skip || noSnapshot }, () => {
  const blob = path.join(app, 'snapshot.blob');
  const program = path.join(app, 'snapshot.js');
  const required = JSON.stringify(path.join(app, 'node_modules', 'heapwarden'));
  fs.writeFileSync(program, `try { require(${required}); } catch (error) { console.log(error.code, error.message); }`);
  told({ 'linux-x64-gnu': addon });
  // A program that is built in has no require of its own but that of built-in modules: of these one makes another.
  fs.writeFileSync(program, `const require2 = require('node:module').createRequire(__filename);\n${fs.readFileSync(program, 'utf8').replace('require(', 'require2(')}`);
  const { stdout, stderr, signal } = spawnSync(process.execPath, ['--snapshot-blob', blob, '--build-snapshot', program], { cwd: app, encoding: 'utf8' });
  assert.equal(signal, null, stderr);
  assert.match(stdout, /HEAPWARDEN_ERR_LOAD .*cannot be in a startup snapshot/, stderr);
});

test('a file system that forbids programs', { skip }, (t) => {
  // In a mount namespace of its own; not every machine lets one be made.
  const folder = path.join(app, 'noexec');
  fs.mkdirSync(folder);
  told({ 'linux-x64-gnu': addon });
  const script = `
    mount -t tmpfs -o noexec none ${folder} && cp -rL ${path.join(app, 'node_modules')} ${folder}/ && cd ${folder} || exit 77
    ${process.execPath} -e 'try { require("heapwarden"); } catch (error) { console.log(error.message); }'`;
  const { status, stdout } = spawnSync('unshare', ['-rm', 'sh', '-c', script], { encoding: 'utf8' });
  if (status !== 0) return void t.skip('no mount namespace can be made here');
  assert.match(stdout, /on a file system that is mounted noexec/);
});

test('in a bundle: what to write', { skip }, () => {
  const { buildSync } = require('esbuild');
  empty();
  const out = path.join(app, 'bundle.js');
  buildSync({ stdin: { contents: 'try { require("heapwarden") } catch (error) { console.log(error.message) }', resolveDir: app }, bundle: true, platform: 'node', outfile: out, logLevel: 'silent' });
  const { stdout, stderr } = spawnSync(process.execPath, [out], { cwd: os.tmpdir(), encoding: 'utf8' });
  assert.match(stdout, /It was bundled/, stderr);
  assert.match(stdout, /--external:heapwarden/);
});

test('the platforms that errors name are those that are built', () => {
  assert.deepEqual(Object.values(PLATFORMS).sort(), [...manifest.napi.targets].sort());
});
