'use strict';

// Functions that leave nothing behind, or something once, or as much as there is room for: what a test of sizes takes for leaks.

const { AsyncLocalStorage, AsyncResource } = require('node:async_hooks');
const { createHash, randomBytes } = require('node:crypto');
const { EventEmitter, once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const { Readable, Transform, Writable } = require('node:stream');
const { pipeline } = require('node:stream/promises');
const { promisify } = require('node:util');
const vm = require('node:vm');
const { MessageChannel } = require('node:worker_threads');
const zlib = require('node:zlib');

/** `{ name, make }`; `make()` gives `{ fn, close? }`, or a promise of it, with a state of its own. */
const healthy = [];
const add = (name, make) => healthy.push({ name, make });

add('JIT warm-up', () => {
  const shapes = [(n) => ({ x: n }), (n) => ({ y: n, x: n }), (n) => ({ z: n, y: n, x: n }), (n) => [n]];
  const area = (shape) => (shape.x ?? shape[0]) ** 2;
  return { fn: (i) => { let sum = 0; for (let n = 0; n < 200; n++) sum += area(shapes[(i + n) % shapes.length](n)); return sum; } };
});

add('LRU that fills and is steady', () => {
  const cache = new Map();
  return {
    fn: (i) => {
      cache.set(`user-${i}`, { id: i, roles: ['reader'] });
      if (cache.size > 250) cache.delete(cache.keys().next().value);
    },
  };
});

add('lazy singleton', () => {
  let client;
  const connect = () => (client ??= { sockets: Array.from({ length: 500 }, (_, id) => ({ id, buffer: Buffer.alloc(64) })) });
  return { fn: (i) => connect().sockets[i % 500].id };
});

add('singletons that come one by one', () => {
  const byKind = {};
  return { fn: (i) => (byKind[i % 40] ??= { kind: i % 40, rules: new Array(10).fill({ kind: i }) }).rules.length };
});

add('regular expressions', () => ({
  fn: (i) => [new RegExp(`user-(\\d+)-${i}`).exec(`user-17-${i}`)?.[1], 'a,b;c'.split(/[,;]/), `${i}`.replace(/\d/g, (d) => d + 1)],
}));

add('JSON', () => ({
  fn: (i) => JSON.parse(JSON.stringify({ [`key${i}`]: i, list: Array.from({ length: 20 }, (_, n) => ({ n, text: `item ${n}` })) })),
}));

add('streams', () => ({
  fn: async (i) => {
    const upper = new Transform({ transform: (chunk, _, done) => done(null, chunk.toString().toUpperCase()) });
    const sink = new Writable({ write: (chunk, _, done) => done() });
    await pipeline(Readable.from([`line ${i}\n`, 'end']), upper, sink);
  },
}));

add('fetch from a local server', async () => {
  const { server, url } = await listening();
  return {
    fn: async (i) => (await fetch(`${url}/users/${i}`)).json(),
    close: () => { server.closeAllConnections(); server.close(); },
  };
});

add('http agent that keeps connections', async () => {
  const { server, url } = await listening();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 4 });
  const fn = (i) => new Promise((resolve, reject) => {
    http.get(`${url}/users/${i}`, { agent }, (res) => { res.resume().on('end', resolve); }).on('error', reject);
  });
  return { fn, close: () => { agent.destroy(); server.closeAllConnections(); server.close(); } };
});

add('template cache', () => {
  const compiled = new Map();
  const compile = (text) => new Function('data', `return \`${text}\`;`);
  const template = (n) => `<p>\${data.name} reads page ${n}</p>`;
  return {
    fn: (i) => {
      const text = template(i % 30);
      if (!compiled.has(text)) compiled.set(text, compile(text));
      return compiled.get(text)({ name: `user ${i}` });
    },
  };
});

add('promises that settle', () => ({
  fn: async (i) => {
    const later = (value) => new Promise((resolve) => { setImmediate(resolve, value); });
    await Promise.all([later(i), Promise.resolve(i), Promise.reject(new Error('no')).catch(() => i)]);
    await Promise.race([later(i), later(i + 1)]);
  },
}));

add('timers that are cleared', () => ({
  fn: (i) => {
    clearTimeout(setTimeout(() => i, 60_000));
    clearInterval(setInterval(() => i, 60_000));
    clearImmediate(setImmediate(() => i));
  },
}));

add('timers that fire', () => ({ fn: (i) => { setTimeout(() => ({ i }), i % 20); } }));

add('once listeners', () => {
  const bus = new EventEmitter();
  return { fn: async (i) => { const answered = once(bus, 'answer'); bus.once('answer', () => i); bus.emit('answer', { i }); await answered; } };
});

add('listeners that are removed', () => {
  const bus = new EventEmitter();
  const target = new EventTarget();
  return {
    fn: (i) => {
      const listener = () => i;
      bus.on('tick', listener).emit('tick');
      bus.off('tick', listener);
      target.addEventListener('tick', listener, { once: true });
      target.dispatchEvent(new Event('tick'));
    },
  };
});

add('WeakMap cache', () => {
  const sizes = new WeakMap();
  return { fn: (i) => { const request = { i }; sizes.set(request, { bytes: new Array(20).fill(i) }); return sizes.get(request).bytes.length; } };
});

