// Imports of CSV files: the name in the first line of those that were refused is shown to an operator.

import fastify from 'fastify';
import drivers from '../../drive.js';

const { client, drive } = drivers;

class Inbox {
  constructor() {
    this.rejected = [];
  }

  accept(text) {
    const [header, ...lines] = text.split('\n');
    if (lines.every((line) => line.includes(','))) return true;
    this.rejected.push(Buffer.from(header.slice(0, header.indexOf(','))).toString());
    if (this.rejected.length > 20) this.rejected.shift();
    return false;
  }
}

const inbox = new Inbox();
const app = fastify();
app.post('/imports', async (request) => ({ accepted: inbox.accept(request.body), rejected: inbox.rejected.length }));

const lines = Array.from({ length: 400 }, (_, n) => `row ${n},${n * 2},${'x'.repeat(60)}`);
const headers = { 'content-type': 'text/plain' };

await drive({
  units: 20,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client(app.server.address().port);
  },
  async unit(i, get) {
    const { text } = await get('/imports', { method: 'POST', headers, body: [`import number ${i} of today,value,note`, ...lines, 'broken'].join('\n') });
    if (!text.includes('"accepted":false')) throw new Error(text);
  },
});
