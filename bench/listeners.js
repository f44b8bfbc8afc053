'use strict';

// What a tick of a ListenerAuditor costs: processor time (user and system) of one count of 1000 watched targets, 2000 events in all.
//
//   node bench/listeners.js [targets]

const { EventEmitter } = require('node:events');
const { ListenerAuditor } = require('..');

const targets = Number(process.argv[2] ?? 1000);
const TICKS = 1000;

const auditor = new ListenerAuditor({ locate: 'none' });
const kept = [];
for (let i = 0; i < targets; i += 2) {
  const emitter = new EventEmitter().on('data', () => {}).on('end', () => {}).on('close', () => {});
  const { signal } = new AbortController();
  signal.addEventListener('abort', () => {});
  auditor.watch(emitter).watch(signal);
  kept.push(emitter, signal);
}

function microseconds(ticks) {
  const before = process.cpuUsage();
  for (let i = 0; i < ticks; i++) auditor.audit();
  const { user, system } = process.cpuUsage(before);
  return (user + system) / ticks;
}

microseconds(TICKS / 5);
const spent = microseconds(TICKS);
console.log(`${kept.length} targets: ${spent.toFixed(0)} us a count, ${(spent / kept.length).toFixed(2)} us a target, ` +
  `${((spent / 30e6) * 100).toFixed(4)} % of one processor at the default interval`);
