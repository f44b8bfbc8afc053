'use strict';

// A PostgreSQL server as far as the programs need one: lets anybody in and answers every statement with one row, `id` and `name`.
// Messages are a letter, a length that counts itself, and a body; only the first of a connection has no letter.

const net = require('node:net');

const SSL_REQUEST = 80877103;
const TEXT = 25;

function message(letter, ...parts) {
  const body = Buffer.concat(parts);
  const head = Buffer.alloc(5);
  head.write(letter);
  head.writeInt32BE(body.length + 4, 1);
  return Buffer.concat([head, body]);
}

const int16 = (value) => Buffer.from([value >> 8, value & 255]);
const int32 = (value) => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};
const string = (text) => Buffer.from(`${text}\0`);
const cell = (text) => Buffer.concat([int32(Buffer.byteLength(text)), Buffer.from(text)]);
/** Name, table, column of it, type, size of the type, its modifier, text rather than binary. */
const column = (name) => Buffer.concat([string(name), int32(0), int16(0), int32(TEXT), int16(0xffff), int32(-1), int16(0)]);

const READY = message('Z', Buffer.from('I'));
const COLUMNS = message('T', int16(2), column('id'), column('name'));
const ROW = message('D', int16(2), cell('7'), cell('Ada'));
const DONE = message('C', string('SELECT 1'));
/** What is said to a message, by its letter: Parse, Bind, Describe, Execute, Sync, Query. */
const ANSWERS = {
  P: message('1'), B: message('2'), D: COLUMNS, E: Buffer.concat([ROW, DONE]), S: READY, Q: Buffer.concat([COLUMNS, ROW, DONE, READY]),
};

const server = net.createServer((socket) => {
  let rest = Buffer.alloc(0);
  let started = false;
  socket.on('error', () => {});
  socket.on('data', (data) => {
    rest = Buffer.concat([rest, data]);
    for (;;) {
      const head = started ? 1 : 0;
      if (rest.length < head + 4) return;
      const length = head + rest.readInt32BE(head);
      if (rest.length < length) return;
      const letter = started ? String.fromCharCode(rest[0]) : '';
      const code = started ? 0 : rest.readInt32BE(4);
      rest = rest.subarray(length);
      if (code === SSL_REQUEST) {
        socket.write('N');
      } else if (!started) {
        started = true;
        socket.write(Buffer.concat([message('R', int32(0)), message('K', int32(1), int32(2)), READY]));
      } else if (letter === 'X') {
        socket.end();
      } else if (ANSWERS[letter]) {
        socket.write(ANSWERS[letter]);
      }
    }
  });
});
server.listen(0, '127.0.0.1', () => process.send(server.address().port));
process.on('disconnect', () => process.exit(0));
