'use strict';

// What the watch over the container costs: processor time of its thread a second, far from the limit, half full, and in an incident.
// node bench/container-watch.js [--seconds 20]

const fs = require('node:fs');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { memoryGroup } = require('./container-deaths/group');

const ROOT = path.resolve(__dirname, '..');
const MB = 1024 * 1024;
const THREAD = 'heapwarden-cgrp';

/** Nanoseconds that the thread has run. */
function ran() {
  for (const id of fs.readdirSync('/proc/self/task')) {
    const dir = `/proc/self/task/${id}`;
    if (fs.readFileSync(`${dir}/comm`, 'utf8').trim() === THREAD) return Number(fs.readFileSync(`${dir}/schedstat`, 'utf8').split(' ')[0]);
  }
  return undefined;
}

const sleep = (ms) => new Promise((resolve) => { setTimeout(resolve, ms); });

/** In the group: holds `held` bytes and says what the watch has cost over some seconds. */
async function measure(held, seconds) {
  const { MemoryMonitor } = require(ROOT);
  const block = Buffer.alloc(held, 1);
  const monitor = new MemoryMonitor({ evidence: 'none', blackBox: false, listeners: false, logger: { warn() {} } });
  monitor.start();
  await sleep(3000);
  const before = ran();
  await sleep(seconds * 1000);
  const spent = before === undefined ? null : (ran() - before) / seconds / 1000;
  monitor.stop();
  console.log(JSON.stringify({ microsecondsASecond: spent, held: block.length }));
}

async function main() {
  const { values } = parseArgs({ options: { seconds: { type: 'string', default: '20' }, measure: { type: 'string' } } });
  const seconds = Number(values.seconds);
  if (values.measure) return measure(Number(values.measure), seconds);
  for (const [name, limitMB] of [['far from the limit', 4096], ['half full', 600], ['in an incident', 418]]) {
    const group = memoryGroup(limitMB * MB);
    try {
      const args = [process.execPath, __filename, '--measure', String(340 * MB), '--seconds', values.seconds];
      const { stdout, stderr } = await group.run(args, { env: process.env, stdio: ['ignore', 'pipe', 'pipe'] });
      if (stderr) throw new Error(stderr);
      const { microsecondsASecond } = JSON.parse(stdout);
      console.log(`${name.padEnd(20)} ${microsecondsASecond?.toFixed(0) ?? '?'} us of processor time a second (${group.kind})`);
    } finally {
      group.close();
    }
  }
  return undefined;
}

main();
