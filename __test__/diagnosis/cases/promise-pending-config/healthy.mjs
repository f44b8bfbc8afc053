// A site whose pages show what a remote configuration says, or the default after a moment.

import { EventEmitter } from 'node:events';
import fastify from 'fastify';
import drivers from '../../drive.js';

const { client, drive, sleep } = drivers;
const remote = new EventEmitter();
let config = {};
remote.once('config', (settings) => {
  config = settings;
});

const app = fastify();
app.get('/pages/:id', async (request) => {
  const page = { id: request.params.id, blocks: Array.from({ length: 60 }, (_, n) => ({ n, text: `block ${n}` })) };
  await sleep(2);
  return { ...page, ...config };
});

await drive({
  units: 40,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client(app.server.address().port);
  },
  async unit(i, get) {
    const { status } = await get(`/pages/${i}`);
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
