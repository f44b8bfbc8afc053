// A station that takes frames of samples and tells their peak.

import fastify from 'fastify';
import drivers from '../../drive.js';

const { client, drive } = drivers;

class Frame {
  constructor(sensor, bytes) {
    this.sensor = sensor;
    this.samples = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
  }

  peak() {
    return this.samples.reduce((most, sample) => Math.max(most, sample), 0);
  }
}

const history = [];
const app = fastify();
app.addContentTypeParser('application/octet-stream', { parseAs: 'buffer' }, async (request, body) => body);
app.post('/frames/:sensor', async (request) => {
  const frame = new Frame(request.params.sensor, request.body);
  history.push(frame);
  if (history.length > 20) history.shift();
  return { peak: frame.peak() };
});

const samples = Buffer.from(new Float32Array(4096).map((_, n) => Math.sin(n)).buffer);
const headers = { 'content-type': 'application/octet-stream' };

await drive({
  units: 20,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client(app.server.address().port);
  },
  async unit(i, get) {
    const { status } = await get(`/frames/${i % 16}`, { method: 'POST', headers, body: samples });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
