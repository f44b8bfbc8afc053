'use strict';

// Functions that leave something behind at every call. What each `expected` says was thought out before it was run: the class that a human
// would name, and by what mechanism it is kept.

const { AsyncLocalStorage, AsyncResource } = require('node:async_hooks');
const { EventEmitter, setMaxListeners } = require('node:events');

/** `{ name, expected: { constructorName, pattern, countPerIteration, isCounted }, make }`; `make()` gives `{ fn, close? }` with a state of its own. */
const leaks = [];

function leak(name, constructorName, pattern, make, more = {}) {
  leaks.push({ name, expected: { constructorName, pattern, countPerIteration: 1, ...more }, make });
}

leak('map', 'Session', 'collection', () => {
  class Session { constructor(id) { this.id = id; } }
  const sessions = new Map();
  return { fn: (i) => { sessions.set(i, new Session(i)); } };
});

leak('array', 'AuditEntry', 'collection', () => {
  class AuditEntry { constructor(at) { this.at = at; } }
  const entries = [];
  return { fn: (i) => { entries.push(new AuditEntry(i)); } };
});

leak('set', 'Visitor', 'collection', () => {
  class Visitor { constructor(id) { this.id = id; } }
  const seen = new Set();
  return { fn: async (i) => { seen.add(new Visitor(i)); } };
});

leak('dictionary', 'Order', 'collection', () => {
  class Order { constructor(id) { this.id = id; } }
  const orders = {};
  return { fn: (i) => { orders[`order-${i}`] = new Order(i); } };
});

leak('closure chain', '(closure) wrapped', 'closure', () => {
  let handler = () => 0;
  const wrap = (inner) => function wrapped() { return inner; };
  return { fn: () => { handler = wrap(handler); }, close: () => handler };
});

leak('emitter listener', '(closure) onNews', 'listener', () => {
  const bus = new EventEmitter().setMaxListeners(0);
  const subscribe = (client) => { bus.on('news', function onNews() { return client; }); };
  return { fn: (i) => subscribe({ i }) };
});

leak('abort signal listener', '(closure) onAbort', 'listener', () => {
  const shutdown = new AbortController();
  setMaxListeners(0, shutdown.signal);
  const job = (i) => { shutdown.signal.addEventListener('abort', function onAbort() { return i; }); };
  return { fn: async (i) => job(i), close: () => shutdown };
});

leak('interval', 'Timeout', 'timer', () => {
  const connect = (i) => { setInterval(function heartbeat() { return i; }, 3_600_000); };
  return { fn: connect };
});

leak('promise that never settles', '(closure) reply', 'promise', () => {
  const connected = new Promise(() => {});
  const request = (i) => { connected.then(function reply() { return i; }); };
  return { fn: (i) => request(i), close: () => connected };
});

leak('buffer', 'Buffer', 'buffer', () => {
  const frames = [];
  return { fn: (i) => { frames.push(Buffer.alloc(2048, i)); } };
});

// The array has the resources; the class of the program's own is what each of them holds.
leak('async context', ['RequestContext', 'AsyncResource'], 'collection', () => {
  class RequestContext { constructor(id) { this.id = id; this.headers = new Array(20).fill(id); } }
  const storage = new AsyncLocalStorage();
  const jobs = [];
  return { fn: (i) => storage.run(new RequestContext(i), () => { jobs.push(new AsyncResource('job')); }) };
});

leak('memo', 'Layout', 'global', () => {
  class Layout { constructor(width) { this.width = width; } }
  function layout(width) { return (layout.memo[width] ??= new Layout(width)); }
  layout.memo = {};
  return { fn: (i) => { layout(`${i}px`); } };
});

leak('finalization registry', 'Picture', 'closure', () => {
  class Picture { constructor(id) { this.id = id; } release() { return this.id; } }
  const registry = new FinalizationRegistry((release) => release());
  // What is to be called when the picture is gone keeps the picture.
  const open = (i) => {
    const picture = new Picture(i);
    registry.register(picture, () => picture.release());
  };
  return { fn: open, close: () => registry };
});

leak('concatenated string', '(string)', 'string', () => {
  let journal = '';
  const note = (i) => { journal += `call ${i} was answered\n`; };
  return { fn: note, close: () => journal };
}, { countPerIteration: undefined });

leak('typed array', 'Float64Array', 'buffer', () => {
  const samples = [];
  return { fn: (i) => { samples.push(new Float64Array(64).fill(i)); } };
});

/** More of the kind: rarer, or without more objects. What `isCounted` is not found where entries cannot be counted. */
const others = leaks.length;

leak('one in ten calls', 'Failure', 'collection', () => {
  class Failure { constructor(at) { this.at = at; } }
  const failures = [];
  return { fn: (i) => { if (i % 10 === 0) failures.push(new Failure(i)); } };
}, { countPerIteration: 0.1 });

leak('one in ten calls by chance', 'Failure', 'collection', () => {
  class Failure { constructor(at) { this.at = at; } }
  const failures = [];
  return { fn: (i) => { if (Math.random() < 0.1) failures.push(new Failure(i)); } };
}, { countPerIteration: undefined });

leak('list of weak references', 'WeakRef', 'collection', () => {
  const references = [];
  return { fn: (i) => { references.push(new WeakRef({ i })); } };
});

leak('text made one piece', '(string)', 'string', () => {
  let journal = '';
  // The index makes V8 copy the pieces into one.
  const note = (i) => { journal += `call ${i} was answered\n`; return journal[i % journal.length]; };
  return { fn: note, close: () => journal };
}, { countPerIteration: 0 });

leak('buffer that is replaced by a longer one', 'Buffer', 'buffer', () => {
  let body = Buffer.alloc(0);
  const receive = () => { body = Buffer.concat([body, Buffer.alloc(64)]); };
  return { fn: receive, close: () => body };
}, { countPerIteration: 0 });

leak('keys of texts', '(string)', undefined, () => {
  const seen = new Map();
  return { fn: (i) => { seen.set(`https://example.org/articles/${i}?page=${i % 7}`, i); } };
});

// Entries that are no objects: no snapshot shows them, and V8 is asked how many there are (from Node 20 on, through the bridge).
for (const [name, make, add] of [
  ['numbers in a Map', () => new Map(), (ids, i) => ids.set(i, i)],
  ['numbers in a Set', () => new Set(), (ids, i) => ids.add(i)],
  ['numbers in an array', () => [], (ids, i) => ids.push(i)],
  ['fractions in an array', () => [], (ids, i) => ids.push(i / 7)],
]) {
  leak(name, '(entry)', 'collection', () => {
    const ids = make();
    return { fn: (i) => { add(ids, i); } };
  }, { isCounted: true });
}

leak('fractions in a Map', '(number)', 'collection', () => {
  const ids = new Map();
  return { fn: (i) => { ids.set(i, i + 0.5); } };
});

leak('one object many times', '(entry)', 'collection', () => {
  const config = { isOld: true };
  const queue = [];
  return { fn: () => { queue.push(config); } };
}, { isCounted: true });

module.exports = { leaks: leaks.slice(0, others), others: leaks.slice(others) };
