'use strict';

// Pictures sent to users; who is away finds them in his mailbox. Five of ten users never come back.

const { once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');
const { drive, listening } = require('../../drive.js');

class Mailbox {
  constructor(user) {
    this.user = user;
    this.waiting = [];
  }

  put(picture) {
    this.waiting.push(picture);
    if (this.waiting.length > 3) this.waiting.shift();
  }

  take() {
    return this.waiting.splice(0);
  }
}

const mailboxes = Array.from({ length: 10 }, (_, user) => new Mailbox(user));
const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
wss.on('connection', (socket) => {
  socket.on('message', (picture) => {
    const mailbox = mailboxes[picture[0]];
    mailbox.put(picture);
    if (mailbox.user < 5) mailbox.take();
    socket.send('stored');
  });
});

drive({
  units: 30,
  width: 1,
  async start() {
    const socket = new WebSocket(`ws://127.0.0.1:${await listening(wss)}`);
    await once(socket, 'open');
    return socket;
  },
  async unit(i, socket) {
    socket.send(Buffer.alloc(24 * 1024, i % 10));
    await once(socket, 'message');
  },
});
