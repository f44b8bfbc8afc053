'use strict';

// Listeners, timers and handles that become more. Each thing that leaks has a twin that does not; ticks are made by `audit()`.

const assert = require('node:assert');
const { EventEmitter, getEventListeners, once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const net = require('node:net');
const { describe, test } = require('node:test');
const { ListenerAuditor, MemoryMonitor, auditListeners } = require('..');
const { constructorNameOf, kindOf, visitCounts } = require('../lib/listener-counts');
const { alertMessage } = require('../lib/messages');
const { addedAt } = require('../lib/max-listeners');
const { ROOT, evaluate, gc, run, sleep, takenInClone, until } = require('./support');

class Bus extends EventEmitter {}

/** A bus that Node does not warn of. */
function quietBus() {
  return new Bus().setMaxListeners(0);
}

const settled = () => new Promise((resolve) => { setImmediate(resolve); });

/** What an auditor finds over `ticks` counts, `step(tick)` run before each. */
async function found(auditor, ticks, step) {
  const growths = [];
  const take = (growth) => growths.push(growth);
  auditor.on('growth', take);
  for (let tick = 0; tick < ticks; tick++) {
    await step(tick);
    auditor.audit();
  }
  await settled();
  auditor.off('growth', take);
  return growths;
}

const quiet = () => new ListenerAuditor({ resources: false, locate: 'none' });
/** The line of this file that has `text` first. */
const lineOf = (text) => fs.readFileSync(__filename, 'utf8').split('\n').findIndex((line) => line.includes(text)) + 1;

test('process is watched from the start', (t) => {
  const listener = () => {};
  process.on('heapwarden test', listener);
  t.after(() => process.off('heapwarden test', listener));
  const auditor = quiet();
  const row = auditor.audit().find(({ event }) => event === 'heapwarden test');
  assert.deepEqual(row, {
    kind: 'emitter', label: 'process', constructorName: 'process', event: 'heapwarden test', count: 1, countDelta: 0, since: null });
  assert.equal(auditor.unwatch(process), true);
  assert.deepEqual(auditor.audit(), []);
});

describe('listeners of an emitter', () => {
  test('that are never removed are told, with their class, event and function', async () => {
    const bus = quietBus();
    const auditor = quiet().watch(bus, 'orders');
    const growths = await found(auditor, 60, () => bus.on('data', function onData() {}));
    const [first] = growths;
    assert.deepEqual(
      [first.reason, first.kind, first.label, first.constructorName, first.event], ['rising', 'emitter', 'orders', 'Bus', 'data']);
    assert.deepEqual([first.functions.length, first.functions[0].name, first.functions[0].count], [1, 'onData', first.count]);
    assert.ok(first.count >= 24 && first.countDelta >= 8 && first.countDelta <= first.count, JSON.stringify(first));
    assert.ok(first.growthPerHour > 0 && Date.parse(first.since) <= Date.now());
    assert.ok(growths.length <= 3, 'told again when doubled, not at each count');
    const row = auditor.audit().find(({ label }) => label === 'orders');
    assert.deepEqual([row.event, row.count, row.countDelta], ['data', 60, 52]);
  });

  test('that come and go with the work are not', async () => {
    const bus = quietBus();
    const growths = await found(quiet().watch(bus, 'orders'), 200, (tick) => {
      // A sawtooth with a step in it: 12 requests at a time, and 30 subscribers that stay from the 60th tick on.
      if (tick % 12 === 0) bus.removeAllListeners('data');
      bus.on('data', () => {});
      bus.on('data', () => {});
      if (tick === 60) for (let i = 0; i < 30; i++) bus.on('config', () => {});
    });
    assert.deepEqual(growths, []);
  });

  test('that fill up to a number are not', async () => {
    const bus = quietBus();
    const growths = await found(quiet().watch(bus), 200, (tick) => {
      if (tick < 14) for (let i = 0; i < 10; i++) bus.on('data', () => {});
    });
    assert.deepEqual(growths, []);
  });

  test('on many emitters of a class are one event', async () => {
    const sockets = Array.from({ length: 30 }, () => quietBus());
    const auditor = quiet();
    for (const socket of sockets) auditor.watch(socket);
    const growths = await found(auditor, 60, () => {
      for (const socket of sockets) socket.on('data', function onData() {});
    });
    const [first] = growths;
    assert.deepEqual([first.constructorName, first.event, first.label, first.emitters], ['Bus', 'data', null, 30]);
    assert.ok(first.count >= 30 * 24 && first.countDelta <= first.count, JSON.stringify(first));
    assert.equal(first.functions[0].name, 'onData');
    assert.ok(growths.length <= 3, `${growths.length}`);
  });

  test('on one emitter do not hide those on another of its class', async () => {
    const [first, second] = [quietBus(), quietBus()];
    const auditor = quiet().watch(first).watch(second);
    const growths = await found(auditor, 120, (tick) => (tick < 60 ? first.on('data', function one() {}) : second.on('data', function two() {})));
    assert.deepEqual([...new Set(growths.map(({ functions: [{ name }] }) => name))], ['one', 'two']);
    const early = growths.find(({ functions: [{ name }] }) => name === 'two');
    assert.ok(early.count < 40 && early.emitters === 1, JSON.stringify(early));
  });

  test('under a new name each time are told as all events together', async () => {
    const bus = quietBus();
    const [first] = await found(quiet().watch(bus, 'replies'), 80, (tick) => bus.once(`reply:${tick}`, () => {}));
    assert.deepEqual([first.label, first.event, first.reason], ['replies', null, 'rising']);
    const healthy = quietBus();
    const none = await found(quiet().watch(healthy, 'replies'), 80, (tick) => {
      healthy.once(`reply:${tick}`, () => {});
      healthy.emit(`reply:${tick - 5}`);
    });
    assert.deepEqual(none, []);
  });
});

describe('listeners of an AbortSignal', () => {
  test('that is passed to one request after the other', async (t) => {
    const server = http.createServer((_, response) => response.end('ok')).listen(0);
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    await once(server, 'listening');
    const url = `http://localhost:${server.address().port}/`;
    const shutdown = new AbortController();
    const auditor = quiet().watch(shutdown.signal, 'shutdown');
    // Each request adds one and forgets it, as helpers do that wait for a signal and for something else.
    const growths = await found(auditor, 40, async () => {
      await (await fetch(url)).text();
      shutdown.signal.addEventListener('abort', function cancelRequest() {}, { once: true });
    });
    assert.deepEqual([growths[0].kind, growths[0].label, growths[0].constructorName, growths[0].event],
      ['target', 'shutdown', 'AbortSignal', 'abort']);
    assert.equal(growths[0].functions[0].name, 'cancelRequest');
  });

  test('fetch itself takes its listener away again', async (t) => {
    const server = http.createServer((_, response) => response.end('ok')).listen(0);
    t.after(() => {
      server.close();
      server.closeAllConnections();
    });
    await once(server, 'listening');
    const url = `http://localhost:${server.address().port}/`;
    const shutdown = new AbortController();
    const growths = await found(quiet().watch(shutdown.signal, 'shutdown'), 40, async () => {
      const response = await fetch(url, { signal: shutdown.signal });
      await response.text();
      const cancel = () => {};
      shutdown.signal.addEventListener('abort', cancel);
      shutdown.signal.removeEventListener('abort', cancel);
      // What fetch holds weakly goes with its request.
      gc();
      await settled();
    });
    assert.deepEqual(growths, []);
  });
});

test('timers that are never cleared are told as a resource, those that are over are not', async (t) => {
  const timers = [];
  t.after(() => timers.forEach(clearInterval));
  const auditor = new ListenerAuditor({ locate: 'none' });
  const growths = await found(auditor, 45, () => timers.push(setInterval(() => {}, 1e6)));
  assert.deepEqual([growths[0].kind, growths[0].constructorName, growths[0].event], ['resource', 'Timeout', null]);
  timers.splice(0).forEach(clearInterval);
  const healthy = await found(new ListenerAuditor({ locate: 'none' }), 45, () => {
    timers.splice(0).forEach(clearInterval);
    for (let i = 0; i < 20; i++) timers.push(setInterval(() => {}, 1e6));
  });
  assert.deepEqual(healthy, []);
});

describe('a warning of Node\'s', () => {
  test('becomes an event with the line that added the listener, once', async (t) => {
    const auditor = quiet().start();
    t.after(() => auditor.stop());
    const growths = [];
    auditor.on('growth', (growth) => growths.push(growth));
    const buses = Array.from({ length: 3 }, () => new Bus());
    for (const bus of buses) {
      for (let i = 0; i < 11; i++) bus.on('data', function onData() {}); // the eleventh
    }
    await until(() => growths.length > 0, 'the warning');
    await settled();
    assert.equal(growths.length, 1, 'three emitters, one place');
    const [{ reason, constructorName, event, count, location, stack, functions }] = growths;
    assert.deepEqual([reason, constructorName, event, count], ['max-listeners', 'Bus', 'data', 11]);
    assert.deepEqual([location.file, location.line], [__filename, lineOf('// the eleventh')]);
    assert.match(stack, /MaxListenersExceededWarning/);
    assert.deepEqual(functions, [{ name: 'onData', location: null, count: 11 }]);
    const watched = auditor.audit().filter(({ constructorName: name }) => name === 'Bus');
    assert.equal(watched.length, 3, 'watched from now on');
  });

  test('has a twin with ten listeners, of which nobody hears', async (t) => {
    const auditor = quiet().start();
    t.after(() => auditor.stop());
    auditor.on('growth', (growth) => assert.fail(JSON.stringify(growth)));
    const bus = new Bus();
    for (let i = 0; i < 10; i++) bus.on('data', () => {});
    process.emitWarning('something else');
    process.emit('warning', null);
    process.emit('warning', { name: 'MaxListenersExceededWarning', get emitter() { throw new Error('a getter'); } });
    process.emit('warning', { name: 'MaxListenersExceededWarning', emitter: 5, count: 'many' });
    await settled();
  });

  test('is told by one listener however many auditors there are, and by none after stop()', () => {
    const before = process.listenerCount('warning');
    const auditors = [quiet().start(), quiet().start().start()];
    assert.equal(process.listenerCount('warning'), before + 1);
    auditors[0].stop();
    assert.equal(process.listenerCount('warning'), before + 1);
    auditors[1].stop().stop();
    assert.equal(process.listenerCount('warning'), before);
  });
});

test('a stack\'s first line of the program, from modules and scripts, with and without a function', () => {
  assert.deepEqual(addedAt('X: y\n    at _addListener (node:events:1:2)\n    at Bus.on (node:events:3:4)\n    at f (/srv/a b.js:5:6)'),
    { file: '/srv/a b.js', line: 5, column: 6 });
  assert.deepEqual(addedAt('X\n    at node:internal/x:1:1\n    at file:///srv/a%20b.mjs:7:8'), { file: '/srv/a b.mjs', line: 7, column: 8 });
  assert.equal(addedAt('X\n    at node:internal/x:1:1'), null);
});

describe('what is watched', () => {
  test('is held weakly', async () => {
    const auditor = quiet();
    let collected = 0;
    const registry = new FinalizationRegistry(() => { collected += 1; });
    (() => {
      for (let i = 0; i < 50; i++) {
        const bus = quietBus();
        for (let n = 0; n < 9; n++) bus.on('data', () => {});
        registry.register(bus);
        auditor.watch(bus, `bus ${i}`);
      }
      auditor.audit();
    })();
    await until(async () => {
      await sleep(1);
      gc();
      return collected === 50;
    }, 'the emitters to be collected');
    assert.deepEqual(auditor.audit().filter(({ label }) => label?.startsWith('bus')), []);
  });

  test('is an emitter or a target, of any making', () => {
    const express = Object.assign(function app() {}, EventEmitter.prototype);
    express.on('mount', () => {});
    const rows = quiet().watch(express, 'app').watch(new EventTarget()).audit();
    assert.deepEqual(rows.filter(({ label }) => label === 'app').map(({ event, count }) => [event, count]), [['mount', 1]]);
    for (const wrong of [null, undefined, 5, 'bus', {}, () => {}]) {
      assert.throws(() => quiet().watch(wrong), { code: 'HEAPWARDEN_ERR_INVALID_ARG', message: /^target: expected an EventEmitter/ });
    }
    assert.throws(() => quiet().watch(new Bus(), 5), { code: 'HEAPWARDEN_ERR_INVALID_ARG', message: /^label: expected a string/ });
    assert.equal(quiet().unwatch(new Bus()), false);
  });

  test('may throw whenever it is asked', () => {
    class Angry extends EventEmitter {
      static get name() { throw new Error('name'); }
      eventNames() { throw new Error('eventNames'); }
      listenerCount() { throw new Error('listenerCount'); }
      listeners() { throw new Error('listeners'); }
    }
    Object.defineProperty(Angry.prototype, 'constructor', { get() { throw new Error('constructor'); } });
    const angry = new Angry().on('data', () => {});
    const closed = new EventEmitter();
    Object.defineProperty(closed, '_events', { get() { throw new Error('_events'); } });
    const proxy = new Proxy(new EventEmitter(), { getOwnPropertyDescriptor() { throw new Error('trap'); } });
    const rows = quiet().watch(angry, 'angry').watch(closed, 'closed').watch(proxy, 'proxy').audit();
    assert.deepEqual(rows.filter(({ label }) => label === 'angry').map(({ event, count }) => [event, count]), [['data', 1]]);
    assert.equal(typeof constructorNameOf(angry), 'string');
    assert.equal(kindOf(new Proxy({}, { getPrototypeOf() { throw new Error('trap'); } })), undefined);
  });

  test('is counted as Node itself counts it', () => {
    const { port1, port2 } = new MessageChannel();
    port1.on('message', () => {});
    port1.addEventListener('message', () => {});
    const signal = new AbortController().signal;
    for (let i = 0; i < 5; i++) signal.addEventListener('abort', () => {}, { once: i % 2 === 0 });
    signal.onabort = () => {};
    for (const [target, event] of [[port1, 'message'], [signal, 'abort']]) {
      const counts = new Map();
      visitCounts(target, kindOf(target), (name, count) => counts.set(name, count));
      assert.equal(counts.get(event), getEventListeners(target, event).length);
    }
    port1.close();
    port2.close();
  });
});

test('options are checked', () => {
  for (const [options, name] of [[{ intervalMs: 1 }, 'intervalMs'], [{ intervalMs: '5' }, 'intervalMs'], [{ resources: 1 }, 'resources'],
    [{ locate: 'yes' }, 'locate'], [null, 'options']]) {
    assert.throws(() => new ListenerAuditor(options), ({ code, message }) => code === 'HEAPWARDEN_ERR_INVALID_ARG' && message.startsWith(name));
  }
  assert.throws(() => new MemoryMonitor({ listeners: 'yes' }), { code: 'HEAPWARDEN_ERR_INVALID_ARG', message: /^listeners:/ });
});

describe('auditListeners', () => {
  test('names who listens on emitters that nobody watches, with the line, and what keeps the emitter', async (t) => {
    const busses = [quietBus(), quietBus()];
    globalThis.busOfTheTest = busses[1];
    t.after(() => { delete globalThis.busOfTheTest; });
    for (let i = 0; i < 20; i++) busses[1].once('order', function onOrder() {}); // once
    for (let i = 0; i < 3; i++) busses[1].on('order', function always() {});
    busses[0].on('order', () => {});
    const audit = await auditListeners();
    const row = audit.listeners.find(({ constructorName, event }) => constructorName === 'Bus' && event === 'order');
    assert.deepEqual([row.emitters, row.count, row.most], [2, 24, 23]);
    assert.deepEqual(row.functions.slice(0, 2).map(({ name, count }) => [name, count]), [['onOrder', 20], ['always', 3]]);
    assert.deepEqual([row.location.file, row.location.line], [__filename, lineOf('// once')]);
    assert.ok(row.retainerPath.some(({ edge }) => edge === 'busOfTheTest' || edge === 'busses'), JSON.stringify(row.retainerPath));
    assert.equal(audit.mode, takenInClone ? 'clone' : 'inline');
    assert.ok(audit.pauseMs > 0 && audit.durationMs >= audit.pauseMs);
  });

  test('follows a signal\'s chain, of functions and of objects', async () => {
    const { signal } = new AbortController();
    for (let i = 0; i < 30; i++) signal.addEventListener('abort', function onAbort() {}); // chain
    for (let i = 0; i < 20; i++) signal.addEventListener('abort', { handleEvent: function handled() {} });
    const { listeners } = await auditListeners();
    const row = listeners.find(({ functions }) => functions.some(({ name }) => name === 'onAbort'));
    assert.deepEqual([row.constructorName, row.event], ['AbortSignal', 'abort']);
    assert.ok(row.most >= 50, `${row.most}`);
    const chain = row.functions.find(({ name }) => name === 'onAbort');
    assert.deepEqual([chain.count, chain.location.file, chain.location.line], [30, __filename, lineOf('// chain')]);
    assert.equal(row.functions.find(({ name }) => name === 'handled').count, 20);
    assert.equal(getEventListeners(signal, 'abort').length, 50, 'the signal was alive');
  });

  test('tells timers, handles, and who waits for promises', async (t) => {
    const server = net.createServer().listen(0);
    const timers = Array.from({ length: 7 }, () => setTimeout(function forgotten() {}, 1e6)); // timers
    t.after(() => {
      server.close();
      timers.forEach(clearTimeout);
    });
    const gates = [];
    async function waitsForEver() { await new Promise((resolve) => { gates.push(resolve); }); } // waits
    for (let i = 0; i < 9; i++) waitsForEver();
    const open = new Promise((resolve) => { gates.push(resolve); });
    open.then(function afterwards() {});
    const audit = await auditListeners();
    const timer = audit.timers.find(({ callback }) => callback === 'forgotten');
    assert.deepEqual([timer.count, timer.location.line], [7, lineOf('// timers')]);
    const handle = audit.handles.find(({ owner }) => owner === 'Server');
    assert.deepEqual([handle.constructorName, handle.count], ['TCP', 1]);
    const waits = audit.waiters.find(({ name }) => name === 'waitsForEver');
    assert.deepEqual([waits.how, waits.count, waits.location.line], ['await', 9, lineOf('// waits')]);
    const then = audit.waiters.find(({ name }) => name === 'afterwards');
    assert.deepEqual([then.how, then.count], ['then', 1]);
    assert.ok(audit.promises.awaited >= 10);
    assert.ok(audit.resources.Timeout >= 7, JSON.stringify(audit.resources));
    assert.equal(gates.length, 10);
  });

  test('can be aborted', async () => {
    await assert.rejects(auditListeners({ signal: AbortSignal.abort(new Error('no')) }), /no/);
  });
});

test('growth is told with its line, from a clone', { skip: !takenInClone && 'no clone can be made' }, async () => {
  const bus = quietBus();
  const auditor = new ListenerAuditor({ resources: false }).watch(bus, 'orders');
  const growth = once(auditor, 'growth');
  for (let tick = 0; tick < 32; tick++) {
    bus.once('data', function onData() {}); // located
    auditor.audit();
  }
  const [{ location, functions, retainerPath }] = await growth;
  assert.deepEqual([location.file, location.line], [__filename, lineOf('// located')]);
  assert.equal(functions[0].name, 'onData');
  assert.ok(retainerPath.length > 0);
});

test('what waits for a clone is told without a line when the auditor stops', { skip: !takenInClone && 'no clone can be made' }, async () => {
  const bus = quietBus();
  const auditor = new ListenerAuditor({ resources: false, intervalMs: 86_400_000 }).watch(bus, 'orders').start();
  const growths = [];
  auditor.on('growth', (growth) => growths.push(growth));
  for (let tick = 0; tick < 32; tick++) {
    bus.on('data', () => {});
    auditor.audit();
  }
  auditor.stop();
  await settled();
  assert.deepEqual(growths.map(({ label, location }) => [label, location]), [['orders', null]]);
});

describe('a monitor', () => {
  test('tells what its auditor finds as `listeners`, and where nobody listens the logger', async (t) => {
    const lines = [];
    const logger = { warn: (details, message) => lines.push([details, message]) };
    const monitor = new MemoryMonitor({ evidence: 'none', logger });
    t.after(() => monitor.stop());
    const bus = quietBus();
    monitor.auditor.watch(bus, 'orders');
    const growths = [];
    for (let tick = 0; tick < 32; tick++) {
      bus.on('data', function onData() {});
      monitor.auditor.audit();
    }
    await settled();
    assert.equal(lines.length, 1);
    assert.equal(lines[0][0].code, 'HEAPWARDEN_LISTENERS');
    assert.match(lines[0][1], /^Listeners only ever become more: \d+ listeners for 'data' on Bus "orders", \d+ more at \d+ an hour \(onData\)$/);
    monitor.on('listeners', (growth) => growths.push(growth));
    for (let tick = 0; tick < 64; tick++) {
      bus.on('data', function onData() {});
      monitor.auditor.audit();
    }
    await settled();
    assert.ok(growths.length > 0 && growths[0].label === 'orders');
    assert.equal(lines.length, 1);
  });

  test('leaves its process\'s listeners alone where told to', (t) => {
    const before = process.listenerCount('warning');
    const monitor = new MemoryMonitor({ listeners: false }).start();
    t.after(() => monitor.stop());
    assert.equal(process.listenerCount('warning'), before);
    const other = new MemoryMonitor().start();
    assert.equal(process.listenerCount('warning'), before + 1);
    other.stop();
    assert.equal(process.listenerCount('warning'), before);
  });
});

test('a running auditor does not keep the process alive', async () => {
  const { code, stdout } = await evaluate(`
    const { ListenerAuditor } = require(${JSON.stringify(ROOT)});
    new ListenerAuditor({ intervalMs: 10 }).start();
    process.on('exit', () => console.log('over'));
  `);
  assert.deepEqual([code, stdout], [0, 'over\n']);
});

test('heapwarden/register prints a line where listeners become too many', async () => {
  const program = `
    const { EventEmitter } = require('node:events');
    class Orders extends EventEmitter {}
    const orders = new Orders();
    const count = Number(process.env.LISTENERS);
    for (let i = 0; i < count; i++) orders.on('paid', function onPaid() {});
    setTimeout(() => console.log('done'), 50);
  `;
  const args = ['--no-warnings', '--require', 'heapwarden/register', '-e', program];
  const leaky = await run(args, { env: { LISTENERS: '11' } });
  assert.deepEqual([leaky.code, leaky.stdout], [0, 'done\n'], leaky.stderr);
  assert.match(leaky.stderr, /^heapwarden: Many listeners: 11 listeners for 'paid' on Orders(, the last added at .*)?\n$/);
  for (const env of [{ LISTENERS: '10' }, { LISTENERS: '11', HEAPWARDEN_LISTENERS: 'off' }]) {
    const healthy = await run(args, { env });
    assert.deepEqual([healthy.code, healthy.stdout, healthy.stderr], [0, 'done\n', '']);
  }
});

test('the line of a resource', () => {
  const line = alertMessage('listeners', {
    reason: 'rising', kind: 'resource', label: 'process', constructorName: 'Timeout', event: null, count: 60, countDelta: 22, growthPerHour: 2640.4,
    functions: [{ name: 'poll', location: { file: '/srv/poll.js', line: 7, column: 3 }, count: 60 }],
    location: { file: '/srv/poll.js', line: 7, column: 3 }, retainerPath: [], since: null, stack: null,
  });
  assert.equal(line, 'Resources only ever become more: 60 Timeout, 22 more at 2640 an hour (poll /srv/poll.js:7)');
});
