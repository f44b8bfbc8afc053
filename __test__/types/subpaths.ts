// The names of the subpaths, from each that has them.

import { heapwarden as express, type EndpointOptions as ExpressOptions, type MetricsText as ExpressText } from 'heapwarden/express';
import plugin = require('heapwarden/fastify');
import { type MetricsText } from 'heapwarden/http';
import { inspectLeaks, matchers, setup, type JestSetupOptions, type PerFileOptions } from 'heapwarden/jest';
import { observeMetrics, type MetricsMeter, type ObserveOptions } from 'heapwarden/otel';
import { registerMetrics, renderMetrics, type MetricsRegistry, type MetricsSource } from 'heapwarden/prometheus';
import { inspectLeaks as inspected } from 'heapwarden/testing';

const text: MetricsText & ExpressText = { body: '', contentType: 'text/plain' };
const options: ExpressOptions = { token: 'a', metrics: () => text };
express(options).close();

const mount: plugin.PluginOptions = { prefix: '/_heap', token: 'a' };
const mounted: Promise<void> = plugin.heapwarden({}, mount);
// @ts-expect-error: a path
const noPrefix: plugin.PluginOptions = { prefix: 5 };

const perFile: PerFileOptions = { report: 'warn', heapMB: 20 };
const jest: JestSetupOptions = { perFile };
setup(jest);
// @ts-expect-error: not one of the words
setup({ perFile: { report: 'loud' } });
matchers.toLeak(() => {}, { iterations: 10 }).then(({ pass }) => pass);

export function observed(meter: MetricsMeter, rest: ObserveOptions): Promise<void> | void {
  return observeMetrics({ ...rest, meter }).shutdown();
}

export function registered(registry: MetricsRegistry, source: MetricsSource): string {
  registerMetrics({ registry, ...source }).unregister();
  return renderMetrics(source).text;
}

export { inspectLeaks, inspected, mounted, noPrefix };
