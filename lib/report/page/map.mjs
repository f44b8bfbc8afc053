// The map of a heap: areas as large as what they retain, one inside the other.

import { hierarchy, treemap, treemapSquarify } from 'd3-hierarchy';
import { code, fold, h } from './dom.mjs';
import { bytes, count, counted, percent } from './format.mjs';
import { KINDS, chainLabel, endOf, labelOf, tellingEnd, treeOf, wayTo } from './territory.mjs';

const HEIGHT = 420;
const HEAD = 20;
const DEPTH = 3;
/** How many parts of an area are told, by the levels below it. */
const MOST_CHILDREN = [0, 16, 24, 60];
/** Smaller than this an area is no target for a finger, and no stop for the keyboard. */
const LEAST = 24;
const MOST_AREAS = 160;
/** Smaller than this an area does not show what is in it. */
const LEAST_HOLDER = 56;

/** The map with its way in, its table and what is told of the area at hand. */
export function heapMap(table) {
  const root = treeOf(table);
  let at = endOf(root);
  const area = h('div', { class: 'map', role: 'group', 'aria-label': 'Map of retained sizes. Arrow keys move between areas, Enter goes into one, Escape out of it.' });
  const crumbs = h('nav', { class: 'crumbs', 'aria-label': 'Where in the heap the map is' });
  const told = h('p', { class: 'told', role: 'status' });
  const same = h('div');
  area.style.height = `${HEIGHT}px`;

  const go = (node, focus) => {
    at = node;
    draw();
    if (focus) area.querySelector('button')?.focus();
  };

  function draw() {
    const width = area.clientWidth;
    if (width === 0) return;
    const way = wayTo(at);
    crumbs.replaceChildren(h('ol', null, way.map((node, i) => h('li', null, i === way.length - 1
      ? h('span', { 'aria-current': 'location' }, code(labelOf(node)), ` ${bytes(node.size)}`)
      : h('button', { type: 'button', class: 'link', onclick: () => go(node, true) }, code(labelOf(node)))))));
    const laidOut = layout(at, width);
    const tiles = laidOut.map((tile) => tileOf(tile));
    area.replaceChildren(...tiles);
    const first = area.querySelector('button');
    if (first) first.tabIndex = 0;
    told.textContent = sentence(at);
    same.replaceChildren(equivalent());
  }

  function tileOf({ node, end, isRest, x0, y0, x1, y1, depth, isHolder }) {
    const [width, height] = [x1 - x0, y1 - y0];
    const isTarget = width >= LEAST && height >= LEAST;
    const label = isRest ? 'the rest' : chainLabel(node, end);
    const size = bytes(isRest ?? node.size);
    const { kind } = tellingEnd(node, end);
    const text = width > 44 && height > 15 ? [h('span', { class: 'tile-name' }, label), height > 34 || isHolder ? h('span', { class: 'tile-size' }, ` ${size}`) : null] : [];
    const attributes = { class: `tile k-${isRest ? 'v8' : kind}${isHolder ? ' holder' : ''}`, title: `${label}, ${size}` };
    const tile = isTarget && !isRest
      ? h('button', {
        ...attributes, type: 'button', tabindex: -1, 'aria-label': `${label}, ${size}, ${percent(node.size / root.size)} of the heap, ${KINDS[kind]}${end.children.length > 0 ? ', can be entered' : ''}`,
        onclick: () => (end.children.length > 0 ? go(end, true) : undefined), onfocus: () => { told.textContent = sentence(end); }, onpointerenter: () => { told.textContent = sentence(end); },
      }, text)
      : h('div', { ...attributes, 'aria-hidden': 'true' }, text);
    Object.assign(tile.style, { left: `${x0}px`, top: `${y0}px`, width: `${width}px`, height: `${height}px`, zIndex: String(depth) });
    return tile;
  }

  function sentence(node) {
    const way = wayTo(node).slice(1).map(labelOf).join(' › ');
    const what = node.count > 1 ? `${counted(node.count, 'object')} of this class` : `own size ${bytes(node.own)}`;
    return `${way || labelOf(node)}: retains ${bytes(node.size)}, ${percent(node.size / root.size)} of the heap; ${what}.`;
  }

  /** The same as a table. */
  function equivalent() {
    return fold('The same as a table', () => h('table', { class: 'plain' },
      h('thead', null, h('tr', null, h('th', { scope: 'col' }, 'Held here'), ['Objects', 'Retained', 'Of the heap', 'Own size'].map((title) => h('th', { scope: 'col', class: 'number' }, title)))),
      h('tbody', null, at.children.slice(0, 60).map((node) => h('tr', null,
        h('th', { scope: 'row' }, node.children.length > 0 ? h('button', { type: 'button', class: 'link', onclick: () => go(node, false) }, code(labelOf(node))) : code(labelOf(node))),
        [count(node.count), bytes(node.size), percent(node.size / root.size), bytes(node.own)].map((text) => h('td', { class: 'number' }, text))))))) ;
  }

  area.addEventListener('keydown', (event) => {
    if (event.key === 'Escape' || event.key === 'Backspace') {
      if (at.up) go(at.up, true);
      event.preventDefault();
    }
    const to = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (!to) return;
    event.preventDefault();
    const next = nearest(document.activeElement, [...area.querySelectorAll('button')], to);
    if (!next) return;
    document.activeElement.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  });
  let width = 0;
  new ResizeObserver(() => {
    if (area.clientWidth === width) return;
    width = area.clientWidth;
    draw();
  }).observe(area);
  const legend = h('ul', { class: 'legend', 'aria-label': 'Kinds of classes' }, Object.entries(KINDS).map(([kind, text]) => h('li', null, h('span', { class: `chip k-${kind}`, 'aria-hidden': 'true' }), text)));
  return h('div', { class: 'map-box' }, crumbs, area, told, legend, same);
}

