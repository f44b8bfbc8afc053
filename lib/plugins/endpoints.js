'use strict';

// The routes, for any framework: what is asked by path and query, and what is answered. Nothing of a request is ever a file's name.

const { threadId } = require('node:worker_threads');
const { endpointOptions, environmentOptions, redactionLevel } = require('../options');
const { auditListeners } = require('../listeners');
const { renderMetrics } = require('../metrics/prometheus');
const { MemoryMonitor } = require('../monitor');
const { redactReport } = require('../redact');
const { borrow } = require('../running');
const { captureSummary } = require('../snapshot');
const { HttpError, empty, failed, json, text } = require('./answer');
const { Gate } = require('./auth');
const { sendSnapshot } = require('./download');
const { Bucket } = require('./limits');

/** Longer addresses are none of ours. */
const MOST_URL = 2048;

/** Whether a capture for a client is under way or on its way to one: one at a time in a thread, whatever is mounted how often. */
let isCapturing = false;

/** By path: what answers, and whether it looks at the heap. */
const ROUTES = {
  __proto__: null,
  '/status': { answer: status },
  '/samples': { answer: ({ monitor }, _, response) => json(response, monitor.report()) },
  '/report': { answer: report },
  '/metrics': { answer: metrics },
  '/summary': { answer: summary, captures: true },
  '/listeners': { answer: listeners, captures: true },
  '/snapshot': { answer: snapshot, captures: true },
};

/** The endpoints, mounted once. */
class Endpoints {
  #options;
  #gate;
  #captures;
  #monitor;
  #giveBack;
  #closed = false;
  /** Gives up what is under way. */
  #running = new Set();

  constructor(options) {
    this.#options = endpointOptions(options);
    this.#gate = new Gate(this.#options);
    delete this.#options.token;
    const { capturesPerMinute } = this.#options;
    this.#captures = new Bucket(capturesPerMinute, capturesPerMinute / 60);
    const given = this.#options.monitor;
    const lent = given ? { monitor: given, giveBack() {} } : borrow(() => new MemoryMonitor(environmentOptions()).start());
    this.#monitor = lent.monitor;
    this.#giveBack = lent.giveBack;
  }

  /** The path that the routes are below, where the framework does not take it off. */
  get prefix() {
    return this.#options.prefix;
  }

  /** The monitor that is told of. */
  get monitor() {
    return this.#monitor;
  }

  /** Gives up what is under way, and stops the monitor if it was started for this mount and no other has it. */
  close() {
    this.#closed = true;
    this.#running.forEach((aborter) => aborter.abort());
    this.#giveBack();
  }

  /** Answers a request for `url`, whose path begins below the mount. Never rejects. */
  async handle(request, response, url) {
    const aborter = new AbortController();
    const gone = () => aborter.abort();
    response.once('close', gone);
    response.on('error', gone);
    this.#running.add(aborter);
    try {
      await this.#answer(request, response, url, aborter.signal);
    } catch (error) {
      if (aborter.signal.aborted) response.destroy();
      else failed(response, error);
    } finally {
      this.#running.delete(aborter);
      response.off('close', gone);
    }
  }

