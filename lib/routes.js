'use strict';

// Counts the requests that this thread's HTTP servers have completed, by route: a counter each, and nothing kept of the request.

const { invalidArg } = require('./errors');
const { requestChannels } = require('./request-channels');

/** Routes that are told apart, as in the native half; what comes after them counts as one. */
const MOST_ROUTES = 64;
const OTHER = MOST_ROUTES;
/** Places at which one Express router is mounted, at most: more of them are parameters. */
const MOST_BASES = 16;
const MOST_NAME = 120;
const NO_ROUTE = '(no route)';

const kRoute = Symbol('heapwarden.route');
/** On a request that began while somebody listened, where not all are heard of. */
const kBegan = Symbol('heapwarden.began');
/** In place of a route: this one is counted. */
const COUNTED = 0;

const counts = new Float64Array(MOST_ROUTES + 1);
/** By number. */
const names = [];
/** Numbers by name. */
const numbers = new Map();
/** Numbers by method and pattern, as Fastify and `nameRoute` give them. */
const byPattern = new Map();
/** By Express route, of which there are as many as the program made: by method, the numbers by where its router is mounted. */
let byRoute = new WeakMap();
/** Servers that are Fastify's, where not all requests are heard of. */
let fastify = new WeakSet();
let users = 0;
/** Whether any request ever had `kRoute`: to look for what is not there costs more on Express's requests, with eight prototypes, than all else here. */
let isTold = false;

/** The number of a route, a new one where there is room. */
function numberOf(name) {
  const known = numbers.get(name);
  if (known !== undefined) return known;
  if (names.length === MOST_ROUTES) return OTHER;
  numbers.set(name, names.length);
  return names.push(name) - 1;
}

function nameOf(method, pattern) {
  return `${method} ${pattern}`.slice(0, MOST_NAME);
}

/** Where a router is mounted, what looks like a value of this request taken out: its place may have parameters, which Express does not tell. */
function withoutValues(base) {
  return base.split('/').map((part) => (/^v\d{1,3}$/i.test(part) || (part.length <= 24 && !/[\d%@]/.test(part)) ? part : ':value')).join('/');
}

function ofPattern(method, pattern) {
  let patterns = byPattern.get(method);
  if (patterns === undefined) {
    // Methods are Node's parser's, some forty; but a request may be anybody's object.
    if (byPattern.size > MOST_ROUTES) return OTHER;
    byPattern.set(method, patterns = new Map());
  }
  let number = patterns.get(pattern);
  if (number === undefined) {
    number = numberOf(nameOf(method, pattern));
    if (patterns.size <= MOST_ROUTES) patterns.set(pattern, number);
  }
  return number;
}

function ofExpress(method, route, base) {
  let methods = byRoute.get(route);
  if (methods === undefined) byRoute.set(route, methods = new Map());
  let bases = methods.get(method);
  if (bases === undefined) methods.set(method, bases = new Map());
  let number = bases.get(base);
  if (number !== undefined) return number;
  if (bases.size > MOST_BASES) return bases.get(undefined);
  const path = Array.isArray(route.path) ? route.path.join('|') : String(route.path);
  if (bases.size === MOST_BASES) {
    number = numberOf(nameOf(method, `/*${path}`));
    bases.set(undefined, number);
    return number;
  }
  number = numberOf(nameOf(method, `${withoutValues(base)}${path === '/' && base !== '' ? '' : path}`));
  bases.set(base, number);
  return number;
}

/** The number of a completed request's route; nothing for one that is counted, or was not heard of when its route was told. */
function numberOfRequest(request, server) {
  const { method } = request;
  if (isTold) {
    const pattern = request[kRoute];
    if (pattern === COUNTED) return undefined;
    if (pattern !== undefined) return ofPattern(method, pattern);
  }
  const { route } = request;
  if (route !== null && typeof route === 'object') {
    return ofExpress(method, route, typeof request.baseUrl === 'string' ? request.baseUrl : '');
  }
  if (requestChannels.isPaced && fastify.has(server) && request[kBegan] !== true) return undefined;
  return ofPattern(method, NO_ROUTE);
}

