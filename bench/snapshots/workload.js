'use strict';

// What a service holds, in units of about the same size. Everything hangs on the object that `workload` gives.

const { EventEmitter } = require('node:events');
const fs = require('node:fs');
const path = require('node:path');
const { BENCH, requireInstalled } = require('../install');
const { seeded } = require('./random');
const { shapes } = require('./shapes');

const PACKAGES = {
  full: ['typescript', 'eslint', '@babel/core', '@babel/parser', 'express', 'lodash', 'acorn'],
  light: ['express', 'acorn'],
  bare: ['acorn'],
};

/** Source files of the installed packages, none of them huge, in an order that does not depend on the file system. */
function sources() {
  const folders = ['acorn/dist', 'eslint/lib/rules', '@babel/core/lib', '@babel/traverse/lib', '@babel/types/lib', 'lodash'];
  const files = [];
  for (const folder of folders) {
    const full = path.join(BENCH, 'node_modules', folder);
    const entries = fs.readdirSync(full, { recursive: true }).map(String).filter((name) => name.endsWith('.js')).sort();
    for (const name of entries) {
      const text = fs.readFileSync(path.join(full, name), 'utf8');
      if (text.length > 1500 && text.length < 20_000) files.push({ name: `${folder}/${name}`, text });
    }
  }
  return files;
}

class Request {
  #secret;
  constructor(random, i) {
    this.method = random.pick(['GET', 'POST', 'PUT']);
    this.url = `/api/v1/orders/${i}?token=${random.text(12)}`;
    this.headers = { host: 'shop.example', accept: '*/*', 'user-agent': random.text(24), 'x-request-id': String(i) };
    this.params = { id: i, page: i % 9 };
    this.startedAt = i * 1.25;
    this.body = i % 5 === 0 ? Buffer.from(random.text(64)) : null;
    this.response = { statusCode: 200, locals: {}, finished: false, request: this };
    this.onClose = () => this.response.finished;
    this.#secret = i;
  }
  secret() {
    return this.#secret;
  }
}

/** Maps in order of use, the oldest dropped: what most services call a cache. */
class Cache {
  constructor(limit) {
    this.limit = limit;
    this.entries = new Map();
  }
  set(key, value) {
    this.entries.set(key, value);
    if (this.entries.size > this.limit) this.entries.delete(this.entries.keys().next().value);
  }
}

class ListNode {
  constructor(value, next) {
    this.value = value;
    this.next = next;
  }
}

const linked = (length) => {
  let head = null;
  for (let i = 0; i < length; i++) head = new ListNode(i & 1023, head);
  return head;
};

function* counter(from) {
  for (let i = from; ; i++) yield i;
}

/** One of each of what snapshots know a kind for, and of what trips readers up. */
function oddities(random, i) {
  const key = { key: i };
  const sparse = [];
  for (let k = 0; k < 12; k++) sparse[k * 100_003] = { at: k };
  const generator = counter(i);
  generator.next();
  const shared = new ArrayBuffer(512 + (i & 255));
  let cons = `part ${i} of a string that is longer than thirteen characters`;
  for (let k = 0; k < 4; k++) cons = `${cons}, ${k}${random.text(8)}`;
  return {
    symbol: Symbol(`symbol ${i}`),
    [Symbol(`keyed ${i}`)]: i,
    big: 2n ** BigInt(80 + (i % 90)),
    sparse,
    weak: new WeakMap([[key, { held: random.text(20) }]]),
    weakSet: new WeakSet([key]),
    reference: new WeakRef(key),
    key,
    generator,
    pattern: new RegExp(`^${random.text(5)}\\d+$`, 'u'),
    error: Object.assign(new RangeError(`no ${i}`), { code: 'E_RANGE' }),
    views: [new Uint8Array(shared), new Float64Array(8), new DataView(shared)],
    bound: Request.prototype.secret.bind({ i }),
    proxy: new Proxy({ i }, { get: (target, name) => target[name] }),
    texts: [cons, cons.slice(5, 60), `quote " backslash \\ newline \n tab \t ${i}`, `Umlaut äöü, 日本語, 🙂 ${i}`, `lone \ud83d ${i}`],
    long: i % 16 === 0 ? random.text(1500) : null,
    set: new Set([i, `s${i}`, key]),
    pending: new Promise(() => {}).then(() => key),
    rejected: Promise.reject(new Error(`kept ${i}`)).catch((error) => error),
    date: new Date(1.7e12 + i),
    '1weird name': i,
    '"quoted"': i,
  };
}

