// An API whose handlers find the trace of their request through a global.

import fastify from 'fastify';
import drivers from '../../drive.js';

const { client, drive } = drivers;

class Trace {
  constructor(id) {
    this.id = id;
    this.spans = [];
  }

  span(name) {
    this.spans.push({ name, at: performance.now(), attributes: { id: this.id, name } });
  }
}

globalThis.__traces = new Map();

const app = fastify();
app.addHook('onRequest', async (request) => {
  globalThis.__traces.set(request.id, new Trace(request.id));
});
app.addHook('onResponse', async (request) => {
  globalThis.__traces.delete(request.id);
});
app.get('/items/:id', async (request) => {
  const trace = globalThis.__traces.get(request.id);
  for (const step of ['auth', 'load', 'price', 'stock', 'render']) trace.span(step);
  return { steps: trace.spans.length };
});

await drive({
  units: 50,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client(app.server.address().port);
  },
  async unit(i, get) {
    const { status } = await get(`/items/${i % 30}`);
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
