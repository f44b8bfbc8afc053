'use strict';

// Counts the requests that reach this thread's HTTP servers, while a monitor runs.

// Called experimental by the first releases of 19 alone.
// eslint-disable-next-line n/no-unsupported-features/node-builtins
const { subscribe, unsubscribe } = require('node:diagnostics_channel');

/** Node tells the first of HTTP/1 requests, since 18, and the second of HTTP/2 streams, where it has that channel. */
const CHANNELS = ['http.server.request.start', 'http2.server.stream.start'];

let users = 0;
let count = 0;

/** The only cost of a request: it is called by Node for each. */
function onRequest() {
  count += 1;
}

const requests = {
  /** How many there were while anybody counted. */
  get count() {
    return count;
  },

  /** Begins to count. Each call wants a `stop` of its own. */
  start() {
    users += 1;
    if (users === 1) CHANNELS.forEach((name) => subscribe(name, onRequest));
  },

  stop() {
    users -= 1;
    if (users === 0) CHANNELS.forEach((name) => unsubscribe(name, onRequest));
  },
};

module.exports = { requests };
