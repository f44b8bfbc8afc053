import type { MemoryMonitor } from 'heapwarden';

/** The part of OpenTelemetry's `Meter` that is used; one of `@opentelemetry/api` fits. */
export interface MetricsMeter {
  createHistogram(name: string, options?: any): any;
  createObservableGauge(name: string, options?: any): any;
  createObservableCounter(name: string, options?: any): any;
  createObservableUpDownCounter(name: string, options?: any): any;
  addBatchObservableCallback(callback: any, observables: any[]): void;
  removeBatchObservableCallback(callback: any, observables: any[]): void;
}

/** Settings of {@link observeMetrics}. */
export interface ObserveOptions {
  /** Default: the global provider's meter `heapwarden`, for which `@opentelemetry/api` has to be installed. */
  meter?: MetricsMeter;
  /** Default: the oldest monitor that runs in this thread. */
  monitor?: MemoryMonitor;
  /** Whether each collection is recorded in `v8js.gc.duration`, for which Node calls after it. Default: true. */
  gcDurations?: boolean;
}

/** Observes all metrics until `shutdown()`. Throws `HEAPWARDEN_ERR_NO_MONITOR` where no monitor is given and none runs. */
export function observeMetrics(options?: ObserveOptions): { shutdown(): void };

/**
 * Sets the attribute `heapwarden.heap.used` on a span: bytes of used heap as the request leaves it. For
 * `new HttpInstrumentation({ applyCustomAttributesOnSpan: heapOnSpan })`.
 */
export function heapOnSpan(span: { isRecording(): boolean; setAttribute(key: string, value: any): any }): void;
