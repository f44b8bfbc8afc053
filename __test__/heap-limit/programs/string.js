'use strict';

const { drive } = require('../drive.js');

const lines = [];

drive((i) => { lines.push(Buffer.from(`${i} ${'request served '.repeat(8)}`).toString()); });
