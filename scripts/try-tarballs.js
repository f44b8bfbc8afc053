'use strict';

// Installs the tarballs of this platform from a folder into a new project, as a stranger would, and uses them. Needs Node and npm, and nothing else
// of this repository: it runs in images that have no more.
//
//   node scripts/try-tarballs.js dist

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { fits } = require('./dist');
const { manifestOf } = require('./consumers/registry');
const { CJS, ESM } = require('./consumers/programs');

const folder = path.resolve(process.argv[2] ?? 'dist');
const tarballs = fs.readdirSync(folder).filter((name) => name.endsWith('.tgz')).map((name) => path.join(folder, name));
const here = tarballs.filter((tarball) => {
  const manifest = manifestOf(tarball);
  return manifest.os === undefined || fits(manifest);
});
if (here.length !== 2) throw new Error(`${folder}: expected the main package and one for this platform, found ${here.join(', ') || 'none'}`);

const app = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-try-')));
try {
  for (const [name, text] of [['package.json', '{ "private": true }'], ['app.cjs', CJS], ['app.mjs', ESM]]) fs.writeFileSync(path.join(app, name), text);
  const shell = process.platform === 'win32';
  execFileSync('npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund', ...here], { cwd: app, shell, stdio: 'inherit' });
  for (const program of ['app.cjs', 'app.mjs']) {
    const output = execFileSync(process.execPath, [program], { cwd: app, encoding: 'utf8' });
    if (!/^works$/m.test(output)) throw new Error(`${program}: ${output}`);
  }
  console.log(`${here.map((tarball) => path.basename(tarball)).join(', ')}: installed and used, on Node ${process.version}`);
} finally {
  fs.rmSync(app, { recursive: true, force: true });
}
