'use strict';

// One line for a person, and the fields for a log, of what a monitor tells.

const mb = (bytes) => (bytes / (1024 * 1024)).toFixed(1);

/** The line. */
function alertMessage(event, payload) {
  switch (event) {
    case 'leak': return leakLine(payload);
    case 'threshold':
      return `Memory threshold crossed: ${payload.metric} is ${mb(payload.valueBytes)} MB, the threshold ${mb(payload.thresholdBytes)} MB`;
    case 'recovered': return `Recovered from: ${payload.from}`;
    default: return payload?.message ?? event;
  }
}

/** The fields, with a code for each kind of event. */
function alertDetails(event, payload) {
  const code = `HEAPWARDEN_${event.toUpperCase()}`;
  return event === 'error' ? { code, err: payload } : { code, [event]: payload };
}

function leakLine({ verdict, culprits: [first], evidence }) {
  const rate = `${mb(verdict.growthBytesPerSecond * 60)} MB/min`;
  const where = first?.location ? ` (${first.location.file}:${first.location.line})` : '';
  const what = first
    ? `${first.constructorName}, ${first.countDelta} more objects, held by ${first.retainerPath[0]?.name ?? 'a root'}${where}`
    : `no culprit named: ${evidence.reason ?? 'nothing stood out'}`;
  return `Memory leak (${verdict.kind}): growing by ${rate}. ${what}`;
}

module.exports = { alertMessage, alertDetails };
