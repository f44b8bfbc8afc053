/// <reference types="node" />

import { IncomingMessage, ServerResponse } from 'node:http';
import { MemoryMonitor } from 'heapwarden';
import { EndpointOptions } from 'heapwarden/http';

export { EndpointOptions, MetricsText } from 'heapwarden/http';

/** Answers whatever is below its mount. */
export interface EndpointMiddleware {
  (request: IncomingMessage, response: ServerResponse, next?: (error?: any) => void): void;
  /** Gives up what is under way, and stops the monitor if it was started for these endpoints. */
  close(): void;
  readonly monitor: MemoryMonitor;
}

/**
 * The endpoints as a middleware of Express 4 or 5: `app.use('/_heap', heapwarden({ token }))`.
 *
 * Throws `HEAPWARDEN_ERR_NO_AUTH` where anybody could read them.
 */
export function heapwarden(options?: EndpointOptions): EndpointMiddleware;
