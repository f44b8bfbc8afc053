'use strict';

// What of evidence a report tells at a level of redaction (docs/redaction.md). Of what was read from a file nobody knows which names the
// program spells, so that at `names` and `shape` those alone stay that every process has.

const { redactReport } = require('../redact');

const GONE = '(redacted)';

/** What tells at `level`: a function for each kind of evidence, each of which gives a copy without what may not be told. */
function tellingAt(level) {
  if (level === 'full') {
    const whole = (value) => value;
    return { level, report: whole, death: whole, event: whole, summary: whole, diff: whole };
  }
  return {
    level,
    report: (report) => redactReport(report, level),
    death: (finding) => ({ ...redactReport(finding, level), ...deathAt(finding) }),
    event: (event) => eventAt(event),
    summary: (summary) => summaryAt(summary, level),
    diff: (diff) => redactReport(diff, level),
  };
}

/** The title is what the program says of itself, and what an exception says may hold anything. */
function deathAt({ cause }) {
  const what = cause.kind === 'uncaught-exception' ? 'an exception that nobody caught' : cause.what;
  return { title: GONE, exception: null, evidence: [], events: [], summary: null, cause: { ...cause, what } };
}

/** Labels, events and notes are words of the program's; figures stay. */
function eventAt(event) {
  if (event.type === 'count') return { ...event, what: GONE };
  return event.type === 'note' ? { ...event, text: GONE } : event;
}

function summaryAt(summary, level) {
  const timers = summary.timers.map(({ callback, ...timer }) => ({ ...timer, functionName: callback }));
  const told = redactReport({ ...summary, timers }, level);
  return { ...told, timers: told.timers.map(({ functionName, ...timer }) => ({ ...timer, callback: functionName })) };
}

module.exports = { tellingAt };
