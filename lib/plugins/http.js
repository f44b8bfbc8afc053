'use strict';

// The endpoints for plain `node:http`, and for whatever calls handlers as it does.

const { Endpoints } = require('./endpoints');

/**
 * A handler `(request, response, next)` of the routes below `prefix`. Gives whether the request was one of these; where it was not, `next`
 * is called if there is one, and nothing else is done. `handler.close()` undoes the mount.
 */
function heapwarden(options) {
  const endpoints = new Endpoints(options);
  const handler = (request, response, next) => {
    const { prefix } = endpoints;
    const url = request.url ?? '';
    const isBelow = url.startsWith(prefix) && ['/', '?', undefined].includes(url[prefix.length]);
    if (!isBelow) {
      next?.();
      return false;
    }
    endpoints.handle(request, response, url.slice(prefix.length));
    return true;
  };
  handler.close = () => endpoints.close();
  handler.monitor = endpoints.monitor;
  return handler;
}

module.exports = { heapwarden };
