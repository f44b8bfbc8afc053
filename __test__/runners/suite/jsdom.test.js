'use strict';

const { take, takeAndShip } = require('./orders');

class Resizer {
  constructor() {
    this.onResize = () => this.resize();
  }

  resize() {}
}

function listen() {
  const resizer = new Resizer();
  window.addEventListener('resize', resizer.onResize);
  return resizer;
}

test('leaks: 1 Order, written at orders.js', async () => {
  await expect(take).not.toLeak({ iterations: 200 });
}, 120_000);

// jsdom's own record of a listener.
test('leaks: 1 Object, in resize', async () => {
  await expect(() => { listen(); }).not.toLeak({ iterations: 200 });
}, 120_000);

test('fine', async () => {
  await expect(takeAndShip).not.toLeak({ iterations: 200 });
}, 120_000);

test('fine: an element that comes and goes', async () => {
  await expect(() => {
    const element = document.body.appendChild(document.createElement('p'));
    element.textContent = 'resized';
    element.remove();
    window.removeEventListener('resize', listen().onResize);
  }).not.toLeak({ iterations: 200 });
}, 120_000);
