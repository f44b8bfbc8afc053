'use strict';

const { drive } = require('../drive.js');

class LogEntry {
  constructor(id) {
    this.id = id;
    this.fields = { path: `/orders/${id}`, status: 200, tookMs: id % 90 };
  }
}

const journal = [];

drive((i) => { journal.push(new LogEntry(i)); });
