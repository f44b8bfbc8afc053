// What a snapshot contains: suspects, the map, classes, listeners, timers, collections.

import { classGrid } from './classes.mjs';
import { code, fold, h, section } from './dom.mjs';
import { bytes, count, counted, percent, place } from './format.mjs';
import { grid } from './grid.mjs';
import { heapMap } from './map.mjs';
import { pathFold, placeOf } from './path.mjs';
import { block } from './unpack.mjs';

/** The section; `ready` is when the heap that stands there at first is drawn. */
export function heapSection({ heaps }) {
  if (heaps.length === 0) return { elements: [], ready: Promise.resolve() };
  const place_ = h('div', { class: 'heap' });
  const choice = h('select', { id: 'heap-file' }, heaps.map(({ file, bytes: size }, i) => h('option', { value: i }, `${file}, ${bytes(size)}`)));
  const show = async (heap) => {
    const [classes, map] = await Promise.all([block(heap.classes), block(heap.map)]);
    place_.replaceChildren(...shown(heap, classes, map).filter(Boolean));
  };
  choice.addEventListener('change', () => show(heaps[choice.value]));
  const element = section('heap', 'What the heap holds', h('div', { class: 'toolbar' }, h('label', { for: choice.id }, 'Snapshot '), choice), place_);
  return { elements: [element], ready: show(heaps[0]) };
}

function shown(heap, classes, map) {
  const { nodeCount, edgeCount, totalShallowSize, classCount, promises, suspects, listeners, timers, collections } = heap;
  return [
    h('p', null, `${counted(nodeCount, 'object')} in ${counted(classCount, 'class', 'classes')}, ${counted(edgeCount, 'reference')}, ${bytes(totalShallowSize)}; `
      + `${counted(promises.count, 'promise')}, ${count(promises.awaited)} of them awaited.`),
    h('h3', { id: 'map-title' }, 'Map of retained sizes'), heapMap(map),
    suspects.length > 0 && [h('h3', null, 'Where memory piles up'), h('ul', { class: 'suspects' }, suspects.map(suspect))],
    classGrid(classes),
    listeners.length > 0 && listenerGrid(listeners), timers.length > 0 && timerGrid(timers), collections.length > 0 && collectionGrid(collections),
  ].flat();
}

function suspect({ constructorName, count: number, retainedSize, share, accumulates, retainerPath, location }) {
  return h('li', null, code(constructorName, { class: 'strong' }), number > 1 ? `, ${counted(number, 'object')}` : '', `: ${bytes(retainedSize)}, ${percent(share)} of the heap`,
    accumulates && [', mostly ', count(accumulates.count), ' ', code(accumulates.constructorName)], location && [' ', placeOf(location)], pathFold(constructorName, retainerPath));
}

const where = (rows) => ({ key: 'place', title: 'Place', value: (i) => place(rows[i].location)?.full ?? '', cell: (i) => placeOf(rows[i].location) ?? '' });
const number = (rows, key, title, text = count) => ({ key, title, width: '7rem', numeric: true, value: (i) => rows[i][key], cell: (i) => text(rows[i][key]) });
const name = (rows, key, title, width) => ({ key, title, width, value: (i) => rows[i][key], cell: (i) => code(rows[i][key] || '(anonymous)', { title: rows[i][key] }) });

function listenerGrid(rows) {
  return grid({
    caption: 'Listeners', length: rows.length, sort: 'count',
    columns: [
      name(rows, 'event', 'Event', '14rem'), name(rows, 'constructorName', 'Emitter', '14rem'), number(rows, 'count', 'Listeners'), number(rows, 'emitters', 'Emitters'), number(rows, 'most', 'Most on one'),
      { key: 'function', title: 'Function', width: '14rem', value: (i) => rows[i].functions[0]?.name ?? '', cell: (i) => code(rows[i].functions[0]?.name || '(anonymous)') }, where(rows),
    ],
    filter: { label: 'Filter by event, emitter or place', text: (i) => `${rows[i].event} ${rows[i].constructorName} ${place(rows[i].location)?.full ?? ''}`.toLowerCase() },
  });
}

function timerGrid(rows) {
  return grid({
    caption: 'Timers', length: rows.length, sort: 'count',
    columns: [name(rows, 'callback', 'Callback'), name(rows, 'constructorName', 'Kind', '10rem'), number(rows, 'count', 'Timers'), where(rows)],
    filter: { label: 'Filter by callback or place', text: (i) => `${rows[i].callback} ${place(rows[i].location)?.full ?? ''}`.toLowerCase() },
  });
}

function collectionGrid(rows) {
  return fold(`The ${count(rows.length)} largest collections`, () => grid({
    caption: 'Collections', length: rows.length, sort: 'retainedSize',
    columns: [name(rows, 'constructorName', 'Class'), number(rows, 'entries', 'Entries'), number(rows, 'retainedSize', 'Retained', bytes)],
  }));
}
