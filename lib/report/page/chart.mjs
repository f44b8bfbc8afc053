// Memory over time: used heap, floors, what is outside, requests, and what happened meanwhile, as marks.

import uPlot from 'uplot';
import { h } from './dom.mjs';
import { bytes, count, time } from './format.mjs';
import { colour, onTheme } from './theme.mjs';

const HEIGHT = 300;
const NOTHING = { show: false };
/** A line differs from the others by how it is drawn, too. */
const LINES = [
  { key: 'heapUsed', label: 'Used heap', colour: 'heap', width: 1, told: bytes },
  { key: 'floor', label: 'Floor after a major collection', colour: 'floor', width: 2.5, spanGaps: true, points: true, told: bytes },
  { key: 'external', label: 'External', colour: 'external', width: 1.5, dash: [7, 4], told: bytes },
  { key: 'rss', label: 'Resident (rss)', colour: 'rss', width: 1.5, dash: [2, 3], isOff: true, told: bytes },
  { key: 'requests', label: 'Requests/s (a scale of their own)', colour: 'requests', width: 1, scale: 'requests', isFilled: true, told: (value) => count(value) },
];

/** The marks, by letter. */
export const MARKS = { suspect: 'S', leak: 'L', healthy: 'H', report: 'R', threshold: 'T', incident: '!', recovered: 'H', capture: 'C' };

/** What stands there where two would stand in each other. */
const WEIGHT = '!LSTRHC';

/** The letter of an event; of a healthy start and of figures there is none. */
export function markOf({ type, status }, before) {
  if (type !== 'verdict') return MARKS[type] ?? null;
  return status === 'healthy' && before.every((event) => event.type !== 'verdict' || event.status === 'warming-up') ? null : MARKS[status] ?? null;
}

/** The chart of a life, with a line that tells the figures under the cursor. `marks` are `{ at, letter, text }`, `limits` `{ label, bytes }`. */
export function chart({ life, marks, limits, label }) {
  const has = LINES.filter(({ key }) => life[key === 'floor' ? 'floor' : key].some((value) => value !== null && value !== 0));
  const shown = new Map(has.map((line) => [line.key, !line.isOff]));
  const data = dataOf(life, has);
  const readout = h('output', { class: 'readout', 'aria-live': 'polite' });
  const plotted = h('div', { class: 'plot' });
  const element = h('div', { class: 'chart', tabindex: 0, role: 'group', 'aria-label': `${label}. Left and right arrow keys move along the time.` },
    plotted);
  const keys = h('div', { class: 'keys', role: 'group', 'aria-label': 'Lines of the chart' }, has.map((line) => h('button', {
    type: 'button', class: 'key', 'aria-pressed': String(shown.get(line.key)),
    onclick: (event) => {
      shown.set(line.key, !shown.get(line.key));
      event.currentTarget.setAttribute('aria-pressed', String(shown.get(line.key)));
      plot?.setSeries(has.indexOf(line) + 1, { show: shown.get(line.key) });
    },
  }, swatch(line), line.label)));
  let plot;

  const told = (at) => {
    const parts = has.filter(({ key }) => shown.get(key)).map(({ label: name, told: text }) => {
      const value = valueAt(data[1 + has.findIndex((line) => line.label === name)], at);
      return value === null ? null : `${name} ${text(value)}`;
    });
    return [`${time(data[0][at] * 1000, { seconds: true })} UTC`, ...parts.filter(Boolean)].join(' · ');
  };

  const draw = () => {
    const width = plotted.clientWidth;
    if (width === 0) return;
    plot?.destroy();
    plot = new uPlot(optionsFor({ width, has, shown, marks, limits, onCursor: (at) => { readout.textContent = at === null || at === undefined ? '' : told(at); } }), data, plotted);
  };
  element.addEventListener('keydown', (event) => {
    const steps = { ArrowLeft: -1, ArrowRight: 1, PageUp: -20, PageDown: 20, Home: -Infinity, End: Infinity }[event.key];
    if (steps === undefined || !plot) return;
    event.preventDefault();
    const from = plot.cursor.idx ?? (steps > 0 ? -1 : data[0].length);
    const at = Math.min(Math.max(from + steps, 0), data[0].length - 1);
    plot.setCursor({ left: plot.valToPos(data[0][at], 'x'), top: HEIGHT / 3 });
    readout.textContent = told(at);
  });
  new ResizeObserver(() => { if (plot?.width !== plotted.clientWidth) draw(); }).observe(plotted);
  onTheme(draw);
  return h('div', null, keys, element, readout);
}

/** Of a line with gaps the last value before. */
function valueAt(column, at) {
  for (let i = at; i >= 0; i -= 1) if (column[i] !== null && column[i] !== undefined) return column[i];
  return null;
}

const swatch = ({ colour: name, width, dash }) => {
  const line = h('span', { class: 'swatch', 'aria-hidden': 'true' });
  line.style.borderTop = `${Math.max(Math.round(width), 2)}px ${dash ? (dash[0] > 3 ? 'dashed' : 'dotted') : 'solid'} var(--${name})`;
  return line;
};

