// The fleet: every process that is known, with its state, its floor as a line, and its leaks.

import { code, h, section, svg } from './dom.mjs';
import { bytes, count, counted, rate, span, time } from './format.mjs';
import { grid } from './grid.mjs';

const STATES = { leak: ['●', 'leak', 'danger'], suspect: ['▲', 'suspect', 'warn'], healthy: ['✓', 'healthy', 'ok'], 'warming-up': ['…', 'warming up', 'muted'] };
const ENDED = new Set(['running', 'clean-exit', 'exit', 'stopped', 'terminated']);

/** The section; `onShow(process)` is called for whom the chart is wanted. */
export function processesSection({ processes }, { onShow }) {
  if (processes.length === 0) return null;
  const states = new Map();
  for (const process of processes) states.set(stateOf(process)[1], (states.get(stateOf(process)[1]) ?? 0) + 1);
  const tally = [...states].map(([state, number]) => `${count(number)} ${state}`).join(', ');
  return section('processes', 'Processes', grid({
    caption: `${counted(processes.length, 'process', 'processes')}: ${tally}`, length: processes.length,
    columns: [
      { key: 'host', title: 'Host (pod)', value: (i) => processes[i].host, cell: (i) => code(processes[i].host, { title: processes[i].host }) },
      { key: 'pid', title: 'Process', width: '6rem', numeric: true, value: (i) => processes[i].pid, cell: (i) => `${processes[i].pid}${processes[i].threadId ? ` w${processes[i].threadId}` : ''}` },
      { key: 'state', title: 'State', width: '7.5rem', value: (i) => stateOf(processes[i])[1], cell: (i) => badge(processes[i]) },
      { key: 'leaks', title: 'Leaks', width: '5rem', value: (i) => processes[i].leaks[0] ?? Infinity, cell: (i) => processes[i].leaks.map((number) => [h('a', { href: `#leak-${number}` }, `#${number}`), ' ']) },
      { key: 'rate', title: 'Growth', width: '6.5rem', numeric: true, value: (i) => growthOf(processes[i]), cell: (i) => rate(growthOf(processes[i])) },
      { key: 'floor', title: 'Floor', width: '12rem', numeric: true, value: (i) => processes[i].floor, cell: (i) => [spark(processes[i]), bytes(processes[i].floor)] },
      { key: 'eta', title: 'To the limit', width: '6.5rem', numeric: true, value: (i) => -(processes[i].verdict?.etaMs ?? Infinity), cell: (i) => span(processes[i].verdict?.etaMs) },
      { key: 'reports', title: 'Reports', width: '5.5rem', numeric: true, value: (i) => processes[i].reports, cell: (i) => count(processes[i].reports) },
      { key: 'to', title: 'Last seen (UTC)', width: '9.5rem', value: (i) => processes[i].to ?? 0, cell: (i) => time(processes[i].to ?? processes[i].reportedAt) },
      { key: 'show', title: 'Chart', width: '5.5rem', value: (i) => (processes[i].block ? 0 : 1), cell: (i) => (processes[i].block
        ? h('button', { type: 'button', class: 'small', 'aria-label': `Show the chart of ${processes[i].host}, process ${processes[i].pid}`, onclick: () => onShow(processes[i]) }, 'Show') : '–') },
    ],
    filter: { label: 'Filter by host or state', text: (i) => `${processes[i].host} ${stateOf(processes[i])[1]} ${processes[i].pid}`.toLowerCase() },
  }));
}

function growthOf({ verdict }) {
  return verdict && (verdict.status === 'leak' || verdict.status === 'suspect') ? verdict.growthBytesPerSecond : null;
}

function stateOf({ verdict, end, reports, reason }) {
  if (end && !ENDED.has(end.kind)) return ['✕', 'died', 'danger'];
  if (reason && reason !== 'verdict' && verdict?.status !== 'leak') return ['▲', 'at its limit', 'warn'];
  return STATES[verdict?.status] ?? (reports > 0 ? STATES.leak : ['–', 'not known', 'muted']);
}

function badge(process) {
  const [mark, state, tone] = stateOf(process);
  return h('span', { class: `state ${tone}`, title: process.end?.what }, h('span', { 'aria-hidden': 'true' }, `${mark} `), state);
}

/** Floors as a line as small as a word. */
function spark({ spark: line }) {
  if (!line || line.length < 2) return null;
  const points = line.map((value, i) => `${(i / (line.length - 1) * 96).toFixed(1)},${(18 - value * 16).toFixed(1)}`).join(' ');
  return svg('svg', { class: 'spark', viewBox: '0 0 96 20', width: 96, height: 20, 'aria-hidden': 'true' }, svg('polyline', { points }));
}
