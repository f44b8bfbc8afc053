'use strict';

test('listens to the process for ever', () => {
  process.on('warning', () => {});
  process.on('warning', () => {});
});
