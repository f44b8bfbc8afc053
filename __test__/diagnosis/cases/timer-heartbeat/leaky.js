'use strict';

// A feed over WebSocket that pings its clients.

const { once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');
const { drive, listening } = require('../../drive.js');

const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
wss.on('connection', (socket) => {
  const heartbeat = () => { // <-- leak
    if (socket.readyState === WebSocket.OPEN) socket.ping();
  };
  setInterval(heartbeat, 30_000); // <-- leak
  socket.send('welcome');
});

drive({
  units: 16,
  start: () => listening(wss),
  async unit(i, port) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    await once(socket, 'message');
    socket.close();
    await once(socket, 'close');
  },
});
