'use strict';

const { drive } = require('../drive.js');

class Session {
  constructor(id) {
    this.user = `user-${id}`;
    this.since = id;
    this.rights = ['read', 'write', id];
  }
}

const sessions = new Map();

drive((i) => { sessions.set(`token-${i}`, new Session(i)); });
