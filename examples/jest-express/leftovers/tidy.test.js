'use strict';

let timer;
beforeAll(() => { timer = setInterval(() => {}, 60_000); });
// Runs after the hooks of setup files, before the file is looked at.
afterAll(() => clearInterval(timer));

test('cleans up', () => {
  const listener = () => {};
  process.on('warning', listener);
  process.off('warning', listener);
});
