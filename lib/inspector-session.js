'use strict';

// One inspector session for this thread, for what V8 tells nobody else. It is opened when it is first needed and then stays: closing a
// session makes V8 number all objects anew, so that no later snapshot could be compared with an earlier one.

let session;

/** Asks V8 something and gives its answer at once. Throws where no session can be had (built without an inspector, refused by a policy). */
function ask(method, params) {
  session ??= connect();
  let failure;
  let answer;
  session.post(method, params, (error, result) => {
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
  const opened = new HeapwardenSession();
  opened.connect();
  return opened;
}

/** Asks V8 something that it answers by events as well: each of these, of `event`, is handed to `onEvent` before this returns. */
function askWithEvents(method, event, onEvent) {
  session ??= connect();
  const listener = ({ params }) => onEvent(params);
  session.on(event, listener);
  try {
    ask(method);
  } finally {
    session.off(event, listener);
  }
}

module.exports = { ask, askWithEvents };
