'use strict';

// As they are before a test fakes them.
const { clearTimeout, setTimeout } = require('node:timers');

/** What one part of what a report is told with may take. */
const MOST_MS = 5000;

/** Waits for `promise`, whatever comes of it, and no longer than `ms`: a file of a machine that does not answer must not keep an alert back. */
async function within(promise, ms) {
  let timer;
  const late = new Promise((resolve) => { timer = setTimeout(resolve, ms).unref(); });
  try {
    await Promise.race([promise, late]);
  } catch {
    // What was found until then counts.
  } finally {
    clearTimeout(timer);
  }
}

module.exports = { MOST_MS, within };
