'use strict';

// The load on both services at once, each at the same bounded rate: forked, told { ports, seconds, rate } and answering with what came of it.

const { createRequire } = require('node:module');
const path = require('node:path');
const { REQUESTS } = require('../overhead/catalogue');

const autocannon = createRequire(path.join(__dirname, '..', '..', 'package.json'))('autocannon');

const CONNECTIONS = 4;

/** What each connection asks for, over and over; quotes are compared with the right ones. */
function requests(count) {
  const isRight = (answer) => (status, body) => {
    count.answered += 1;
    if (status !== 200 || (answer !== undefined && body !== answer)) count.wrong += 1;
  };
  return REQUESTS.api.flatMap(({ answer, ...request }, number) => [
    { ...request, onResponse: isRight(answer) },
    { method: 'GET', path: `/sessions/${number}`, onResponse: isRight() },
    { method: 'GET', path: `/events/${number}`, onResponse: isRight() },
    { method: 'GET', path: `/files/${number}`, onResponse: isRight() },
  ]);
}

async function cannon(port, seconds, rate) {
  const count = { answered: 0, wrong: 0 };
  const { errors } = await autocannon({
    url: `http://127.0.0.1:${port}`, connections: CONNECTIONS, duration: seconds, overallRate: rate, requests: requests(count),
  });
  return { ...count, failed: errors };
}

process.on('message', async ({ ports, seconds, rate }) => {
  process.send(await Promise.all(ports.map((port) => cannon(port, seconds, rate))));
});
process.on('disconnect', () => process.exit());
