// A collector of reports: what was fetched so far is to be saved when the process is told to stop.

import { setMaxListeners } from 'node:events';
import { createServer } from 'node:http';
import { request } from 'undici';
import drivers from '../../drive.js';

const { drive, listening } = drivers;
const shutdown = new AbortController();
setMaxListeners(0, shutdown.signal);
const unfinished = [];

async function download(url) {
  const report = { url, rows: [] };
  shutdown.signal.addEventListener('abort', function saveProgress() { // <-- leak
    unfinished.push(report);
  });
  const { body } = await request(url);
  report.rows = await body.json();
  return report.rows.length;
}

const server = createServer((req, res) => {
  res.setHeader('content-type', 'application/json');
  res.end(JSON.stringify(Array.from({ length: 60 }, (_, n) => ({ n, path: req.url }))));
});

await drive({
  units: 40,
  async start() {
    return `http://127.0.0.1:${await listening(server.listen(0, '127.0.0.1'))}`;
  },
  async unit(i, base) {
    if (await download(`${base}/reports/${i % 30}`) !== 60) throw new Error('a short report');
  },
});
