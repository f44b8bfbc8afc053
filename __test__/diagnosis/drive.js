'use strict';

// What the programs share: the loop that gives them work, and an HTTP client for their own servers.
//
// A program calls drive({ units, start, unit, width }): `start()` once, then `unit(i)` for each unit of work, `width` at a time. After each
// round of `units` it prints a JSON line, and rests until ROUND_MS have passed since the round began. It ends after ROUNDS rounds.

const http = require('node:http');

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

async function drive({ units, start, unit, width = 8 }) {
  const size = Number(process.env.ITER ?? units);
  const rounds = Number(process.env.ROUNDS ?? 240);
  const roundMs = Number(process.env.ROUND_MS ?? 250);
  const given = await start();
  let next = 0;
  for (let round = 0; round < rounds; round++) {
    const began = Date.now();
    const end = next + size;
    const work = async () => {
      while (next < end) await unit(next++, given);
    };
    await Promise.all(Array.from({ length: Math.min(width, size) }, work));
    process.stdout.write(`${JSON.stringify({ round, units: size })}\n`);
    await sleep(Math.max(1, roundMs - (Date.now() - began)));
  }
  process.exit(0);
}

/** A client of the server on `port`: gives the status and the text of an answer. */
function client(port, { timeoutMs = 10_000 } = {}) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 8 });
  return (path, { method = 'GET', headers = {}, body } = {}) => new Promise((resolve, reject) => {
    const request = http.request({ port, host: '127.0.0.1', path, method, headers, agent, timeout: timeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => { text += chunk; });
      response.on('end', () => resolve({ status: response.statusCode, text }));
      response.on('error', reject);
    });
    request.on('timeout', () => request.destroy(new Error(`no answer from ${path} in ${timeoutMs} ms`)));
    request.on('error', reject);
    request.end(body);
  });
}

/** The port of an HTTP server, once it listens. */
function listening(server) {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.once('listening', () => resolve(server.address().port));
  });
}

module.exports = { drive, client, listening, sleep };
