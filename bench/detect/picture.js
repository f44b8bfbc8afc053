'use strict';

// False alarms against delay, as one SVG: no font, script or file from elsewhere; colours follow the reader's scheme.

const WIDTH = 760;
const HEIGHT = 460;
const LEFT = 76;
const RIGHT = WIDTH - 24;
const TOP = 64;
const BOTTOM = HEIGHT - 64;
// A logarithm has no place for 0: it gets one of its own, left of a gap.
const NONE = LEFT + 36;
// So that curves do not hide each other there.
const ASIDE = 16;
const LOG_LEFT = LEFT + 92;

const STYLE = `
  .paper { fill: #ffffff } text { fill: #24292f; font: 13px system-ui, sans-serif } .title { font-weight: 600; font-size: 15px }
  .quiet { fill: #59636e; font-size: 12px } .grid { stroke: #d1d9e0; stroke-width: 1 } .axis { stroke: #59636e; stroke-width: 1 }
  .line { fill: none; stroke-width: 2 } .line0 { stroke: #0969da } .line1 { stroke: #bc4c00; stroke-dasharray: 6 4 } .line2 { stroke: #8250df; stroke-dasharray: 2 3 }
  .mark { stroke-width: 2 } .mark0 { fill: #0969da; stroke: #0969da } .mark1 { fill: #ffffff; stroke: #bc4c00 } .mark2 { fill: #ffffff; stroke: #8250df }
  .default { fill: none; stroke: #24292f; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    .paper { fill: #0d1117 } text { fill: #e6edf3 } .quiet { fill: #9198a1 } .grid { stroke: #30363d } .axis { stroke: #9198a1 }
    .line0 { stroke: #58a6ff } .line1 { stroke: #f0883e } .line2 { stroke: #bc8cff }
    .mark0 { fill: #58a6ff; stroke: #58a6ff } .mark1 { fill: #0d1117; stroke: #f0883e } .mark2 { fill: #0d1117; stroke: #bc8cff }
    .default { stroke: #e6edf3 }
  }
`;

