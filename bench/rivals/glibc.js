'use strict';

// A newer C library than the machine's, for a rival's binary that wants one: Debian's packages, unpacked into a folder and
// used by that binary alone. Through apt, with lists of its own; the machine's are left as they are.

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

const CACHE = path.resolve(__dirname, '..', '..', '.cache', 'bench', 'glibc');
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const SUITE = 'trixie';
const PACKAGES = ['libc6', 'libgcc-s1'];

/** apt's answer, or an error that says what was tried. */
function apt(tool, args, options = {}) {
  try {
    return execFileSync(tool, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'], ...options });
  } catch (error) {
    const said = String(error.stderr ?? error.message).trim().split('\n').pop();
    throw new Error(`${tool} ${args.at(-1)} failed: ${said}`, { cause: error });
  }
}

/** The loader and the folder of libraries, fetched once. Throws where there is no apt or no Debian mirror. */
function newerGlibc() {
  const root = path.join(CACHE, 'root');
  const libraries = path.join(root, 'usr', 'lib', 'x86_64-linux-gnu');
  const loader = path.join(libraries, 'ld-linux-x86-64.so.2');
  if (fs.existsSync(loader)) return { loader, libraries };
  const targets = apt('apt-get', ['indextargets', '--format', '$(REPO_URI)', 'Component: main', 'Identifier: Packages', 'Label: Debian']);
  const mirror = targets.trim().split('\n')[0];
  if (!mirror) throw new Error('no Debian mirror among the sources of apt');
  fs.rmSync(CACHE, { recursive: true, force: true });
  for (const folder of ['lists/partial', 'cache/archives/partial', 'root']) fs.mkdirSync(path.join(CACHE, folder), { recursive: true });
  const list = path.join(CACHE, 'sources.list');
  fs.writeFileSync(list, `deb [signed-by=${KEYRING}] ${mirror} ${SUITE} main\n`);
  const own = [
    `Dir::Etc::sourcelist=${list}`, 'Dir::Etc::sourceparts=-', `Dir::State::lists=${CACHE}/lists`, `Dir::Cache=${CACHE}/cache`,
    'APT::Sandbox::User=root',
  ].flatMap((option) => ['-o', option]);
  apt('apt-get', [...own, 'update']);
  apt('apt-get', [...own, 'download', ...PACKAGES], { cwd: CACHE });
  for (const name of fs.readdirSync(CACHE).filter((entry) => entry.endsWith('.deb'))) apt('dpkg-deb', ['-x', path.join(CACHE, name), root]);
  if (!fs.existsSync(loader)) throw new Error(`no loader in the packages ${PACKAGES.join(', ')} of ${SUITE}`);
  return { loader, libraries };
}

module.exports = { newerGlibc };
