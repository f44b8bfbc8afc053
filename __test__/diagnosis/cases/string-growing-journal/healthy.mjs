// An API with a journal that is shown on request.

import fastify from 'fastify';
import drivers from '../../drive.js';

const { client, drive } = drivers;
let journal = '';

const app = fastify();
app.addHook('onResponse', async (request, reply) => {
  journal += `${new Date().toISOString()} ${request.method} ${request.url} ${reply.statusCode} ${'-'.repeat(300)}\n`;
  if (journal.length > 40_000) journal = journal.slice(-20_000);
});
app.get('/items/:id', async (request) => ({ id: request.params.id }));
app.get('/journal', async () => journal);

await drive({
  units: 60,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client(app.server.address().port);
  },
  async unit(i, get) {
    const { status } = await get(`/items/${i % 30}`);
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
