'use strict';

// What each runner says of its tests, in one form: `{ title, passed, message, ms }`.

const fs = require('node:fs');
const path = require('node:path');

/** The arguments with what has the runner write its results to `report`. */
function withReport(args, report, folder, { files }) {
  const runner = args.find((arg) => /[\\/]node_modules[\\/]/.test(arg)) ?? '';
  if (/jest\.js$/.test(runner)) return [...args, '--rootDir', folder, '--config', path.join(folder, 'jest.config.json'), '--json', `--outputFile=${report}`];
  if (/vitest\.mjs$/.test(runner)) return [...args, '--root', folder, '--reporter=json', `--outputFile=${report}`];
  if (/mocha\.js$/.test(runner)) return [...args, '--reporter', 'json', '--reporter-option', `output=${report}`, path.join(folder, files.at(-1))];
  // node:test: what it runs has to come after its options, and without a path it looks for tests by their names.
  return [...args, '--test-reporter', path.join(folder, 'reporter.mjs'), '--test-reporter-destination', report];
}

/** The results of a run; undefined where there is no report. */
function resultsOf(report) {
  if (!fs.existsSync(report)) return undefined;
  const text = fs.readFileSync(report, 'utf8');
  if (/^\{"title"/.test(text)) return text.trim().split('\n').map((line) => JSON.parse(line));
  const { testResults, tests } = JSON.parse(text);
  if (tests) return tests.map(({ title, err, duration }) => ({ title, passed: !err.message, message: err.message ?? '', ms: duration }));
  return testResults.flatMap(({ assertionResults, message }) => (assertionResults.length > 0 ? assertionResults.map(ofJest) : [{ title: 'file', passed: false, message, ms: 0 }]));
}

/** Jest's form, which Vitest has as well. */
function ofJest({ title, status, failureMessages, duration }) {
  return { title, passed: status === 'passed', message: (failureMessages ?? []).join('\n'), ms: duration ?? 0 };
}

module.exports = { resultsOf, withReport };
