'use strict';

// Batch jobs that find their state again by a global name.

const { createServer } = require('node:http');
const { request } = require('undici');
const { drive, listening } = require('../../drive.js');

class JobState { // <-- leak
  constructor(id) { // <-- leak
    this.id = id;
    this.steps = Array.from({ length: 30 }, (_, n) => ({ n, done: false }));
  }

  run() {
    for (const step of this.steps) step.done = true;
    return this.steps.length;
  }
}

const server = createServer((req, res) => {
  const name = `job_${req.url.slice(1)}`;
  global[name] ??= new JobState(name); // <-- leak
  res.end(String(global[name].run()));
});

drive({
  units: 40,
  async start() {
    return `http://127.0.0.1:${await listening(server.listen(0, '127.0.0.1'))}`;
  },
  async unit(i, base) {
    const { body } = await request(`${base}/${i}`);
    if (await body.text() !== '30') throw new Error('a job was cut short');
  },
});
