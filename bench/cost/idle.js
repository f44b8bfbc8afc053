'use strict';

// What Heapwarden takes in a program that does nothing: two processes side by side, one with heapwarden/register.

const { fork } = require('node:child_process');
const { once } = require('node:events');
const path = require('node:path');
const { setTimeout: passed } = require('node:timers/promises');

const REGISTER = path.resolve(__dirname, '..', '..', 'lib', 'register.js');
/** Loading and starting is another figure, and so is what comes some 0.2 s later. */
const BEGUN_MS = 5000;

/** Processor time by the hour, in ms, of each pair that ran side by side for `seconds`. */
async function idle({ node, pairs, seconds, directory }) {
  const differences = await Promise.all(Array.from({ length: pairs }, async () => {
    const [bare, beside] = [[], ['--require', REGISTER]].map((execArgv) => fork(__filename, [], {
      execPath: node, execArgv, cwd: directory, env: { ...process.env, HEAPWARDEN_DIR: path.join(directory, 'evidence') },
    }));
    const ask = async (child) => {
      child.send('cpu');
      return (await once(child, 'message'))[0];
    };
    await passed(BEGUN_MS);
    const before = [await ask(bare), await ask(beside)];
    await passed(seconds * 1000);
    const after = [await ask(bare), await ask(beside)];
    bare.kill();
    beside.kill();
    return ((after[1] - before[1] - (after[0] - before[0])) * 3600) / seconds;
  }));
  return differences;
}

if (require.main === module) {
  process.on('message', () => {
    const { user, system } = process.cpuUsage();
    process.send((user + system) / 1000);
  });
}

module.exports = { idle };