/** Functions that share a context, as handlers made in a loop do. */
function closures(i) {
  const state = { i, calls: 0 };
  const label = `handler ${i}`;
  const bump = () => ++state.calls;
  return [bump, () => label, async () => { await null; return bump(); }, function named() { return state; }];
}

/** The content of a heap: the packages at once, then a unit for each call of `grow`; one unit in 200 has a list of `listLength`. */
function workload(tier, seed = 1, listLength = 100_000) {
  const random = seeded(seed);
  const full = tier === 'full';
  const root = {
    packages: PACKAGES[tier].map((name) => requireInstalled(name)),
    classes: shapes(random),
    sources: sources(),
    units: [],
    cache: new Cache(full ? 4000 : 400),
    sessions: new Map(),
    bus: new EventEmitter().setMaxListeners(0),
  };
  // One file of source text for all its trees, as the caches of compilers keep it.
  root.sources = root.sources.slice(0, full ? 400 : 40);
  let at = 0;

  const trees = () => {
    const { name, text } = root.sources[at++ % root.sources.length];
    if (!full) return [requireInstalled('acorn').parse(text, { ecmaVersion: 'latest', sourceType: 'script', locations: true, allowReturnOutsideFunction: true })];
    const ts = requireInstalled('typescript');
    return at % 2
      ? [ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true)]
      : [requireInstalled('@babel/parser').parse(text, { sourceType: 'unambiguous', allowReturnOutsideFunction: true })];
  };

  const unit = (i) => {
    const made = {
      trees: full || i % 4 === 0 ? trees() : [],
      models: Array.from({ length: 300 }, (_, k) => new root.classes[(k * 7 + i) % root.classes.length](i * 300 + k)),
      requests: Array.from({ length: 40 }, (_, k) => new Request(random, i * 40 + k)),
      handlers: Array.from({ length: 30 }, (_, k) => closures(i * 30 + k)),
      odd: Array.from({ length: 4 }, (_, k) => oddities(random, i * 4 + k)),
      timer: setTimeout(() => made, 86_400_000).unref(),
      table: Object.fromEntries(Array.from({ length: 120 }, (_, k) => [`row${i}_${k}`, { k, text: random.text(10) }])),
      numbers: Array.from({ length: 60 }, (_, k) => k * 1.1),
      list: i % 200 === 100 ? linked(listLength) : linked(100),
    };
    for (let k = 0; k < 20; k++) root.cache.set(`entry ${i} ${k}`, new Map([['key', k], ['value', { random: random.text(6) }]]));
    if (i % 3 === 0) root.bus.on(`topic ${i % 30}`, () => made.timer);
    return made;
  };

  return {
    root,
    grow() {
      root.units.push(unit(root.units.length));
    },
  };
}

/** What leaks between the two snapshots: sessions in a map that nobody empties, one in ten in a listener too. */
class LeakedSession {
  constructor(random, i) {
    this.id = i;
    this.token = random.text(16);
    this.user = { name: `user ${i}`, role: 'reader' };
    this.expiresAt = 1.7e12 + i + 0.5;
  }
}

/** Adds `count` sessions to a workload's root. */
function leak(root, count, seed = 2) {
  const random = seeded(seed);
  for (let i = 0; i < count; i++) {
    const session = new LeakedSession(random, i);
    root.sessions.set(`session ${i}`, session);
    if (i % 10 === 0) root.bus.on('expire', () => session.token);
  }
}

module.exports = { workload, leak };
