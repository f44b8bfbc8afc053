'use strict';

// A program that fills its container: node program.js KIND MB_A_SECOND. Nothing in it knows of Heapwarden.

const [kind, rate] = [process.argv[2], Number(process.argv[3])];
const MB = 1024 * 1024;
const STEP_MS = 20;

class Order {
  constructor(id) {
    this.id = id;
    this.lines = new Array(110).fill(id);
  }
}
/** Some 1 kB each. */
const orders = [];
const uploads = [];

const leaks = {
  heap(bytes) {
    for (let i = 0; i < bytes / 1024; i++) orders.push(new Order(orders.length));
  },
  buffers(bytes) {
    uploads.push(Buffer.alloc(bytes, 1));
  },
};

const bytes = Math.round((rate * MB * STEP_MS) / 1000);

if (kind === 'blocked') {
  // The event loop never turns again.
  const wait = new Int32Array(new SharedArrayBuffer(4));
  setTimeout(() => {
    for (;;) {
      leaks.heap(bytes);
      Atomics.wait(wait, 0, 0, STEP_MS);
    }
  }, 300);
} else {
  setInterval(() => leaks[kind](bytes), STEP_MS);
}
