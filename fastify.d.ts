import { EndpointOptions } from 'heapwarden/http';

/**
 * The endpoints as an encapsulated plugin: `fastify.register(require('heapwarden/fastify'), { prefix: '/_heap', token })`. Undone when the
 * server closes. `ready()` rejects with `HEAPWARDEN_ERR_NO_AUTH` where anybody could read them.
 */
// What Fastify hands a plugin is of a type that only Fastify's own declarations could name.
declare function heapwarden(fastify: any, options: heapwarden.PluginOptions): Promise<void>;

declare namespace heapwarden {
  export { heapwarden, heapwarden as default };
  /** As for the other frameworks. Fastify reads `prefix`. */
  export interface PluginOptions extends EndpointOptions {
    prefix?: string;
  }
}

export = heapwarden;
