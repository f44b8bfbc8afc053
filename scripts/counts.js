'use strict';

// How many tests passed and failed, read from what the runners print.

/** Sums `test result: ok. 3 passed; 0 failed; ...`, one line for each test binary. */
function cargoCounts(output) {
  const counts = { passed: 0, failed: 0 };
  for (const match of output.matchAll(/^\s*test result: \w+\. (\d+) passed; (\d+) failed;/gm)) {
    counts.passed += Number(match[1]);
    counts.failed += Number(match[2]);
  }
  return counts;
}

/** The names of the tests that failed, read from the list with which each test binary ends. */
function cargoFailures(output) {
  const names = [];
  for (const [, list] of output.matchAll(/^failures:\n((?: {4}\S+\n)+)/gm)) names.push(...list.trim().split(/\s+/));
  return names;
}

/** Reads node:test's summary: `# pass 3` of the TAP reporter, `ℹ pass 3` of the spec reporter. */
function nodeCounts(output) {
  const last = { pass: 0, fail: 0, cancelled: 0 };
  // The last of each, since the summary ends the output: a test may print such a line of its own.
  for (const match of output.matchAll(/^[#ℹ] (pass|fail|cancelled) (\d+)$/gm)) last[match[1]] = Number(match[2]);
  return { passed: last.pass, failed: last.fail + last.cancelled };
}

/** The names of the tests that failed and their files, read from the list that ends the spec reporter's output. */
function nodeFailures(output) {
  const list = output.slice(output.lastIndexOf('failing tests:') + 1 || output.length);
  const failures = [];
  for (const match of list.matchAll(/^test at (\S+?\.test\.js)\S*\s*\n\s*✖ (.+?)(?: \([\d.]+ms\))?$/gm)) {
    failures.push({ file: match[1], name: match[2] });
  }
  return failures;
}

/** The counts of a test step given how the runner ended: no test is no success, and neither is a bad exit. */
function settle(counts, code) {
  if (code !== 0 && counts.failed === 0) {
    return { ...counts, failed: 1, reason: `exit code ${code} although no test was reported as failed` };
  }
  if (counts.passed + counts.failed === 0) return { ...counts, failed: 1, reason: 'no test was run' };
  return { ...counts, reason: counts.failed > 0 ? `${counts.failed} failed` : undefined };
}

module.exports = { cargoCounts, cargoFailures, nodeCounts, nodeFailures, settle };
