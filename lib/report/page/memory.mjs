// A process's memory over time: which process, the chart, the same in words, and what happened.

import { chart, markOf } from './chart.mjs';
import { fold, h, section } from './dom.mjs';
import { bytes, count, counted, rate, span, time } from './format.mjs';
import { block } from './unpack.mjs';

/** The section, with `show(process)` that has another process drawn. */
export function memorySection({ processes }) {
  const charted = processes.filter((process) => process.block);
  const place = h('div', { class: 'memory' });
  if (charted.length === 0) {
    return { element: section('memory', 'Memory over time', h('p', { class: 'muted' },
      'No recording (heapwarden-flight-*.hwr) and no exported series (*.jsonl) is in the evidence.')), ready: Promise.resolve(), show: () => {} };
  }
  const choice = h('select', { id: 'memory-process' }, charted.map((process, i) => h('option', { value: i }, nameOf(process))));
  const show = async (process) => {
    choice.value = String(charted.indexOf(process));
    place.replaceChildren(...lifeShown(process, await block(process.block)));
  };
  choice.addEventListener('change', () => show(charted[choice.value]));
  const element = section('memory', 'Memory over time',
    h('div', { class: 'toolbar' }, h('label', { for: choice.id }, 'Process '), choice), place);
  return { element, ready: show(charted[0]), show };
}

export function nameOf({ host, pid, threadId, title, from }) {
  return `${host}, process ${pid}${threadId ? `, worker ${threadId}` : ''}${title && title !== 'node' ? ` (${title})` : ''}${from ? `, from ${time(from)}` : ''}`;
}

function lifeShown(process, life) {
  const marks = life.events.map((event, i) => ({ at: event.at, letter: markOf(event, life.events.slice(0, i)), text: eventText(event) }));
  if (process.reportedAt) marks.push({ at: Date.parse(process.reportedAt), letter: 'R', text: 'a leak report was made' });
  marks.sort((a, b) => a.at - b.at);
  const lettered = marks.filter(({ letter }) => letter);
  const limits = [];
  if (process.heapLimit) limits.push({ bytes: process.heapLimit, label: `heap limit ${bytes(process.heapLimit)}` });
  const summary = inWords(process, life);
  return [
    chart({ life, marks: lettered, limits, label: `Chart of the memory of ${nameOf(process)}` }),
    h('p', { class: 'sub' }, 'Marks: S suspicion, L leak, H healthy again, R report, C look at the heap, T threshold, ! limit. Dots on the floor are major collections.'),
    h('p', { class: 'summary' }, summary),
    marks.length > 0 && fold(`What happened: ${counted(marks.length, 'event')}`, () => h('table', { class: 'plain' },
      h('thead', null, h('tr', null, ['Mark', 'Time (UTC)', 'What'].map((title) => h('th', { scope: 'col' }, title)))),
      h('tbody', null, marks.map(({ at, letter, text }) => h('tr', null, h('td', null, letter ?? ''), h('td', null, time(at, { seconds: true })), h('td', null, text)))))),
    life.eventsLeftOut > 0 && h('p', { class: 'muted' }, `${counted(life.eventsLeftOut, 'older event')} left out.`),
  ].filter(Boolean);
}

function inWords({ verdict, end, heapLimit }, life) {
  const [from, to] = [life.at[0], life.at.at(-1)];
  const parts = [`From ${time(from)} to ${time(to)} UTC (${span(to - from)})`];
  if (life.floor.length > 1) parts.push(` the floor went from ${bytes(life.floor[0])} to ${bytes(life.floor.at(-1))} over ${counted(life.collections, 'major collection')};`);
  const most = life.heapUsed.reduce((high, value) => Math.max(high, value), 0);
  parts.push(` used heap ended at ${bytes(life.heapUsed.at(-1))}, ${bytes(most)} at most`, heapLimit ? ` of a limit of ${bytes(heapLimit)}.` : '.');
  const requests = life.requests.filter((value) => value !== null);
  if (requests.some((value) => value > 0)) parts.push(` ${count(Math.round(requests.reduce((sum, value) => sum + value, 0) / requests.length))} requests a second on average.`);
  if (verdict) {
    parts.push(verdict.status === 'leak' || verdict.status === 'suspect'
      ? ` Verdict: ${verdict.status} of ${verdict.kind}, ${rate(verdict.growthBytesPerSecond)} since ${time(verdict.since)}.` : ` Verdict: ${verdict.status}.`);
  }
  if (end) parts.push(` It ended at ${time(end.at, { seconds: true })}: ${end.what}${end.certainty === 'inferred' ? ' (inferred)' : ''}.`);
  return parts.join('');
}

function eventText(event) {
  switch (event.type) {
    case 'verdict': return `verdict: ${event.status}${event.growthBytesPerSecond > 0 ? ` of ${event.kind}, ${rate(event.growthBytesPerSecond)}` : ''}`;
    case 'threshold': return `${event.metric} at ${bytes(event.valueBytes)}, above the threshold of ${bytes(event.thresholdBytes)}`;
    case 'recovered': return `recovered from ${event.from}`;
    case 'capture': return `look at the heap: ${event.what}; the thread stood still for ${event.pauseMs.toFixed(1)} ms`;
    case 'incident': return `${event.kind.replace('-', ' ')} ${event.phase}: ${bytes(event.usedBytes)} of ${bytes(event.limitBytes)}${event.reason ? ` (${event.reason})` : ''}`;
    case 'count': return `${event.what}: ${count(event.count)} (${event.countDelta > 0 ? '+' : ''}${count(event.countDelta)})`;
    default: return event.text ?? event.type;
  }
}
