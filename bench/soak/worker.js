'use strict';

// A thread of the soaked service: works a little, says so, and ends, or waits to be ended.

const { parentPort, workerData } = require('node:worker_threads');
const { quote } = require('../overhead/catalogue');

const lines = Array.from({ length: 50 }, (_, i) => ({ sku: `sku-${i}`, quantity: 1 }));
let totalCents = 0;
for (let customer = 0; customer < 20; customer++) totalCents += quote({ customer: `${customer}`, lines }).totalCents;
parentPort.postMessage(totalCents);
if (workerData?.isEndless) setInterval(() => {}, 1000);
