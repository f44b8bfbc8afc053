'use strict';

const { drive } = require('../drive.js');

class Call {
  constructor(id) {
    this.params = { query: `select ${id}` };
    this.answered = new Promise((resolve) => { this.resolve = resolve; });
  }
}

const calls = new Map();

async function ask(id) {
  const call = new Call(id);
  calls.set(id, call);
  return [await call.answered, id];
}

drive((i) => { void ask(i); });
