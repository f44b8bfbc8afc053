'use strict';

// Prometheus and Alertmanager where the machine has none: Debian's (or Ubuntu's) packages, unpacked into a folder. Through apt, with lists of its
// own; nothing is installed, and the machine's lists are left as they are.

const { execFileSync, spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./steps');

const CACHE = path.join(ROOT, '.cache', 'prometheus');
const UNPACKED = path.join(CACHE, 'root');
const PACKAGES = ['prometheus', 'prometheus-alertmanager'];
/** Debian's Alertmanager reads it from there, wherever it was unpacked. */
const TEMPLATE = '/usr/share/prometheus/alertmanager/default.tmpl';

function apt(tool, args, options = {}) {
  execFileSync(tool, args, { stdio: ['ignore', 'ignore', 'pipe'], timeout: 300_000, ...options });
}

/** The folder of the programs, fetched once; undefined where there is no apt, or none that finds them. */
function fetchedPrograms() {
  const folder = path.join(UNPACKED, 'usr', 'bin');
  if (fs.existsSync(folder)) return folder;
  if (process.platform !== 'linux' || spawnSync('apt-get', ['--version']).status !== 0) return undefined;
  try {
    fs.rmSync(CACHE, { recursive: true, force: true });
    for (const name of ['lists/partial', 'cache/archives/partial', 'unpacking']) fs.mkdirSync(path.join(CACHE, name), { recursive: true });
    const own = [`Dir::State::lists=${CACHE}/lists`, `Dir::Cache=${CACHE}/cache`, 'APT::Sandbox::User=root'].flatMap((option) => ['-o', option]);
    apt('apt-get', [...own, 'update']);
    apt('apt-get', [...own, 'download', ...PACKAGES], { cwd: CACHE });
    const unpacking = path.join(CACHE, 'unpacking');
    for (const name of fs.readdirSync(CACHE).filter((entry) => entry.endsWith('.deb'))) apt('dpkg-deb', ['-x', path.join(CACHE, name), unpacking]);
    for (const name of ['lists', 'cache']) fs.rmSync(path.join(CACHE, name), { recursive: true });
    // A folder that has the name is whole.
    fs.renameSync(unpacking, UNPACKED);
    return folder;
  } catch {
    return undefined;
  }
}

/**
 * What has to stand before the command line of Alertmanager: nothing where its templates are in their place; what lays the unpacked ones there, for
 * that process alone; undefined where neither can be.
 */
function aroundAlertmanager() {
  if (fs.existsSync(TEMPLATE) || !fs.existsSync(path.join(UNPACKED, TEMPLATE))) return [];
  const share = path.join(UNPACKED, 'usr', 'share');
  const around = [
    'unshare', '--mount', ...(process.getuid() === 0 ? [] : ['--map-root-user']),
    'sh', '-c', `mount -t overlay -o "lowerdir=${share}:/usr/share" overlay /usr/share && exec "$@"`, 'sh',
  ];
  const [command, ...args] = around;
  return spawnSync(command, [...args, 'test', '-e', TEMPLATE]).status === 0 ? around : undefined;
}

module.exports = { aroundAlertmanager, fetchedPrograms };
