'use strict';

// Node's permission model (`--permission`) binds JavaScript; native code that `--allow-addons` lets in could open what it likes. What it is to
// open for a program is asked for here first: who allows an add-on has not allowed every file.

const path = require('node:path');
const { HeapwardenError } = require('./errors');

/** Whether the permission model lets this thread use `place`; always, where there is none. */
function allows(scope, place) {
  // eslint-disable-next-line n/no-unsupported-features/node-builtins
  const { permission } = process;
  return typeof permission?.has !== 'function' || permission.has(scope, path.resolve(place));
}

function refusal(scope, place, what) {
  if (allows(scope, place)) return undefined;
  const resolved = path.resolve(place);
  return new HeapwardenError('HEAPWARDEN_ERR_PERMISSION',
    `${what} ${resolved}: expected Node's permission model to allow it, found that it does not; start with --allow-${scope.replace('.', '-')}=${resolved}`);
}

/** Throws where the permission model does not let `file` be written. */
function assertWritable(file) {
  const error = refusal('fs.write', file, 'cannot write');
  if (error) throw error;
}

/** Throws where the permission model does not let `file` be read. */
function assertReadable(file) {
  const error = refusal('fs.read', file, 'cannot read');
  if (error) throw error;
}

/**
 * The options of a monitor without whatever writes into its directory, where the permission model does not allow that; with `problem`, the error
 * that says so.
 */
function withinPermissions(options) {
  const { allocationSites, blackBox, directory, evidence, heapLimit } = options;
  const writes = blackBox || heapLimit || evidence === 'snapshot' || allocationSites?.files;
  // A name in it: that the folder itself may be made says nothing of files.
  if (!writes || allows('fs.write', path.join(directory, 'heapwarden'))) return { options, problem: undefined };
  const place = path.join(path.resolve(directory), '*');
  const problem = new HeapwardenError('HEAPWARDEN_ERR_PERMISSION',
    'nothing is written, no recording, no report and no snapshot: expected Node\'s permission model to allow files in ' +
    `${path.resolve(directory)}, found that it does not; start with --allow-fs-write=${place}`);
  return {
    problem,
    options: {
      ...options,
      blackBox: undefined, heapLimit: undefined, postmortem: false,
      evidence: evidence === 'snapshot' ? 'summary' : evidence,
      allocationSites: allocationSites && { ...allocationSites, files: false },
    },
  };
}

module.exports = { assertReadable, assertWritable, withinPermissions };
