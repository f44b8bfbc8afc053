'use strict';

// Fills a cache to three quarters of a heap of 64 MB and replaces its entries for as long as it lives.

const { catalogue } = require('../drive.js');

class Entry {
  constructor(id) {
    this.key = `key-${id}`;
    this.values = [id, id, id, id];
  }
}

const cache = new Map();
const end = Date.now() + Number(process.argv[2] ?? 3000);
let id = 0;

function turn() {
  for (let n = 0; n < 2000; n++) {
    cache.set(id, new Entry(id));
    if (cache.size > 150_000) cache.delete(id - 150_000);
    id += 1;
  }
  if (Date.now() < end) setImmediate(turn);
  else console.log(`done ${catalogue.length}`);
}
turn();
