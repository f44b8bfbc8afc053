'use strict';

const { setTimeout: sleep } = require('node:timers/promises');
const { promisify } = require('node:util');
const request = require('supertest');
const { createApp } = require('../app');

let server;
let timer;
beforeAll((done) => {
  timer = setInterval(() => {}, 60_000);
  server = createApp().listen(0, '127.0.0.1', done);
});
// Runs after the hooks of setup files, before the file is looked at.
afterAll((done) => {
  clearInterval(timer);
  server.close(done);
});

beforeEach(() => jest.resetModules());
afterEach(() => jest.useRealTimers());

test('takes its listeners away', () => {
  const listener = () => {};
  process.on('warning', listener);
  process.off('warning', listener);
});

test('asks servers that are closed in the end', async () => {
  await request(server).get('/users/7').expect(200);
  await request(require('../app').createApp()).get('/users/7').expect(200);
});

test('has timers that are over, that keep nothing alive, or that a fake clock has', async () => {
  await sleep(10);
  await promisify(setTimeout)(10);
  setTimeout(() => {}, 10);
  setInterval(() => {}, 60_000).unref();
  jest.useFakeTimers();
  setInterval(() => {}, 60_000);
});
