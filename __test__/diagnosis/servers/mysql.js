'use strict';

// A MySQL server as far as the programs need one: any query succeeds, unless it speaks of something closed.

const mysql = require('mysql2');

const server = mysql.createServer();
let lastId = 0;
server.on('connection', (connection) => {
  connection.serverHandshake({
    protocolVersion: 10, serverVersion: '8.0.0-stand-in', connectionId: ++lastId, statusFlags: 2, characterSet: 8,
    // All but encryption and compression.
    capabilityFlags: 0xffffff & ~(0x800 | 0x20),
  });
  connection.on('query', (sql) => {
    if (sql.includes('closed')) connection.writeError({ code: 1644, message: 'The account is closed' });
    else connection.writeOk({ affectedRows: 1 });
  });
  connection.on('error', () => {});
});
server.listen(0, '127.0.0.1', () => process.send(server._server.address().port));
process.on('disconnect', () => process.exit(0));
