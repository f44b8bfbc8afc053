'use strict';

const { drive } = require('../drive.js');

class Poller {
  constructor(id) {
    this.order = { id, items: [`item-${id}`, id] };
    this.timer = setInterval(() => this.ask(), 1e9);
  }

  ask() {
    return this.order;
  }
}

drive((i) => { void new Poller(i); });