  async #answer(request, response, url, signal) {
    const { status: refusal, retryAfter } = await this.#gate.check(request);
    // No body is read: whoever sends one is not heard to its end.
    const hasBody = request.headers['content-length'] > 0 || request.headers['transfer-encoding'] !== undefined;
    const closing = hasBody ? { Connection: 'close' } : {};
    if (refusal === 401) return empty(response, 401, { 'WWW-Authenticate': 'Bearer realm="heapwarden"', ...closing });
    if (refusal === 429) return empty(response, 429, { 'Retry-After': String(retryAfter), Connection: 'close' });
    const [path, query] = split(url);
    const route = ROUTES[path];
    if (route === undefined) throw new HttpError(404, 'HEAPWARDEN_ERR_NOT_FOUND', `expected one of ${Object.keys(ROUTES).join(' ')}`, closing);
    if (request.method !== 'GET') {
      throw new HttpError(405, 'HEAPWARDEN_ERR_METHOD', 'expected GET', { Allow: 'GET', ...closing });
    }
    if (this.#closed) throw new HttpError(503, 'HEAPWARDEN_ERR_CLOSED', 'the endpoints are being closed', { Connection: 'close' });
    const asked = { ...this.#options, monitor: this.#monitor, level: this.#level(query), query, signal };
    return route.captures ? this.#capture(route, asked, request, response) : route.answer(asked, request, response);
  }

  #level(query) {
    const level = query.get('level') ?? 'names';
    try {
      redactionLevel('level', level);
    } catch {
      throw new HttpError(400, 'HEAPWARDEN_ERR_INVALID_ARG', 'level: expected names, shape or full');
    }
    if (level === 'full' && !this.#options.allowFull) {
      throw new HttpError(403, 'HEAPWARDEN_ERR_FULL', 'level: full is for mounts with allowFull: true; expected names or shape');
    }
    return level;
  }

  /** Has one answered that looks at the heap: one at a time, and so many a minute. */
  async #capture(route, asked, request, response) {
    if (isCapturing) throw new HttpError(409, 'HEAPWARDEN_ERR_BUSY', 'a capture is under way', { 'Retry-After': '10' });
    const wait = this.#captures.take();
    if (wait > 0) throw new HttpError(429, 'HEAPWARDEN_ERR_RATE', 'too many captures', { 'Retry-After': String(wait) });
    isCapturing = true;
    try {
      await route.answer(asked, request, response);
    } finally {
      isCapturing = false;
    }
  }
}

/** Path and query. A path is only compared, never decoded or resolved. */
function split(url) {
  if (typeof url !== 'string' || url.length > MOST_URL) throw new HttpError(414, 'HEAPWARDEN_ERR_URL', `expected an address of at most ${MOST_URL} characters`);
  const at = url.indexOf('?');
  return at < 0 ? [url, new URLSearchParams()] : [url.slice(0, at), new URLSearchParams(url.slice(at + 1))];
}

function status({ monitor, level }, _, response) {
  json(response, {
    pid: process.pid,
    threadId,
    node: process.version,
    uptimeSeconds: Math.round(process.uptime()),
    verdict: redactReport(monitor.verdict(), level),
    sample: monitor.report().at(-1) ?? null,
    capturing: isCapturing,
    reportedAt: monitor.leakReport?.()?.reportedAt ?? null,
  });
}

/** The newest LeakReport; no content where there is none. */
function report({ monitor, level }, _, response) {
  const newest = monitor.leakReport?.() ?? null;
  if (newest === null) empty(response, 204);
  else json(response, redactReport(newest, level));
}

async function summary({ level, mode, signal }, _, response) {
  const { summary: told, ...how } = await captureSummary({ redact: level, mode, signal });
  json(response, { redaction: level, ...how, summary: level === 'shape' ? withoutPlaces(told) : told });
}

async function listeners({ level, mode, signal }, _, response) {
  const audit = await auditListeners({ redact: level, mode, signal });
  json(response, { redaction: level, ...(level === 'shape' ? withoutPlaces(audit) : audit) });
}

/** Names of files are names as well. */
function withoutPlaces(value) {
  return JSON.parse(JSON.stringify(value, (key, inner) => (key === 'location' ? null : inner)));
}

function snapshot({ level, query, ...how }, request, response) {
  return sendSnapshot(request, response, { ...how, level, asFile: query.get('file') === 'gz' });
}

/** Our metrics as text; or what the mount's own `metrics` gives, of a registry that holds the application's as well. */
async function metrics({ metrics: render = ours, monitor }, request, response) {
  const told = await render(monitor, request);
  const { body, contentType } = typeof told === 'string' ? { body: told } : told;
  text(response, body, contentType ?? 'text/plain; version=0.0.4; charset=utf-8');
}

function ours(monitor, { headers: { accept } }) {
  const { text: body, contentType } = renderMetrics({ monitor, accept });
  return { body, contentType };
}

module.exports = { Endpoints };
