'use strict';

// One line for a person, and the fields for a log, of what a monitor tells.

const { plain } = require('./plain');

const mb = (bytes) => (bytes / (1024 * 1024)).toFixed(1);

/** The line. Names are the program's, or its users': none may end the line, or act on a terminal that shows it. */
function alertMessage(event, payload) {
  return plain(String(sentence(event, payload)));
}

function sentence(event, payload) {
  switch (event) {
    case 'leak': return leakLine(payload);
    case 'threshold':
      return `Memory threshold crossed: ${payload.metric} is ${mb(payload.valueBytes)} MB, the threshold ${mb(payload.thresholdBytes)} MB`;
    case 'listeners': return listenersLine(payload);
    case 'oom-risk': return payload.kind === 'container' ? containerLine(payload) : riskLine(payload);
    case 'heap-limit': return `The heap came to its limit: ${culpritLine(payload)}`;
    case 'container-limit': return `The container came to its limit: ${culpritLine(payload)}`;
    case 'postmortem': return deathLine(payload);
    case 'recovered': return `Recovered from: ${payload.from}`;
    default: return payload?.message ?? event;
  }
}

/** The fields, with a code for each kind of event. */
function alertDetails(event, payload) {
  const code = `HEAPWARDEN_${event.toUpperCase().replaceAll('-', '_')}`;
  return event === 'error' ? { code, err: payload } : { code, [event]: payload };
}

function leakLine({ verdict, ...report }) {
  return `Memory leak (${verdict.kind}): growing by ${mb(verdict.growthBytesPerSecond * 60)} MB/min. ${culpritLine(report)}`;
}

function riskLine({ usedBytes, limitBytes, raisedToBytes }) {
  return `The heap is at its limit: ${mb(usedBytes)} MB in use, ${mb(limitBytes)} MB allowed; raised to ${mb(raisedToBytes)} MB, so that this ` +
    'process can be drained';
}

/** Who is to blame, in a sentence. */
function culpritLine({ culprits: [first], evidence }) {
  const where = first?.location ? ` (${first.location.file}:${first.location.line})` : '';
  const more = evidence.baselineAt ? 'more ' : '';
  return first
    ? `${classOf(first)}, ${first.countDelta} ${more}objects, held by ${first.retainerPath[0]?.name ?? 'a root'}${where}`
    : `no culprit named: ${evidence.reason ?? 'nothing stood out'}`;
}

/** Of plain objects with what they have. */
function classOf({ constructorName, properties = [] }) {
  if (properties.length === 0) return constructorName;
  return `${constructorName} {${properties.slice(0, 4).join(', ')}${properties.length > 4 ? ', ...' : ''}}`;
}

/** Why the container is thought to be in danger. */
const DANGERS = {
  level: 'nearly full',
  pace: 'full within seconds at this pace',
  stalled: 'full, and the program waits for the kernel to make room',
  oom: 'out of memory: an allocation failed, or another process of it was killed',
};

function containerLine({ reason, usedBytes, limitBytes }) {
  return `The container is ${DANGERS[reason]}: ${mb(usedBytes)} MB of ${mb(limitBytes)} MB`;
}

function deathLine({ pid, threadId, cause, endedAt, lastSeenAt, file, culprits: [first] }) {
  const who = threadId === 0 ? `Process ${pid}` : `Worker ${threadId} of process ${pid}`;
  const when = endedAt ? `ended at ${endedAt}` : `was last heard of at ${lastSeenAt}`;
  const certain = cause.certainty === 'certain' ? '' : ' (inferred)';
  const grew = first ? `; most of what grew is ${first.constructorName}` : '';
  return `${who} did not end cleanly: ${cause.what}${certain}${grew}. It ${when}; heapwarden postmortem ${file}`;
}

function listenersLine({ reason, kind, label, constructorName, event, count, countDelta, growthPerHour, functions, location, emitters }) {
  const name = label === null || label === constructorName ? constructorName : `${constructorName} "${label}"`;
  const what = kind === 'resource' ? `${count} ${constructorName}` : `${count} listeners${event === null ? '' : ` for '${event}'`} on ${emitters > 1 ? `${emitters} ` : ''}${name}`;
  const [first] = functions;
  const named = first?.name ? `${first.name} ` : '';
  const where = location ? ` (${named}${location.file}:${location.line})` : named && ` (${named.trim()})`;
  if (reason === 'max-listeners') return `Many listeners: ${what}${location ? `, the last added at ${location.file}:${location.line}` : ''}`;
  return `${kind === 'resource' ? 'Resources' : 'Listeners'} only ever become more: ${what}, ${countDelta} more at ` +
    `${Math.round(growthPerHour)} an hour${where}`;
}

module.exports = { alertMessage, alertDetails };
