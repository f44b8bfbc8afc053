'use strict';

// Small services as somebody might write them, with the README's lines pasted in. Each keeps a Session of every request.

const { readmeLines } = require('./readme');

const LEAK = `class Session {
  constructor(id) {
    this.id = id;
    this.lastSeen = new Date();
    this.history = new Array(400).fill(id);
  }
}
const sessionsByRequest = new Map();
let requests = 0;

/** The mistake: nothing is ever taken out. */
function remember(id) {
  sessionsByRequest.set(++requests, new Session(id));
  return { id, requests };
}
`;

const listening = "(address) => console.log(`listening on ${address.port}`)";

const express = () => `'use strict';

const express = require('express');

${LEAK}
const app = express();
${readmeLines('js', "require('heapwarden/express')")}
app.get('/users/:id', (request, response) => { response.json(remember(request.params.id)); });
const server = app.listen(0, '127.0.0.1', () => { (${listening})(server.address()); });
`;

const fastify = () => `'use strict';

const fastify = require('fastify')();

${LEAK}
${readmeLines('js', "require('heapwarden/fastify')")}
fastify.get('/users/:id', async (request) => remember(request.params.id));
fastify.listen({ port: 0, host: '127.0.0.1' }).then(() => { (${listening})(fastify.server.address()); });
`;

/** By name: what is installed beside the tarball, the newest there is, and the program. */
const APPS = {
  'express-4': { framework: 'express@4', program: express },
  'express-5': { framework: 'express@5', program: express },
  fastify: { framework: 'fastify@latest', program: fastify },
};

/** The arguments of the README's first command: what stands after `node`. */
function startArguments() {
  const command = readmeLines('sh', 'npm install heapwarden').split('\n').find((line) => line.startsWith('node '));
  if (!command?.endsWith(' server.js')) throw new Error(`README.md: expected a line "node ... server.js", found ${command}`);
  return command.split(' ').slice(1);
}

module.exports = { APPS, startArguments };
