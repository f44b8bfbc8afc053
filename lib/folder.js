'use strict';

const fs = require('node:fs');

/** Whether a place that somebody named is a folder. One that is not there, or cannot be looked at, is an error in words. */
function isFolder(place) {
  try {
    return fs.statSync(place).isDirectory();
  } catch (error) {
    throw new Error(`cannot open ${place}: ${error.code === 'ENOENT' ? 'No such file or directory' : error.message}`, { cause: error });
  }
}

module.exports = { isFolder };
