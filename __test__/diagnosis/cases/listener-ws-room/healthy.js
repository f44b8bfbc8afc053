'use strict';

// A chat: who connects is in the lobby and hears what is said there.

const { EventEmitter, once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');
const { drive, listening } = require('../../drive.js');

class Room extends EventEmitter {
  constructor(name) {
    super();
    this.name = name;
    this.setMaxListeners(0);
  }

  say(from, text) {
    this.emit('message', `${this.name}/${from}: ${text}`);
  }
}

const lobby = new Room('lobby');
const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });

wss.on('connection', (socket) => {
  const forward = (line) => {
    if (socket.readyState === WebSocket.OPEN) socket.send(line);
  };
  lobby.on('message', forward);
  socket.on('close', () => lobby.off('message', forward));
  socket.on('message', (text) => lobby.say('guest', text));
});

drive({
  units: 16,
  start: () => listening(wss),
  async unit(i, port) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}`);
    await once(socket, 'open');
    socket.send(`hello ${i}`);
    await once(socket, 'message');
    socket.close();
    await once(socket, 'close');
  },
});
