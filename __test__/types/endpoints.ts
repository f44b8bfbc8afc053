// The endpoints, as programs of each framework mount them.

import { createServer } from 'node:http';
import fastify from 'fastify';
import { MemoryMonitor, captureSummary, redactReport, writeSnapshot, type LeakReport, type RedactionLevel } from 'heapwarden';
import { heapwarden, type EndpointMiddleware } from 'heapwarden/express';
import plugin = require('heapwarden/fastify');
import { heapwarden as forHttp, type EndpointHandler, type EndpointOptions } from 'heapwarden/http';

const level: RedactionLevel = 'names';
const options: EndpointOptions = {
  token: 'secret', guard: async (request) => request.headers.host === 'a', monitor: new MemoryMonitor(), allowFull: true, capturesPerMinute: 3,
  mode: 'clone', directory: '/tmp', downloadMs: 1000, stallMs: 100, metrics: async () => ({ body: '', contentType: 'text/plain' }),
};
const handler: EndpointMiddleware = heapwarden(options);
const forAll: EndpointHandler = forHttp({ prefix: '/_heap', token: 'a' });
createServer((request, response) => { if (!forAll(request, response)) response.end(); });
handler.monitor.stop();
handler.close();

const app = fastify();
app.register(plugin, { prefix: '/_heap', token: 'secret' });
app.register(plugin.default, { guard: () => true });
// @ts-expect-error: a word that is none
app.register(plugin, { mode: 'some' });

const report: LeakReport | null = handler.monitor.leakReport();
const told: LeakReport | null = report && redactReport(report, level);
writeSnapshot({ redact: 'shape' });
captureSummary({ redact: level }).then(({ summary }) => summary.nodeCount);
// @ts-expect-error: no level
writeSnapshot({ redact: 'some' });
export { told };
