'use strict';

// The Node versions that the package supports, as binaries in .cache/nodes/<major>.
// They come from the packages that the npm package `node` installs. HEAPWARDEN_NODES=20,22 restricts the list.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, StepError, capture, run, say } = require('./steps');

const VERSIONS = ['18.20.8', '20.20.0', '22.23.3', '24.21.0', '26.10.0'];
const CACHE = path.join(ROOT, '.cache', 'nodes');

/** The name of the package that holds the binary for this machine; Linux on x64 is what is tested. */
function packageName(platform = process.platform, arch = process.arch) {
  const prefix = platform === 'darwin' && arch === 'arm64' ? 'node-bin' : 'node';
  return `${prefix}-${platform === 'win32' ? 'win' : platform}-${arch}`;
}

function wanted(list = process.env.HEAPWARDEN_NODES) {
  const all = VERSIONS.map((version) => ({ major: Number(version.split('.')[0]), version }));
  if (list === undefined || list.trim() === '') return all;
  const majors = list.split(',').map((part) => part.trim());
  const unknown = majors.filter((major) => !all.some((node) => String(node.major) === major));
  if (unknown.length > 0) {
    const known = all.map((node) => node.major).join(', ');
    throw new StepError(`HEAPWARDEN_NODES: expected majors out of ${known}, found ${unknown.join(', ')}`);
  }
  return all.filter((node) => majors.includes(String(node.major)));
}

async function isVersion(binary, version) {
  if (!fs.existsSync(binary)) return false;
  const { code, output } = await capture(binary, ['--version'], { quiet: true, timeoutMs: 60_000 });
  return code === 0 && output.trim() === `v${version}`;
}

async function install({ major, version }) {
  const folder = path.join(CACHE, String(major));
  const name = packageName();
  const binary = path.join(folder, 'node_modules', name, 'bin', process.platform === 'win32' ? 'node.exe' : 'node');
  if (!(await isVersion(binary, version))) {
    fs.rmSync(folder, { recursive: true, force: true });
    fs.mkdirSync(folder, { recursive: true });
    // A manifest of its own: npm must not take the project around it for the one to install into.
    fs.writeFileSync(path.join(folder, 'package.json'), '{ "private": true }\n');
    const args = ['install', '--no-save', '--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund'];
    await run(`install Node ${version}`, 'npm', [...args, `${name}@${version}`], { cwd: folder, timeoutMs: 600_000 });
    if (!(await isVersion(binary, version))) {
      throw new StepError(`${name}@${version} was installed, but ${binary} does not answer as v${version}`);
    }
  }
  return { major, version, path: binary };
}

/** Installs what is missing and resolves to `[{ major, version, path }]`, oldest first. */
async function nodes() {
  const found = [];
  for (const node of wanted()) found.push(await install(node));
  return found;
}

module.exports = { nodes, packageName, wanted };

if (require.main === module) {
  nodes().then(
    (list) => list.forEach((node) => say(`${node.major}\t${node.version}\t${node.path}`)),
    (error) => {
      say(error.message);
      process.exitCode = 1;
    },
  );
}
