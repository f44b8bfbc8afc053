'use strict';

// Databases that the programs talk to: processes of their own, so that the heap under test has the client's half alone.

const { fork } = require('node:child_process');
const path = require('node:path');

/** Starts a stand-in of this folder and gives its port. It ends with this process. */
function standIn(file) {
  return new Promise((resolve, reject) => {
    const child = fork(path.join(__dirname, file), { execArgv: [], stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    child.once('message', resolve);
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${file} ended with ${code}`)));
    child.unref();
  });
}

module.exports = { standIn };
