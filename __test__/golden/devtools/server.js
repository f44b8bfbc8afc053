'use strict';
// A small service with one of each: what DevTools treats in ways of its own.
const { EventEmitter } = require('node:events');
const v8 = require('node:v8');
const inspector = require('node:inspector');
class Session { constructor(id) { this.id = id; this.user = { name: `user ${id}`, roles: ['reader'] }; this.tags = [id, `t${id}`]; } }
class Cache extends Map {}
const sessions = new Map();
const weak = new WeakMap();
const keys = [];
const cache = new Cache();
const bus = new EventEmitter();
const big = { buffer: new ArrayBuffer(5e6), text: 'x'.repeat(3000) + keys.length };
let list = null;
for (let i = 0; i < 200; i++) list = { value: i, next: list };
function grow(count) {
  for (let i = 0; i < count; i++) {
    const id = sessions.size;
    const session = new Session(id);
    sessions.set(id, session);
    const key = { key: id };
    keys.push(key);
    weak.set(key, { held: session, since: id * 1.5 });
    cache.set(`k${id}`, [1, 2, { deep: { er: id } }]);
    bus.setMaxListeners(0);
    bus.on('tick', () => session);
    setTimeout(() => session, 1e8).unref();
  }
}
globalThis.service = { sessions, weak, keys, cache, bus, big, list, odd: Object.assign(Object.create(null), { a: 1n, b: Symbol('s'), 'c,d': 2 }) };
const session = new inspector.Session();
session.connect();
session.post('Profiler.enable'); session.post('Profiler.start'); session.post('Profiler.stop');
grow(300);
v8.writeHeapSnapshot(process.argv[2]);
grow(120);
for (let i = 0; i < 30; i++) sessions.delete(i);
v8.writeHeapSnapshot(process.argv[3]);
