// An ES module: run with node --experimental-vm-modules.

import { expect, test } from '@jest/globals';
import { inspectLeaks } from 'heapwarden';
import request from 'supertest';
import { createApp } from './app.js';

test('a test that is an ES module', async () => {
  const app = createApp();
  await expect(() => request(app).get('/users/7')).not.toLeak({ iterations: 200 });
}, 300_000);

test('the numbers behind it', async () => {
  const app = createApp({ forgets: false });
  const { leaked, culprits: [first] } = await inspectLeaks(() => request(app).get('/users/7'), { iterations: 200 });
  expect({ leaked, pattern: first.pattern }).toEqual({ leaked: true, pattern: 'collection' });
}, 300_000);
