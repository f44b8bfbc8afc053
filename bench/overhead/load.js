'use strict';

// The load on one server: node load.js PORT APP SECONDS CONNECTIONS WARMUP PIPELINING [SCRAPE]. Tells over IPC when the measured part begins, and at its end
// what was answered. Every answer is compared with the one that it has to be.

const http = require('node:http');
const { performance } = require('node:perf_hooks');
const autocannon = require('autocannon');
const { REQUESTS } = require('./catalogue');

const SCRAPE_MS = 5000;
const [port, app, seconds, connections, warmup, pipelining, scrape] = process.argv.slice(2);

let wrong = 0;

/** What is asked, as autocannon takes it. Where there is one answer it compares it by itself, which costs the load's core less. */
function asked() {
  const [{ answer: only, ...first }, ...others] = REQUESTS[app];
  const url = `http://127.0.0.1:${port}`;
  if (others.length === 0) return { url: url + first.path, method: first.method, expectBody: only };
  const requests = REQUESTS[app].map(({ answer, ...request }) => ({
    ...request,
    onResponse(status, body) { if (status !== 200 || body !== answer) wrong += 1; },
  }));
  return { url, requests };
}

/** Asks for the metrics as a scraper would; counts those that are not there. */
function scraping({ path, headers, holds }) {
  const state = { scrapes: 0, missing: 0 };
  state.timer = setInterval(() => {
    http.get({ host: '127.0.0.1', port, path, headers, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => {
        state.scrapes += 1;
        if (response.statusCode !== 200 || !text.includes(holds)) state.missing += 1;
      });
    }).on('error', () => { state.missing += 1; });
  }, SCRAPE_MS);
  return state;
}

/** The value below which a share of `sorted` lies. */
const quantile = (sorted, share) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];

async function cannon(duration) {
  const times = [];
  const instance = autocannon({ ...asked(), connections: Number(connections), pipelining: Number(pipelining), duration });
  const since = performance.now();
  // Its own histogram has whole milliseconds.
  instance.on('response', (client, status, bytes, ms) => { times.push(ms); });
  const { errors, non2xx, mismatches } = await instance;
  wrong += mismatches;
  const elapsedMs = performance.now() - since;
  times.sort((a, b) => a - b);
  return { answered: times.length, elapsedMs, perSecond: times.length / (elapsedMs / 1000), p50Ms: quantile(times, 0.5), p99Ms: quantile(times, 0.99), failed: errors + non2xx };
}

async function main() {
  const scrapes = scrape ? scraping(JSON.parse(scrape)) : { scrapes: 0, missing: 0 };
  if (Number(warmup) > 0) await cannon(Number(warmup));
  process.send('measured from now');
  const result = await cannon(Number(seconds));
  clearInterval(scrapes.timer);
  process.send({ ...result, wrong, scrapes: scrapes.scrapes, scrapesMissing: scrapes.missing }, () => process.exit());
}

main();
