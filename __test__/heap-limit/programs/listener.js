'use strict';

const { EventEmitter } = require('node:events');
const { drive } = require('../drive.js');

const bus = new EventEmitter().setMaxListeners(0);

function handle(i) {
  const request = { id: i, url: `/orders/${i}`, headers: { host: 'shop', accept: `type-${i}` } };
  bus.on('change', function onChange() { return request.url; });
}

drive(handle);
