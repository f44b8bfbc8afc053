// A meter: who subscribes late is shown the readings that he missed.

import fastify from 'fastify';
import { ReplaySubject } from 'rxjs';
import drivers from '../../drive.js';

const { client, drive } = drivers;

class Reading { // <-- leak
  constructor(meter, value) { // <-- leak
    this.meter = meter;
    this.value = value;
    this.quarters = new Array(96).fill(value);
  }
}

const readings = new ReplaySubject(); // <-- leak
let last;
readings.subscribe((reading) => {
  last = reading;
});

const app = fastify();
app.post('/meters/:meter', async (request) => {
  readings.next(new Reading(request.params.meter, request.id.length)); // <-- leak
  return { value: last.value };
});

await drive({
  units: 40,
  async start() {
    await app.listen({ port: 0, host: '127.0.0.1' });
    return client(app.server.address().port);
  },
  async unit(i, get) {
    const { status } = await get(`/meters/${i % 25}`, { method: 'POST' });
    if (status !== 200) throw new Error(`status ${status}`);
  },
});
