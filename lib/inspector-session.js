'use strict';

// One inspector session for this thread, for what V8 tells nobody else. It is opened when it is first needed and then stays: closing a
// session makes V8 number all objects anew, so that no later snapshot could be compared with an earlier one.

let post;

/** Asks V8 something and gives its answer at once. Throws where no session can be had (built without an inspector, refused by a policy). */
function ask(method, params) {
  post ??= connect();
  let failure;
  let answer;
  post(method, params, (error, result) => {
    failure = error;
    answer = result;
  });
  if (failure) throw failure;
  return answer;
}

function connect() {
  const { Session } = require('node:inspector');
  // It will be in every snapshot: under a name that says whose it is, and not among the program's own sessions. V8 calls the
  // prototype of a derived class by the name of the base, unless it has a tag.
  class HeapwardenSession extends Session {}
  Object.defineProperty(HeapwardenSession.prototype, Symbol.toStringTag, { value: HeapwardenSession.name });
  const session = new HeapwardenSession();
  session.connect();
  return session.post.bind(session);
}

module.exports = { ask };
