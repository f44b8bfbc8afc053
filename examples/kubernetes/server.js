'use strict';

// The other half of deployment.yaml: probes that tell of memory in time, and an end that says what it has to.

const express = require('express');
const { heapwarden } = require('heapwarden/express');

const app = express();
const endpoints = heapwarden({ token: process.env.HEAPWARDEN_TOKEN });
app.use('/_heap', endpoints);

let isDraining = false;
app.get('/live', (request, response) => response.end('alive'));
app.get('/ready', (request, response) => response.status(isDraining ? 503 : 200).end());

const server = app.listen(Number(process.env.PORT ?? 3000), () => {
  console.log(`listening on ${server.address().port}`);
});

let isEnding = false;
/** Finishes what is under way, sends alerts that wait, and ends. */
function end() {
  if (isEnding) return;
  isEnding = true;
  isDraining = true;
  server.close(async () => {
    await endpoints.monitor.flush(2000);
    process.exit();
  });
  server.closeIdleConnections();
}

// preStop has waited until nothing is sent here any more.
process.once('SIGTERM', end);
// Memory is nearly gone: no more work, but the report is still being made, by a clone that would end with this process.
endpoints.monitor.on('oom-risk', () => { isDraining = true; });
for (const event of ['heap-limit', 'container-limit']) endpoints.monitor.once(event, end);
