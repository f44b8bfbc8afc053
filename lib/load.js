'use strict';

const { HeapwardenError } = require('./errors');

/** The native half. A failure to load it tells the causes that fit this platform, and their cures. */
function load() {
  try {
    return require('../native.js');
  } catch (error) {
    throw new HeapwardenError('HEAPWARDEN_ERR_LOAD', [
      `The native part of heapwarden could not be loaded for ${process.platform}-${process.arch}, Node ${process.version}.`,
      ...cures().map((cure) => `  - ${cure}`),
      `What the system said: ${error.message}`,
    ].join('\n'), { cause: error });
  }
}

function cures() {
  const list = [
    'Installed on another platform and copied here (a Docker layer, a CI cache)? Remove node_modules and install again here.',
    'Optional dependencies left out (--omit=optional, --no-optional)? Install with them: the binary is one.',
  ];
  if (process.platform === 'linux') {
    list.push('An Alpine image needs the musl binary, other distributions the glibc one: install inside the image that runs.');
  }
  list.push('No binary for this platform? Build it: npm run build (needs Rust, https://rustup.rs).');
  return list;
}

module.exports = load();
