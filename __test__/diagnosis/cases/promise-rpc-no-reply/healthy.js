'use strict';

// Calls over a WebSocket; who gets no answer in time goes on without.

const { once } = require('node:events');
const { WebSocket, WebSocketServer } = require('ws');
const { drive, listening, sleep } = require('../../drive.js');

class Call {
  constructor(method, params) {
    this.method = method;
    this.params = params;
    this.answered = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
  }
}

const calls = new Map();
let lastId = 0;

async function call(socket, method, params) {
  const id = ++lastId;
  const pending = new Call(method, params);
  calls.set(id, pending);
  socket.send(JSON.stringify({ id, method, params }));
  const answer = await Promise.race([pending.answered, sleep(20)]);
  calls.delete(id);
  return answer ?? 'no answer';
}

function answered(data) {
  const { id, result } = JSON.parse(data);
  calls.get(id)?.resolve(result);
  calls.delete(id);
}

const wss = new WebSocketServer({ port: 0, host: '127.0.0.1' });
wss.on('connection', (peer) => {
  peer.on('message', (data) => {
    const { id, params } = JSON.parse(data);
    if (id % 3 !== 0) peer.send(JSON.stringify({ id, result: params.length }));
  });
});

drive({
  units: 60,
  async start() {
    const socket = new WebSocket(`ws://127.0.0.1:${await listening(wss)}`);
    socket.on('message', answered);
    await once(socket, 'open');
    return socket;
  },
  async unit(i, socket) {
    await call(socket, 'sum', Array.from({ length: 4 }, (_, n) => ({ n, value: i + n })));
  },
});
