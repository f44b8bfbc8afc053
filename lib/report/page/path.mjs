// Retaining paths: from what leaks out to the root.

import { code, fold, h } from './dom.mjs';
import { counted, place } from './format.mjs';

/** A place in the source: its end in sight, all of it on demand. */
export function placeOf(location) {
  const told = place(location);
  if (!told) return null;
  return h('span', { class: 'place' }, code(told.short, { title: told.full }), told.package && h('span', { class: 'muted' }, ` ${told.package}`));
}

/** A sentence of ours, in which names stand between backticks. */
export const sentence = (text) => text.split('`').map((part, i) => (i % 2 === 1 ? code(part) : part));

/** The path as something to unfold. */
export function pathFold(constructorName, steps, options) {
  if (steps.length === 0) return null;
  return fold(`Retaining path, ${counted(steps.length, 'step')}`, () => h('ol', { class: 'path' },
    h('li', null, code(constructorName, { class: 'strong' }), h('span', { class: 'muted' }, ' is held by')),
    steps.map(({ name, edge, location }) => h('li', null,
      edge === '' ? h('span', { class: 'muted' }, '…') : code(edge, { class: 'edge' }), h('span', { class: 'muted' }, ' of '), code(name), ' ',
      location && h('span', { class: 'place' }, code(place(location).full), location.package && h('span', { class: 'muted' }, ` ${location.package}`))))), options);
}