function dataOf(life, has) {
  const seconds = (times) => times.map((at) => at / 1000);
  const tables = [[seconds(life.at), ...has.filter(({ key }) => key !== 'floor').map(({ key }) => life[key])], [seconds(life.floorAt), life.floor]];
  const hasFloor = has.some(({ key }) => key === 'floor');
  const [at, ...columns] = hasFloor ? uPlot.join(tables) : tables[0];
  const floor = hasFloor ? columns.pop() : undefined;
  return [at, ...has.map(({ key }) => (key === 'floor' ? floor : columns.shift()))];
}

function optionsFor({ width, has, shown, marks, limits, onCursor }) {
  const axis = { stroke: colour('muted'), grid: { stroke: colour('grid'), width: 1 }, ticks: { stroke: colour('grid') }, font: '12px system-ui, sans-serif' };
  const top = (plot, low, high) => {
    // A limit is drawn where it is near: far away it would press all lines flat.
    const near = limits.map((one) => one.bytes).filter((limit) => limit < high * 1.6);
    return [0, Math.max(high, ...near) * 1.08];
  };
  return {
    width, height: HEIGHT, legend: NOTHING, padding: [10, 36, 0, 0], tzDate: (at) => uPlot.tzDate(new Date(at * 1000), 'Etc/UTC'),
    cursor: { points: { size: 7 }, drag: { x: true, y: false } },
    scales: { x: { time: true }, y: { range: top }, requests: { range: (plot, low, high) => [0, Math.max(high, 1) * 4] } },
    series: [{}, ...has.map((line) => ({
      label: line.label, show: shown.get(line.key), scale: line.scale ?? 'y', stroke: colour(line.colour), width: line.width, dash: line.dash, spanGaps: line.spanGaps ?? false,
      // So many points are a line.
      points: line.points ? { show: (plot, i, from, to) => to - from < 4000, size: 5, fill: colour(line.colour) } : NOTHING,
      ...(line.isFilled && { fill: colour('requests-fill') }),
    }))],
    axes: [
      { ...axis, values: [[86_400, '{YYYY}-{MM}-{DD}', null, null, null, null, null, null, 1], [60, '{HH}:{mm}', '\n{YYYY}-{MM}-{DD}', null, '\n{YYYY}-{MM}-{DD}', null, null, null, 1],
        [1, '{HH}:{mm}:{ss}', '\n{YYYY}-{MM}-{DD}', null, '\n{YYYY}-{MM}-{DD}', null, null, null, 1]] },
      { ...axis, scale: 'y', size: 74, values: (plot, ticks) => ticks.map((value) => bytes(value)), incrs: [1, 2, 4, 8, 16, 32, 64, 128, 256, 512].flatMap((n) => [n * 1024, n * 2 ** 20, n * 2 ** 30]).sort((a, b) => a - b) },
    ],
    hooks: { draw: [(plot) => drawMarks(plot, marks, limits)], setCursor: [(plot) => onCursor(plot.cursor.idx)] },
  };
}

/** Vertical lines with letters, and limits across. */
function drawMarks(plot, marks, limits) {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  ctx.save();
  ctx.font = `${11 * scale}px system-ui, sans-serif`;
  ctx.textAlign = 'center';
  for (const { bytes: limit, label } of limits) {
    const y = Math.round(plot.valToPos(limit, 'y', true));
    if (y < bbox.top) continue;
    ctx.strokeStyle = colour('danger');
    ctx.setLineDash([6 * scale, 4 * scale]);
    line(ctx, bbox.left, y, bbox.left + bbox.width, y);
    ctx.fillStyle = colour('danger');
    ctx.textAlign = 'right';
    ctx.fillText(label, bbox.left + bbox.width - 4 * scale, y - 4 * scale);
    ctx.textAlign = 'center';
  }
  const taken = [];
  for (const { at, letter } of [...marks].sort((a, b) => WEIGHT.indexOf(a.letter) - WEIGHT.indexOf(b.letter))) {
    const x = Math.round(plot.valToPos(at / 1000, 'x', true));
    if (x < bbox.left || x > bbox.left + bbox.width) continue;
    const tone = letter === 'L' || letter === '!' ? 'danger' : letter === 'H' ? 'ok' : letter === 'S' || letter === 'T' ? 'warn' : 'muted';
    ctx.strokeStyle = ctx.fillStyle = colour(tone);
    ctx.setLineDash(letter === 'C' || letter === 'R' ? [2 * scale, 3 * scale] : []);
    line(ctx, x, bbox.top + 14 * scale, x, bbox.top + bbox.height);
    if (taken.some((other) => Math.abs(other - x) < 11 * scale)) continue;
    ctx.fillText(letter, x, bbox.top + 10 * scale);
    taken.push(x);
  }
  ctx.restore();
}

function line(ctx, x1, y1, x2, y2) {
  ctx.beginPath();
  ctx.moveTo(x1, y1);
  ctx.lineTo(x2, y2);
  ctx.stroke();
}
