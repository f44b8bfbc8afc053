// The subpaths for metrics, and the channels, used as a TypeScript program uses them.

import { createServer } from 'node:http';
import { metrics } from '@opentelemetry/api';
import { register } from 'prom-client';
import { MemoryMonitor, nameRoute, type Alert, type AlertChannel, type MonitorMetrics, type MonitorOptions, type RouteNote } from 'heapwarden';
import { CONTENT_TYPES, registerMetrics, renderMetrics, type RenderedMetrics } from 'heapwarden/prometheus';
import { heapOnSpan, observeMetrics } from 'heapwarden/otel';

const webhook: AlertChannel = { type: 'webhook', url: 'https://example.com/hook', format: 'slack', events: ['leak'], maxAttempts: 3 };
const options: MonitorOptions = {
  routes: true, service: 'shop', flushMs: 500,
  channels: ['event', webhook, { type: 'log', logger: console }, { type: 'file', path: 'alerts.jsonl' }, { type: 'otlp', url: 'http://127.0.0.1:4318' }],
};
// @ts-expect-error: no such channel
const wrong: AlertChannel = { type: 'pigeon' };
// @ts-expect-error: an address is wanted
const nowhere: AlertChannel = { type: 'webhook' };

const monitor = new MemoryMonitor(options);
monitor.on('alert', (alert: Alert) => [alert.fingerprint, alert.leak?.culprits[0]?.holder?.name]);
const figures: MonitorMetrics = monitor.metrics();
const taken: number = figures.captures.counts.clone.taken + figures.gc.major.pauseMs + figures.own.bytes;
const routes: RouteNote = monitor.routes();
const per: number | undefined = routes.leak?.intervalBytesPerRequest[0];
const flushed: Promise<boolean> = monitor.flush(100);

const { contentType, text }: RenderedMetrics = renderMetrics({ monitor, accept: 'text/plain' });
const { unregister } = registerMetrics({ registry: register, monitor });
const observer = observeMetrics({ monitor, meter: metrics.getMeter('app'), gcDurations: false });
observeMetrics().shutdown();
heapOnSpan({ isRecording: () => true, setAttribute() {} });
// @ts-expect-error: not one of the formats
renderMetrics({ format: 'xml' });

createServer((request, response) => {
  nameRoute(request, '/users/:id');
  response.setHeader('content-type', CONTENT_TYPES.prometheus).end(text);
});

export { contentType, flushed, nowhere, observer, per, taken, unregister, wrong };
