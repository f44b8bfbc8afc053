'use strict';

// A receiver of messages over WebSocket, which come once or twice.

const { once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');
const { drive, listening } = require('../../drive.js');

const seen = new Set();
let handled = 0;

const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
wss.on('connection', (socket) => {
  socket.on('message', (data) => {
    const { key } = JSON.parse(data);
    if (!seen.has(key)) {
      seen.add(key);
      if (seen.size > 100) seen.delete(seen.values().next().value);
      handled += 1;
    }
    socket.send(String(handled));
  });
});

drive({
  units: 400,
  width: 1,
  async start() {
    const socket = new WebSocket(`ws://127.0.0.1:${await listening(wss)}`);
    await once(socket, 'open');
    return socket;
  },
  async unit(i, socket) {
    socket.send(JSON.stringify({ key: `order/${i >> 1}/${'0123456789abcdef'.repeat(4)}`, amount: i }));
    await once(socket, 'message');
  },
});