add('WeakRef cache with a registry', () => {
  const cache = new Map();
  const registry = new FinalizationRegistry((key) => { if (!cache.get(key)?.deref()) cache.delete(key); });
  return { fn: (i) => { const page = { i, text: `page ${i}` }; cache.set(i, new WeakRef(page)); registry.register(page, i); } };
});

add('abort controllers of their own', () => ({
  fn: async (i) => {
    const controller = new AbortController();
    const aborted = new Promise((resolve) => { controller.signal.addEventListener('abort', resolve, { once: true }); });
    controller.abort(i);
    await aborted;
  },
}));

add('async context that is left', () => {
  const storage = new AsyncLocalStorage();
  return {
    fn: (i) => storage.run({ id: i }, async () => {
      await new Promise((resolve) => { setImmediate(resolve); });
      return new AsyncResource('job').runInAsyncScope(() => storage.getStore().id);
    }),
  };
});

add('hashes and random bytes', () => ({ fn: (i) => createHash('sha256').update(`${i}`).update(randomBytes(32)).digest('hex') }));

add('compression', () => {
  const gzip = promisify(zlib.gzip);
  const gunzip = promisify(zlib.gunzip);
  return { fn: async (i) => (await gunzip(await gzip(Buffer.from(`text ${i} `.repeat(50))))).length };
});

add('buffers and typed arrays in passing', () => ({
  fn: (i) => Buffer.concat([Buffer.alloc(1000, i), Buffer.from(`${i}`), new Uint8Array(64)]).length + new Float64Array(100).fill(i)[7],
}));

add('text in passing', () => ({
  fn: (i) => { let text = ''; for (let n = 0; n < 50; n++) text += `${i}:${n};`; return text.split(';').map(String).join('-').length; },
}));

add('collections in passing', () => ({
  fn: (i) => {
    const groups = new Map(Array.from({ length: 30 }, (_, n) => [n, new Set([i, n])]));
    return structuredClone([...groups.values()].map((group) => [...group])).length;
  },
}));

add('generators', () => ({
  fn: async (i) => {
    function* numbers() { for (let n = 0; n < 10; n++) yield n + i; }
    async function* later() { for (const n of numbers()) yield n; }
    let sum = 0;
    for await (const n of later()) sum += n;
    return sum;
  },
}));

add('classes made in the call', () => ({
  fn: (i) => {
    class Row { #id = i; get id() { return this.#id; } }
    return new Proxy(new Row(), { get: (row, name) => (name === 'id' ? row.id : undefined) }).id;
  },
}));

add('errors with stacks', () => ({
  fn: (i) => {
    const deep = (n) => { if (n === 0) throw new TypeError(`no user ${i}`, { cause: new Error('why') }); deep(n - 1); };
    try { deep(20); } catch (error) { return error.stack.length; }
    return 0;
  },
}));

add('dates and numbers by locale', () => {
  const byLocale = new Map();
  const format = (locale) => {
    if (!byLocale.has(locale)) byLocale.set(locale, new Intl.NumberFormat(locale));
    return byLocale.get(locale);
  };
  return { fn: (i) => format(['de', 'en', 'fr', 'ja'][i % 4]).format(i) + new Date(i * 1e9).toLocaleDateString('en') };
});

add('message channels', () => ({
  fn: async (i) => {
    const { port1, port2 } = new MessageChannel();
    const answered = once(port2, 'message');
    port1.postMessage({ i });
    await answered;
    port1.close();
  },
}));

add('files', () => {
  const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-leak-tests-'));
  const file = path.join(dir, 'state.json');
  return {
    fn: async (i) => { await fs.promises.writeFile(file, `{"i":${i}}`); return JSON.parse(await fs.promises.readFile(file, 'utf8')).i; },
    close: () => fs.rmSync(dir, { recursive: true, force: true }),
  };
});

add('log of the last hundred', () => {
  const log = [];
  return { fn: (i) => { log.push({ i, text: `call ${i}` }); if (log.length > 100) log.shift(); } };
});

add('window of numbers', () => {
  const latest = [];
  return { fn: (i) => { latest.push(i); if (latest.length > 100) latest.shift(); } };
});

add('numbers under a few keys', () => {
  const perKey = new Map();
  const seen = new Set();
  return { fn: (i) => { perKey.set(i % 50, i); seen.add(i % 300); if (seen.size === 300) seen.clear(); } };
});

add('scripts in a context', () => {
  const context = vm.createContext({ sum: 0 });
  const script = new vm.Script('sum += 1');
  return { fn: () => script.runInContext(context) };
});

add('addresses', () => ({
  fn: (i) => new URL(`https://example.org/a/${i}?q=${i}#top`).searchParams.get('q') + new TextDecoder().decode(new TextEncoder().encode(`${i}`)),
}));

/** A server that answers with JSON. */
async function listening() {
  const server = http.createServer((req, res) => {
    res.setHeader('content-type', 'application/json');
    res.end(JSON.stringify({ url: req.url, friends: Array.from({ length: 10 }, (_, id) => ({ id })) }));
  });
  // While the process stands still nobody may find that a connection was idle for too long.
  server.keepAliveTimeout = 0;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, url: `http://127.0.0.1:${server.address().port}` };
}

module.exports = { healthy };
