'use strict';

const v8 = require('node:v8');
const { HeapwardenError } = require('./errors');

const OLDEST_NODE = 18;

/** The native half. A failure to load it says which of the causes it was, and the cure. */
function load() {
  // Said before anything that an older Node cannot even read.
  if (Number(process.versions.node.split('.')[0]) < OLDEST_NODE) {
    throw new HeapwardenError('HEAPWARDEN_ERR_LOAD', `heapwarden needs Node ${OLDEST_NODE} or later; this is Node ${process.version}.`);
  }
  // V8 ends the process that has a native object in the snapshot that it is to write.
  // eslint-disable-next-line n/no-unsupported-features/node-builtins
  if (v8.startupSnapshot?.isBuildingSnapshot?.()) {
    throw new HeapwardenError('HEAPWARDEN_ERR_LOAD', 'The native part of heapwarden cannot be in a startup snapshot: load it when the snapshot is started, ' +
      'in the function given to v8.startupSnapshot.setDeserializeMainFunction() or by --require heapwarden/register.');
  }
  const { broken } = require('./addon-file');
  // The system does not refuse a library that was cut short: it maps it, and the process dies of the first page that is not there.
  const cut = broken();
  if (cut !== undefined) throw failure(new Error(`${cut.file}: ${cut.what}`), __filename);
  let binding;
  try {
    binding = require('../native.js');
  } catch (error) {
    throw failure(error, __filename);
  }
  // What the glue expects and the binary does not have is there, and undefined.
  const missing = Object.keys(binding).filter((name) => binding[name] === undefined);
  if (missing.length > 0) throw failure(new Error(`the binary has no ${missing.join(', ')}: it is of another version`), __filename);
  return binding;
}

function failure(error, loadedAs) {
  const { explain } = require('./load-failure');
  return new HeapwardenError('HEAPWARDEN_ERR_LOAD', explain(error, loadedAs), { cause: error });
}

module.exports = load();
