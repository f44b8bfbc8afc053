'use strict';

// `app.use('/_heap', heapwarden({ token }))`, Express 4 and 5. It needs nothing of Express but that a mount is taken off `request.url`.

const { Endpoints } = require('./endpoints');

/** A middleware that answers whatever is below its mount. `middleware.close()` undoes it. */
function heapwarden(options) {
  const endpoints = new Endpoints(options);
  const middleware = (request, response) => { endpoints.handle(request, response, request.url ?? ''); };
  middleware.close = () => endpoints.close();
  middleware.monitor = endpoints.monitor;
  return middleware;
}

module.exports = { heapwarden };