/**
 * The areas below `top`, some levels deep, the outer ones first: `{ node, end, isRest, isHolder, depth, x0, y0, x1, y1 }`, where from `node` to `end`
 * goes a chain that is one area, and `isRest` is the size of what is not told by itself.
 */
function layout(top, width) {
  const inner = (node, depth) => {
    const end = depth === DEPTH ? node : endOf(node);
    if (depth === 0 || end.children.length === 0) return { node, end, size: node.size };
    const parts = end.children.slice(0, MOST_CHILDREN[depth]).map((child) => inner(child, depth - 1));
    const rest = node.size - parts.reduce((sum, { size }) => sum + size, 0);
    if (rest > 0) parts.push({ node, end, size: rest, isRest: rest });
    return { node, end, size: node.size, parts };
  };
  const data = hierarchy(inner(top, DEPTH), ({ parts }) => parts).sum(({ parts, size }) => (parts ? 0 : size)).sort((a, b) => b.value - a.value);
  treemap().size([width, HEIGHT]).tile(treemapSquarify.ratio(1.3)).round(true)
    .paddingOuter(({ depth }) => (depth === 0 ? 0 : 2)).paddingTop(({ depth }) => (depth === 0 ? 0 : HEAD)).paddingInner(2)(data);
  const areaOf = ({ x0, x1, y0, y1 }) => (x1 - x0) * (y1 - y0);
  // What would be squeezed is left out: its area stands for it.
  const hasRoom = ({ depth, x0, x1, y0, y1 }) => depth === 0 || (x1 - x0 >= LEAST_HOLDER && y1 - y0 >= LEAST_HOLDER);
  const fits = ({ parent, x0, x1, y0, y1 }) => x1 - x0 > 4 && y1 - y0 > 4 && x1 <= parent.x1 && y1 <= parent.y1;
  return data.descendants().filter((one) => one.depth > 0 && fits(one) && one.ancestors().slice(1).every(hasRoom))
    .sort((a, b) => areaOf(b) - areaOf(a)).slice(0, MOST_AREAS)
    .sort((a, b) => a.depth - b.depth || a.y0 - b.y0 || a.x0 - b.x0)
    .map(({ data: { node, end, isRest }, children, depth, x0, y0, x1, y1 }) => ({ node, end, isRest, isHolder: children !== undefined && hasRoom({ depth, x0, x1, y0, y1 }), depth, x0, y0, x1, y1 }));
}

/** The target in a direction that is nearest to the middle of `from`. */
function nearest(from, targets, [dx, dy]) {
  const middle = (element) => {
    const { left, top, width, height } = element.getBoundingClientRect();
    return [left + width / 2, top + Math.min(height / 2, HEAD / 2)];
  };
  const [x, y] = middle(from);
  let best;
  for (const target of targets) {
    if (target === from) continue;
    const [tx, ty] = middle(target);
    const along = (tx - x) * dx + (ty - y) * dy;
    const across = Math.abs((tx - x) * dy) + Math.abs((ty - y) * dx);
    if (along <= 1) continue;
    const distance = along + across * 2;
    if (best === undefined || distance < best.distance) best = { target, distance };
  }
  return best?.target;
}
