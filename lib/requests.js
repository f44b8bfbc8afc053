'use strict';

// Counts the requests that reach this thread's HTTP servers, while a monitor runs.

const { requestChannels } = require('./request-channels');

let users = 0;
const counts = new Float64Array(1);

/** Called by Node for each request. */
function onRequest() {
  counts[0] += 1;
  requestChannels.hear();
}

const listener = {
  // Node tells the first of HTTP/1 requests, since 18, and the second of HTTP/2 streams, where it has that channel.
  channels: { 'http.server.request.start': onRequest, 'http2.server.stream.start': onRequest },
  counts,
};

const requests = {
  /** How many there were while anybody counted: about so many where there are more than ten thousand a second. */
  get count() {
    requestChannels.settle();
    return counts[0];
  },

  /** Begins to count, for somebody who reads the count each `intervalMs`. Each call wants a `stop` of its own, with the same. */
  start(intervalMs = Infinity) {
    users += 1;
    requestChannels.addReader(intervalMs);
    if (users === 1) requestChannels.add(listener);
  },

  stop(intervalMs = Infinity) {
    users -= 1;
    requestChannels.removeReader(intervalMs);
    if (users === 0) requestChannels.remove(listener);
  },
};

module.exports = { requests };
