'use strict';

/** An error of Heapwarden's: `code` is `HEAPWARDEN_ERR_<KIND>`, `offset` the byte at which an input went wrong. */
class HeapwardenError extends Error {
  constructor(code, message, { offset, cause } = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'HeapwardenError';
    this.code = code;
    if (offset !== undefined && offset !== null) this.offset = offset;
  }
}

const MARK = 'heapwarden:';

/** The error that an exception of the native half stands for; any other error as it is. */
function fromNative(error) {
  if (typeof error?.message !== 'string' || !error.message.startsWith(MARK)) return error;
  return fromJson(JSON.parse(error.message.slice(MARK.length)));
}

/** The error that the native half describes. */
function fromJson({ code, message, offset }) {
  return new HeapwardenError(code, message, { offset });
}

/** Calls `fn` and gives its errors their codes. */
function translated(fn) {
  try {
    return fn();
  } catch (error) {
    throw fromNative(error);
  }
}

/** The same for a promise. */
function translatedAsync(promise) {
  return promise.catch((error) => {
    throw fromNative(error);
  });
}

/** An option's error, in one voice: what was expected and what was found. */
function invalidArg(name, expected, found) {
  return new HeapwardenError('HEAPWARDEN_ERR_INVALID_ARG', `${name}: expected ${expected}, found ${describe(found)}`);
}

/** The error of what this platform or runtime does not have. */
function unsupported(what, why) {
  return new HeapwardenError('HEAPWARDEN_ERR_UNSUPPORTED', `${what} is not available here: ${why}`);
}

function describe(value) {
  if (value === null) return 'null';
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' || typeof value === 'boolean' || value === undefined) return String(value);
  if (typeof value === 'symbol') return value.description === 'hidden' ? 'something else, which is not shown: it may be a secret' : 'a symbol';
  if (typeof value === 'function') return 'a function';
  return Array.isArray(value) ? 'an array' : `a value of type ${typeof value}`;
}

module.exports = { HeapwardenError, fromNative, fromJson, translated, translatedAsync, invalidArg, unsupported };
