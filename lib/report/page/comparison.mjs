// What grew between two snapshots.

import { deltaGrid } from './classes.mjs';
import { code, h, section } from './dom.mjs';
import { bytes, counted, signedCount } from './format.mjs';
import { pathFold, placeOf, sentence } from './path.mjs';
import { block } from './unpack.mjs';

export function comparisonSection({ comparison }) {
  if (comparison === null) return { elements: [], ready: Promise.resolve() };
  const { before, after, matchedBy, matchedByReason, culprits, classes } = comparison;
  const table = h('div');
  const element = section('comparison', 'Comparison of two snapshots',
    h('p', null, 'From ', code(before), ' to ', code(after), h('span', { class: 'muted' }, `; objects matched by ${matchedBy}${matchedByReason ? ` (${matchedByReason})` : ''}.`)),
    culprits.length === 0 ? h('p', { class: 'muted' }, 'Nothing that grew has a cause of its own.') : [h('h3', null, `What holds the growth: ${counted(culprits.length, 'cause')}`), h('ol', { class: 'suspects' }, culprits.map(culprit))],
    table);
  return { elements: [element], ready: block(classes).then((data) => table.replaceChildren(deltaGrid(data))) };
}

function culprit({ constructorName, pattern, countDelta, retainedSizeDelta, retainerPath, location, advice }) {
  return h('li', null, code(constructorName, { class: 'strong' }), ' ', h('span', { class: 'tag' }, pattern), ` ${signedCount(countDelta)} objects, ${bytes(retainedSizeDelta)} retained `, placeOf(location),
    advice && h('p', { class: 'advice' }, sentence(advice)), pathFold(constructorName, retainerPath));
}
