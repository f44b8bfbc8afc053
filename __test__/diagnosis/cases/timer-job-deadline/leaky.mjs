// A converter: a job that is not done in a day is given up.

import fastify from 'fastify';
import drivers from '../../drive.js';

const { client, drive, sleep } = drivers;
const DAY_MS = 86_400_000;
let expired = 0;

class Job { // <-- leak
  constructor(id) { // <-- leak
    this.id = id;
    this.state = 'running';
    this.pages = Array.from({ length: 60 }, (_, n) => ({ n, text: `page ${n} of ${id}` }));
  }

  expire() {
    if (this.state === 'running') expired += 1;
    this.state = 'expired';
  }
}

async function convert(id) {
  const job = new Job(id);
  const deadline = setTimeout(() => job.expire(), DAY_MS); // <-- leak
  await sleep(1);
  job.state = deadline.hasRef() ? 'done' : 'expired';
  return job.pages.length;
}

const app = fastify();
app.post('/jobs/:id', async (request) => ({ pages: await convert(request.params.id), expired }));

await drive({
  units: 40,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client(app.server.address().port);
  },
  async unit(i, get) {
    const { status } = await get(`/jobs/${i}`, { method: 'POST' });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
