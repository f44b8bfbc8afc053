// A reverse proxy with a cache a page.

import { createServer } from 'node:http';
import { LRUCache } from 'lru-cache';
import drivers from '../../drive.js';

const { client, drive, listening } = drivers;
const caches = new Map();

function cacheFor(url) {
  let cache = caches.get(url);
  if (!cache) {
    cache = new LRUCache({ max: 50 });
    caches.set(url, cache);
  }
  return cache;
}

const server = createServer((req, res) => {
  const cache = cacheFor(req.url.split('?')[0]);
  const language = req.headers['accept-language'] ?? 'en';
  if (!cache.has(language)) cache.set(language, `page ${req.url} in ${language}`);
  res.end(cache.get(language));
});

await drive({
  units: 30,
  async start() {
    return client(await listening(server.listen(0, '127.0.0.1')));
  },
  async unit(i, get) {
    const { text } = await get(`/pages/${i % 20}?visit=${i}`);
    if (!text.startsWith('page')) throw new Error(text);
  },
});
