// A rate limiter of one's own.

import fastify from 'fastify';
import { client, drive } from '../../drive.js';

class Hit {
  count = 0;
  readonly paths: string[] = [];
  readonly key: string;

  constructor(key: string) {
    this.key = key;
  }
}

class RateLimiter {
  private hits: Record<string, Hit> = {};
  private windowEnds = 0;

  allows(key: string, path: string): boolean {
    if (Date.now() > this.windowEnds) {
      this.hits = {};
      this.windowEnds = Date.now() + 200;
    }
    const hit = (this.hits[key] ??= new Hit(key));
    hit.count += 1;
    hit.paths.push(path);
    return hit.count < 100;
  }
}

const limiter = new RateLimiter();
const app = fastify();
app.addHook('onRequest', async (request, reply) => {
  const key = String(request.headers['x-client']);
  if (!limiter.allows(key, request.url)) await reply.code(429).send();
});
app.get('/items/:id', async (request) => ({ path: request.url }));

drive({
  units: 60,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client((app.server.address() as { port: number }).port);
  },
  async unit(i: number, send: ReturnType<typeof client>) {
    const { status } = await send(`/items/${i % 40}`, { headers: { 'x-client': `client-${i}` } });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
