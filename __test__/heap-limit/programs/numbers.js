'use strict';

const { drive } = require('../drive.js');

const samples = [];

// One array of numbers that only grows: no object is leaked.
drive((i) => { samples.push(i + 0.5); });
