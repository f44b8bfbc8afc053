'use strict';

// The npm package that a file belongs to.

const fs = require('node:fs');
const path = require('node:path');

/** A longer package.json is not one. */
const MOST_BYTES = 1024 * 1024;
/** How far above a file its package.json may be. */
const MOST_LEVELS = 32;
const MARK = `${path.sep}node_modules${path.sep}`;

/** Finds packages, and remembers them for as long as it is kept: one for each report. */
class Packages {
  /** Folder to the promise of what is said of it. */
  #folders = new Map();

  /**
   * `{ name, version }` of the package in `node_modules` that has `file`; undefined for the program's own files. The nearest package.json
   * with both counts: some packages have others inside that only say how their files are to be read.
   */
  async of(file) {
    const at = path.isAbsolute(file) ? file.lastIndexOf(MARK) : -1;
    if (at < 0) return undefined;
    const top = at + MARK.length - 1;
    let folder = path.dirname(file);
    for (let level = 0; level < MOST_LEVELS && folder.length > top; level++) {
      const found = await this.in(folder);
      if (found) return found;
      folder = path.dirname(folder);
    }
    return undefined;
  }

  /** The package `name` as `file` would get it by `require(name)`: in the nearest `node_modules` above. */
  async installed(name, file) {
    if (!path.isAbsolute(file)) return undefined;
    let folder = path.dirname(file);
    for (let level = 0; level < MOST_LEVELS; level++) {
      const found = await this.in(path.join(folder, 'node_modules', ...name.split('/')));
      if (found?.name === name) return found;
      const above = path.dirname(folder);
      if (above === folder) return undefined;
      folder = above;
    }
    return undefined;
  }

  /** What the package.json in `folder` says. */
  in(folder) {
    let found = this.#folders.get(folder);
    if (!found) this.#folders.set(folder, (found = read(path.join(folder, 'package.json'))));
    return found;
  }
}

async function read(file) {
  try {
    const stat = await fs.promises.stat(file);
    if (!stat.isFile() || stat.size > MOST_BYTES) return undefined;
    const { name, version } = JSON.parse(await fs.promises.readFile(file, 'utf8'));
    return isName(name) && isName(version) ? { name, version } : undefined;
  } catch {
    // There is none, or none that can be read: the folder above is asked.
    return undefined;
  }
}

/** No spaces, no control characters: both are shown. */
function isName(text) {
  return typeof text === 'string' && /^[\x21-\x7e]{1,214}$/.test(text);
}

module.exports = { Packages };
