import { afterAll, expect, test } from 'vitest';
import { createApp } from './app.js';

const apps = [];
const open = (options) => {
  const app = createApp(options);
  apps.push(app);
  return app;
};
afterAll(() => Promise.all(apps.map((app) => app.close())));

test('a list of the last visits is no leak', async () => {
  const app = open();
  await expect(() => app.inject('/users/7')).not.toLeak({ iterations: 200 });
}, 300_000);

test('a list of all visits is one', async () => {
  const app = open({ keeps: Infinity });
  const check = expect(() => app.inject('/users/7')).not.toLeak({ iterations: 200 });
  await expect(check).rejects.toThrow(/each call leaves 1 Visit [^]*Array `visits`/);
}, 300_000);
