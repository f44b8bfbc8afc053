/// <reference types="node" />

import { IncomingMessage, ServerResponse } from 'node:http';
import { MemoryMonitor } from 'heapwarden';

/** Settings of the HTTP endpoints. One of `token`, `guard` and `HEAPWARDEN_TOKEN` is required. See docs/endpoints.md. */
export interface EndpointOptions {
  /** Who sends `Authorization: Bearer TOKEN` may ask. Default: `HEAPWARDEN_TOKEN`, unless there is a guard. */
  token?: string;
  /** Whether a request may pass: `true`, and nothing else, lets in. With a token as well, both are required. */
  guard?: (request: IncomingMessage) => boolean | Promise<boolean>;
  /** What is told of. Default: the monitor that runs in this thread; where none does, one is started. */
  monitor?: MemoryMonitor;
  /** Whether `?level=full` may be asked for: the heap's contents, unredacted. Default: false. */
  allowFull?: boolean;
  /** How often the heap may be looked at, from 1 to 600; so many at once, then one after the other. Default: 10. */
  capturesPerMinute?: number;
  /** How a snapshot is taken; see `SnapshotOptions`. Default: `auto`. */
  mode?: 'auto' | 'clone' | 'inline';
  /** Where a snapshot waits while it is downloaded. It has no name there. Default: the system's folder for temporary files. */
  directory?: string;
  /** How long a download may take. Default: 300 000. */
  downloadMs?: number;
  /** How long a client may take nothing before its download is cut. Default: 20 000. */
  stallMs?: number;
  /** Another text for `/metrics` than that of our own metrics: of a registry that has the application's as well. */
  metrics?: (monitor: MemoryMonitor, request: IncomingMessage) => MetricsText | Promise<MetricsText>;
}

/** The text of `/metrics`; alone it is sent as `text/plain; version=0.0.4`. */
export type MetricsText = string | { body: string; contentType?: string };

/** Answers what is below its prefix, and says whether it did. */
export interface EndpointHandler {
  (request: IncomingMessage, response: ServerResponse, next?: (error?: unknown) => void): boolean;
  /** Gives up what is under way, and stops the monitor if it was started for these endpoints. */
  close(): void;
  readonly monitor: MemoryMonitor;
}

/**
 * The endpoints for `node:http`. Without `prefix` the handler answers every request it is given.
 *
 * Throws `HEAPWARDEN_ERR_NO_AUTH` where anybody could read them.
 */
export function heapwarden(options?: EndpointOptions & { prefix?: string }): EndpointHandler;
