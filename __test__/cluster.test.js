'use strict';

// Many processes of one program: each has its own monitor and recording, in one directory, and a label that tells them apart.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { readRecording } = require('..');
const { folder, run } = require('./support');

const fixture = (name) => path.join(__dirname, 'fixtures', name);
const linux = { skip: process.platform !== 'linux' && 'recordings are there on Linux' };

const lives = (directory) => fs.readdirSync(directory).filter((name) => name.endsWith('.hwr')).map((name) => readRecording(path.join(directory, name)));

test('a cluster: each worker has a recording, replaced ones too, and the death of one is told by the next', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const { code, stdout, stderr } = await run(['--require', 'heapwarden/register', fixture('clustered.js')], {
    env: { HEAPWARDEN_DIR: directory, HEAPWARDEN_INTERVAL_MS: '50' },
  });
  assert.equal(code, 0, stderr);
  const { primary, pids, ends, served } = JSON.parse(stdout);
  assert.ok(served > 1, `${served} workers have served`);
  assert.deepEqual(ends, [7, 'SIGKILL', 0, 0, 0, 0]);
  const recorded = lives(directory);
  const byPid = new Map(recorded.map((life) => [life.header.pid, life]));
  assert.equal(recorded.length, 7, 'the primary, four workers and two in their places');
  assert.deepEqual([...byPid.keys()].sort(), [primary, ...pids].sort());
  const ways = pids.map((pid) => byPid.get(pid).life.ended);
  assert.equal(ways.filter((ended) => ended === 'unknown').length, 1, `one was killed: ${ways}`);
  assert.ok(recorded.every(({ alive, damage }) => !alive && damage.length === 0));
  const told = stderr.split('\n').filter((line) => /^heapwarden: Process \d+ did not end cleanly/.test(line));
  assert.ok(told.length <= 1, 'of each death once, whoever looks');
});

test('a program without a primary of its own: forks with IPC, as process managers have them', linux, async (t) => {
  const directory = path.join(folder(t), 'evidence');
  const script = `
    const { fork } = require('node:child_process');
    if (process.send) process.on('message', (message) => process.send([message, process.pid], () => process.disconnect()));
    else for (let i = 0; i < 3; i++) fork(__filename).on('message', ([message]) => console.log(message)).send('ping');
  `;
  const file = path.join(folder(t), 'forks.js');
  fs.writeFileSync(file, script);
  const { code, stdout, stderr } = await run(['--require', 'heapwarden/register', file], { env: { HEAPWARDEN_DIR: directory } });
  assert.deepEqual([code, stdout, stderr], [0, 'ping\nping\nping\n', '']);
  const recorded = lives(directory);
  assert.equal(new Set(recorded.map(({ header }) => header.pid)).size, 4);
  assert.ok(recorded.every(({ life }) => life.ended === 'clean'), JSON.stringify(recorded.map(({ life }) => life.ended)));
});