const escaped = (text) => text.replace(/[&<>"]/g, (c) => `&#${c.codePointAt(0)};`).replaceAll('&#60;', '&lt;').replaceAll('&#62;', '&gt;');
const text = (x, y, words, extra = '') => `<text x="${x.toFixed(1)}" y="${y.toFixed(1)}" ${extra}>${escaped(words)}</text>`;
const rate = (point) => point.falseAlarms / point.healthyHours * 1e4;

/** Powers of ten that hold all values, and the round numbers between. */
function scale(values, from, to) {
  const low = Math.floor(Math.log10(Math.min(...values)));
  const high = Math.max(low + 1, Math.ceil(Math.log10(Math.max(...values))));
  const ticks = [];
  for (let power = low; power <= high; power++) ticks.push(...[1, 2, 5].map((n) => n * 10 ** power).filter((n) => n <= 10 ** high));
  return { ticks, at: (value) => from + (Math.log10(value) - low) / (high - low) * (to - from) };
}

/** Round numbers from 0 to beyond all values. */
function linear(values, from, to) {
  const most = Math.max(...values) * 1.05;
  const step = [1, 2, 5].flatMap((n) => [1, 10, 100, 1e3, 1e4].map((power) => n * power)).sort((a, b) => a - b).find((n) => most / n <= 8);
  const top = Math.ceil(most / step) * step;
  return { ticks: Array.from({ length: top / step + 1 }, (_, i) => i * step), at: (value) => from + value / top * (to - from) };
}

/**
 * The SVG of `curves`, `[{name, points: [{strictness, falseAlarms, healthyHours, samplesMedianOfAll}]}]`; points at which fewer than half
 * of the leaks were found have no place.
 */
function picture(curves) {
  const drawn = curves.map(({ name, points }) => ({ name, points: points.filter((point) => point.samplesMedianOfAll !== null) }));
  const all = drawn.flatMap(({ points }) => points);
  const rates = all.map(rate).filter((r) => r > 0);
  const horizontal = scale(rates.length > 0 ? rates : [1], LOG_LEFT, RIGHT);
  const vertical = linear(all.map((point) => point.samplesMedianOfAll), BOTTOM, TOP);
  const x = (point, i) => (point.falseAlarms === 0 ? NONE + (i - (drawn.length - 1) / 2) * ASIDE : horizontal.at(rate(point)));
  const y = (point) => vertical.at(point.samplesMedianOfAll);
  const grid = [
    ...vertical.ticks.map((n) => `<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${vertical.at(n).toFixed(1)}" y2="${vertical.at(n).toFixed(1)}"/>${text(LEFT - 8, vertical.at(n) + 4, String(n), 'class="quiet" text-anchor="end"')}`),
    ...horizontal.ticks.map((n) => `<line class="grid" y1="${TOP}" y2="${BOTTOM}" x1="${horizontal.at(n).toFixed(1)}" x2="${horizontal.at(n).toFixed(1)}"/>${text(horizontal.at(n), BOTTOM + 18, String(Number(n.toPrecision(1))), 'class="quiet" text-anchor="middle"')}`),
    `<line class="grid" y1="${TOP}" y2="${BOTTOM}" x1="${NONE}" x2="${NONE}"/>${text(NONE, BOTTOM + 18, 'none', 'class="quiet" text-anchor="middle"')}`,
    `<line class="axis" x1="${LEFT}" x2="${RIGHT}" y1="${BOTTOM}" y2="${BOTTOM}"/>`,
  ];
  const lines = drawn.map(({ points }, i) => `<polyline class="line line${i % 3}" points="${points.map((point) => `${x(point, i).toFixed(1)},${y(point).toFixed(1)}`).join(' ')}"/>`);
  const marks = drawn.flatMap(({ name, points }, i) => points.map((point) => {
    const at = `cx="${x(point, i).toFixed(1)}" cy="${y(point).toFixed(1)}"`;
    const says = `${name}, strictness ${point.strictness}: ${rate(point).toFixed(1)} false alarms per 10 000 h, ${point.samplesMedianOfAll.toFixed(0)} samples`;
    const ring = point.strictness === 1 ? `<circle class="default" ${at} r="9"/>` : '';
    return `${ring}<circle class="mark mark${i % 3}" ${at} r="4.5"><title>${escaped(says)}</title></circle>`;
  }));
  const legend = drawn.map(({ name }, i) => {
    const top = TOP + 18 + i * 22;
    return `<line class="line line${i % 3}" x1="${RIGHT - 190}" x2="${RIGHT - 154}" y1="${top}" y2="${top}"/><circle class="key mark mark${i % 3}" cx="${RIGHT - 172}" cy="${top}" r="4.5"/>${text(RIGHT - 144, top + 4, name)}`;
  });
  legend.unshift(`<rect class="paper" x="${RIGHT - 198}" y="${TOP + 4}" width="194" height="${22 * drawn.length + 30}"/>`);
  const ring = TOP + 18 + drawn.length * 22;
  legend.push(`<circle class="default" cx="${RIGHT - 172}" cy="${ring}" r="9"/>${text(RIGHT - 144, ring + 4, 'default (strictness 1)')}`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="False alarms against the delay until a leak is called">
<style>${STYLE}</style>
<rect class="paper" width="${WIDTH}" height="${HEIGHT}"/>
${text(LEFT, 26, 'False alarms against delay', 'class="title"')}
${text(LEFT, 46, 'median samples until a leak is called, of all leaks: one that was missed took for ever', 'class="quiet"')}
${grid.join('\n')}
${lines.join('\n')}
${marks.join('\n')}
${legend.join('\n')}
${text((LEFT + RIGHT) / 2, HEIGHT - 18, 'false alarms per 10 000 healthy hours', 'text-anchor="middle"')}
</svg>
`;
}

module.exports = { picture };
