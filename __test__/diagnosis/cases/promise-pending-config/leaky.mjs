// A site whose pages show what a remote configuration says, or the default after a moment.

import { EventEmitter } from 'node:events';
import fastify from 'fastify';
import drivers from '../../drive.js';

const { client, drive, sleep } = drivers;
const remote = new EventEmitter();
const config = new Promise((resolve) => { // <-- leak
  remote.once('config', resolve);
});

const app = fastify();
app.get('/pages/:id', async (request) => {
  const page = { id: request.params.id, blocks: Array.from({ length: 60 }, (_, n) => ({ n, text: `block ${n}` })) };
  const configured = config.then(function render(settings) { // <-- leak
    return { ...page, ...settings };
  });
  return Promise.race([configured, sleep(2).then(() => page)]);
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
