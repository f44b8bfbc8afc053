'use strict';

// Which monitor watches this thread, for whoever is not told: the endpoints and metrics, next to `heapwarden/register` or each other.

const { HeapwardenError } = require('./errors');

/** In the order in which they were started. */
const running = new Set();
/** The monitor that runs only because it was borrowed, and by how many. */
let lent;
let borrowers = 0;

/** Says that `monitor` was started. */
function started(monitor) {
  running.add(monitor);
}

/** Says that `monitor` was stopped. */
function stopped(monitor) {
  running.delete(monitor);
}

/** `monitor`, or the oldest one that runs in this thread. */
function monitorOr(monitor) {
  if (monitor !== undefined) return monitor;
  const [first] = running;
  if (first) return first;
  throw new HeapwardenError(
    'HEAPWARDEN_ERR_NO_MONITOR', 'no monitor runs in this thread: start Node with --import heapwarden/register, or give one that is started');
}

/**
 * The monitor that was started last; where none runs, the one that `start` gives. With `giveBack`, to be called when it is not wanted any
 * more: what runs only because it was borrowed stops with the last of those who did.
 */
function borrow(start) {
  let monitor = [...running].at(-1);
  if (monitor === undefined) {
    monitor = start();
    lent = monitor;
    borrowers = 0;
  }
  if (monitor !== lent) return { monitor, giveBack() {} };
  borrowers += 1;
  let isBack = false;
  const giveBack = () => {
    if (isBack) return;
    isBack = true;
    if (monitor !== lent) return;
    borrowers -= 1;
    if (borrowers > 0) return;
    lent = undefined;
    monitor.stop();
  };
  return { monitor, giveBack };
}

module.exports = { started, stopped, monitorOr, borrow };
