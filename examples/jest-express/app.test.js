'use strict';

const request = require('supertest');
const { createApp } = require('./app');

describe('GET /users/:id', () => {
  test('leaves nothing behind', async () => {
    const app = createApp();
    await expect(() => request(app).get('/users/7').expect(200)).not.toLeak({ iterations: 200 });
  }, 300_000);

  test('is caught where it does', async () => {
    const app = createApp({ forgets: false });
    const check = expect(() => request(app).get('/users/7').expect(200)).not.toLeak({ iterations: 200 });
    await expect(check).rejects.toThrow(/each call leaves 1 RequestRecord [^]*Map `requestsById`/);
  }, 300_000);

  test('stays within a budget', async () => {
    const app = createApp({ forgets: false });
    await expect(() => request(app).get('/users/7').expect(200)).toLeakLessThan({ bytesPerIteration: 50_000, iterations: 200 });
  }, 300_000);
});