/** Called by Node when a response is complete. What it throws would be the host's uncaught exception. */
function onFinish({ request, server }) {
  try {
    const number = numberOfRequest(request, server);
    if (number !== undefined) counts[number] += 1;
  } catch {
    counts[OTHER] += 1;
  }
}

/**
 * Called by Fastify before a handler. Where not all requests are heard of, this is when one is counted: the slower a route, the fewer of those
 * that end in a window have begun in it.
 */
function onHandler({ request, route }) {
  try {
    if (typeof route?.url !== 'string') return;
    const { raw } = request;
    isTold = true;
    if (!requestChannels.isPaced) {
      raw[kRoute] = route.url;
      return;
    }
    fastify.add(raw.socket.server);
    raw[kRoute] = COUNTED;
    counts[ofPattern(raw.method, route.url)] += 1;
  } catch {
    // Something that is not Fastify tells by its channel.
  }
}

function onBegin({ request }) {
  request[kBegan] = true;
}

const listener = {
  // Node tells the first when a response is complete, Fastify 5 the second before it calls a handler.
  channels: { 'http.server.response.finish': onFinish, 'tracing:fastify.request.handler:start': onHandler },
  pacedChannels: { 'http.server.request.start': onBegin },
  counts,
};

/**
 * Has a request counted under `pattern`, with its method before it: for frameworks that Heapwarden does not know. A pattern (`/users/:id`),
 * never a path: the 65th and all further ones count as one.
 */
function nameRoute(request, pattern) {
  if (request === null || typeof request !== 'object') throw invalidArg('request', 'a request of node:http', request);
  if (typeof pattern !== 'string' || pattern === '') throw invalidArg('pattern', 'a text', pattern);
  isTold = true;
  if (request[kRoute] !== COUNTED) request[kRoute] = pattern;
}

const routes = {
  /** Requests by the number of the route; those of all others last. */
  get counts() {
    requestChannels.settle();
    return counts;
  },

  /** Whether any was counted. */
  get isUsed() {
    return names.length > 0;
  },

  /** What the number stands for. */
  name(number) {
    return names[number] ?? 'other routes';
  },

  /** `[{ route, requests }]`, in the order in which they were first asked for. */
  table() {
    requestChannels.settle();
    const table = names.map((route, i) => ({ route, requests: counts[i] }));
    if (counts[OTHER] > 0) table.push({ route: 'other', requests: counts[OTHER] });
    return table;
  },

  /** Begins to count. Each call wants a `stop` of its own. */
  start() {
    users += 1;
    if (users === 1) requestChannels.add(listener);
  },

  stop() {
    users -= 1;
    if (users > 0) return;
    requestChannels.remove(listener);
    // Routes of a server that is gone are not for us to remember; the counts are, since they only ever go up.
    byRoute = new WeakMap();
    fastify = new WeakSet();
  },
};

/** What a LeakReport says of the routes, of what the native half found; nothing where no request had a route. */
function routeNote({ floors, leak, why }) {
  if (!routes.isUsed) return undefined;
  if (leak) return { leak: { ...leak, route: routes.name(leak.route) }, reason: null, floors };
  return { leak: null, reason: reasonOf(why, floors), floors };
}

function reasonOf({ kind, wanted, route, with: other }, floors) {
  switch (kind) {
    case 'floors': return `too few collections beside requests: ${floors} of ${wanted}`;
    case 'requests': return 'no request was completed while floors were seen';
    case 'growth': return 'the floor has not grown while requests were counted';
    case 'several': return 'more than one route has a part in the growth';
    case 'collinear':
      return other === null
        ? `requests of ${routes.name(route)} come as evenly as time passes: nothing tells them apart`
        : `requests of ${routes.name(route)} and of ${routes.name(other)} come together: nothing tells them apart`;
    default: return 'no route explains most of the growth';
  }
}

module.exports = { routes, routeNote, nameRoute, withoutValues };
