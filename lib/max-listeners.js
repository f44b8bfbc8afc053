'use strict';

// Node's own warning that an emitter has many listeners, for all auditors of this thread: one listener to `warning`, and only while
// an auditor runs.

const { constructorNameOf } = require('./listener-counts');

const NAME = 'MaxListenersExceededWarning';

/** Those who want to be told. */
const told = new Set();

function onWarning(warning) {
  const exceeded = read(warning);
  if (exceeded === undefined) return;
  // Each is told, whatever another one's listeners throw; the first thing thrown goes the way of any listener's.
  let thrown;
  for (const tell of [...told]) {
    try {
      tell(exceeded);
    } catch (error) {
      thrown ??= { error };
    }
  }
  if (thrown) throw thrown.error;
}

/** What the warning says; nothing for other ones, and for things that only look like it. */
function read(warning) {
  try {
    if (warning?.name !== NAME) return undefined;
    const { emitter, target = emitter, type, count } = warning;
    if (Object(target) !== target || !Number.isInteger(count)) return undefined;
    const stack = String(warning.stack);
    return { target, event: type, count, constructorName: constructorNameOf(target), stack, location: addedAt(stack) };
  } catch {
    return undefined;
  }
}

/** The first place in a stack that is not Node's own: the line that added a listener. */
function addedAt(stack) {
  for (const line of stack.split('\n')) {
    const [, file, row, column] = /^ +at (?:.* \()?(?:file:\/\/)?(.+?):(\d+):(\d+)\)?$/.exec(line) ?? [];
    if (file !== undefined && !/^(async )?node:/.test(file)) return { file: decoded(line, file), line: Number(row), column: Number(column) };
  }
  return null;
}

/** A module's URL as a path. */
function decoded(line, file) {
  if (!line.includes('file://')) return file;
  try {
    return decodeURIComponent(file);
  } catch {
    return file;
  }
}

const maxListeners = {
  /** Has `tell({ target, event, count, constructorName, stack, location })` called at each such warning. */
  subscribe(tell) {
    if (told.size === 0) process.on('warning', onWarning);
    told.add(tell);
  },

  unsubscribe(tell) {
    if (told.delete(tell) && told.size === 0) process.removeListener('warning', onWarning);
  },
};

module.exports = { maxListeners, addedAt };
