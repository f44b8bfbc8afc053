'use strict';

// What the kernel knows of a process, from outside.

const fs = require('node:fs');
const path = require('node:path');

const KB = 1024;

const read = (pid, ...file) => fs.readFileSync(path.join('/proc', String(pid), ...file), 'utf8');

/** The figures after `names` in a text of lines such as `Pss: 12 kB`, in bytes. */
function bytesOf(text, names) {
  return Object.fromEntries(names.map((name) => [name, Number(new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(text)[1]) * KB]));
}

/** Children of all of its threads, of which some may wait to be buried. */
function children(pid) {
  const pids = fs.readdirSync(path.join('/proc', String(pid), 'task')).flatMap((task) => read(pid, 'task', task, 'children').trim().split(' ')).filter(Boolean);
  const isZombie = (child) => {
    try {
      return /\) Z /.test(read(child, 'stat'));
    } catch {
      // It has been buried since.
      return false;
    }
  };
  return { children: pids.length, zombies: pids.filter(isZombie).length };
}

/** The first heap of the C allocator: what lies behind the program's data. */
function brkBytes(maps) {
  const [, from, to] = /^([0-9a-f]+)-([0-9a-f]+) .*\[heap\]$/m.exec(maps) ?? [null, '0', '0'];
  return Number.parseInt(to, 16) - Number.parseInt(from, 16);
}

/** What the process `pid` holds: memory in bytes, everything else in numbers. */
function outside(pid) {
  const { RssAnon: rssAnon } = bytesOf(read(pid, 'status'), ['RssAnon']);
  const { Pss: pss } = bytesOf(read(pid, 'smaps_rollup'), ['Pss']);
  const maps = read(pid, 'maps');
  return {
    rssAnon, pss, brk: brkBytes(maps),
    mappings: maps.split('\n').length - 1,
    fds: fs.readdirSync(path.join('/proc', String(pid), 'fd')).length,
    threads: fs.readdirSync(path.join('/proc', String(pid), 'task')).length,
    ...children(pid),
  };
}

/** How many files there are below a folder, and how long they are together. */
function folder(directory) {
  const names = fs.existsSync(directory) ? fs.readdirSync(directory, { recursive: true }) : [];
  const sizes = names.map((name) => fs.statSync(path.join(directory, name), { throwIfNoEntry: false })).filter((stat) => stat?.isFile()).map(({ size }) => size);
  return { files: sizes.length, fileBytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** The processor time of a process and its buried children, in milliseconds. */
function cpuMs(pid) {
  const fields = read(pid, 'stat').replace(/^.*\) /s, '').split(' ');
  // utime, stime, cutime, cstime; a hundredth of a second each, as everywhere on Linux.
  return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks) * 10, 0);
}

module.exports = { outside, folder, cpuMs };
