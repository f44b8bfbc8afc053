'use strict';

// Source maps of code that a test runner has compiled in memory: it goes by the name of the source, and has its map inside.

const { fileURLToPath } = require('node:url');
const { ask, askWithEvents } = require('../inspector-session');

/**
 * The `data:` URLs that the loaded code of `files` names as its source map: a Map by file. V8 tells of all scripts for that, which takes it some
 * milliseconds per hundred. Never throws; without an inspector nothing is known.
 */
function loadedMaps(files) {
  const wanted = new Set(files.filter((file) => !/[\\/]node_modules[\\/]/.test(file)));
  const maps = new Map();
  if (wanted.size === 0) return maps;
  try {
    // A file that was loaded more than once: what was loaded last, which has the highest number.
    const latest = new Map();
    askWithEvents('Debugger.enable', 'Debugger.scriptParsed', ({ scriptId, url, sourceMapURL }) => {
      const file = url.startsWith('file:') ? pathOf(url) : url;
      const id = Number(scriptId);
      if (!wanted.has(file) || id < (latest.get(file) ?? 0)) return;
      latest.set(file, id);
      if (sourceMapURL?.startsWith('data:')) maps.set(file, sourceMapURL);
      else maps.delete(file);
    });
    ask('Debugger.disable');
  } catch {
    // Built without an inspector, or refused by a policy: lines are those of what was made of the file.
  }
  return maps;
}

function pathOf(url) {
  try {
    return fileURLToPath(url);
  } catch {
    return url;
  }
}

module.exports = { loadedMaps };
