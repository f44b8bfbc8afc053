'use strict';

// `fastify.register(require('heapwarden/fastify'), { prefix: '/_heap', token })`.

const { Endpoints } = require('./endpoints');

/** What Fastify itself reads in a plugin's options. */
const FASTIFYS = ['prefix', 'logLevel', 'logSerializers'];

/** An encapsulated plugin: its hook is for its own routes alone, and it is undone when the server closes. */
async function heapwarden(fastify, options) {
  const given = Object.fromEntries(Object.entries(options ?? {}).filter(([name]) => !FASTIFYS.includes(name)));
  const endpoints = new Endpoints(given);
  fastify.addHook('onClose', async () => endpoints.close());
  // Before a body is parsed, and with nothing of the application's hooks for answers: what is told is told by the endpoints alone.
  fastify.addHook('onRequest', (request, reply) => {
    reply.hijack();
    const { url } = request.raw;
    endpoints.handle(request.raw, reply.raw, url.startsWith(fastify.prefix) ? url.slice(fastify.prefix.length) : url);
  });
  const answered = () => {};
  for (const url of ['/', '/*']) fastify.all(url, answered);
}

module.exports = heapwarden;
module.exports.heapwarden = heapwarden;
module.exports.default = heapwarden;
