'use strict';

const { drive } = require('../drive.js');

// Never settled: what it waits for does not come.
const config = new Promise(() => {});

drive((i) => {
  const page = { url: `/pages/${i}`, parts: [i, i] };
  void config.then(function render() { return page; });
});
