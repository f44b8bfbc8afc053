import type { MemoryMonitor } from 'heapwarden';

/** Where metrics come from. */
export interface MetricsSource {
  /** Default: the oldest monitor that runs in this thread. */
  monitor?: MemoryMonitor;
}

/** The part of prom-client's `Registry` that is used. */
export interface MetricsRegistry {
  registerMetric(metric: any): void;
  removeSingleMetric(name: string): void;
  getSingleMetric(name: string): any;
}

/** What a scrape is answered. */
export interface RenderedMetrics {
  contentType: string;
  text: string;
}

/** What the formats are called over HTTP. */
export const CONTENT_TYPES: Readonly<{ prometheus: string; openmetrics: string }>;

/**
 * The text of all metrics, without prom-client. `accept`: the header of the scrape, which decides where no `format` is given.
 *
 * Throws `HEAPWARDEN_ERR_NO_MONITOR` where none is given and none runs.
 */
export function renderMetrics(options?: MetricsSource & { format?: 'prometheus' | 'openmetrics'; accept?: string }): RenderedMetrics;

/** Adds the metrics to a registry of prom-client's (default: its global one). They are read when the registry is. */
export function registerMetrics(options?: MetricsSource & { registry?: MetricsRegistry }): { unregister(): void };
