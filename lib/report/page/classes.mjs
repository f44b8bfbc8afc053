// Tables of classes: of one heap, and of what changed between two.

import { code } from './dom.mjs';
import { bytes, count, signedBytes, signedCount } from './format.mjs';
import { grid } from './grid.mjs';

/** Steps that mean: only V8 or Node refers to it. */
const FAR = 100_000_000;

/** The classes of a heap, of `{ length, columns, places }`. */
export function classGrid({ length, columns, places }) {
  const { constructorName: names, count: counts, shallowSize, retainedSize, distance, place } = columns;
  const placeAt = (row) => (place && place[row] >= 0 ? places[place[row]] : '');
  return grid({
    caption: 'Classes', length, sort: 'retained', filter: nameFilter(names, placeAt),
    columns: [
      nameColumn(names), placeColumn(placeAt),
      { key: 'count', title: 'Objects', width: '7rem', numeric: true, value: (row) => counts[row], cell: (row) => count(counts[row]) },
      { key: 'shallow', title: 'Own size', width: '7rem', numeric: true, value: (row) => shallowSize[row], cell: (row) => bytes(shallowSize[row]) },
      { key: 'retained', title: 'Retained', width: '7rem', numeric: true, value: (row) => retainedSize[row], cell: (row) => bytes(retainedSize[row]) },
      { key: 'distance', title: 'Distance', width: '6.5rem', numeric: true, value: (row) => distance[row], cell: (row) => (distance[row] >= FAR ? '–' : count(distance[row])) },
    ],
  });
}

/** What changed in each class, of `{ length, columns }`. */
export function deltaGrid({ length, columns }) {
  const { constructorName: names, countDelta, sizeDelta, addedCount, removedCount, addedSize, removedSize } = columns;
  const figure = (key, title, column, text) => ({ key, title, width: '7rem', numeric: true, value: (row) => column[row], cell: (row) => text(column[row]) });
  return grid({
    caption: 'What changed, by class', length, sort: 'size', filter: nameFilter(names, () => ''),
    columns: [
      nameColumn(names), figure('size', 'Size', sizeDelta, signedBytes), figure('count', 'Objects', countDelta, signedCount), figure('added', 'New', addedCount, count),
      figure('removed', 'Gone', removedCount, count), figure('addedSize', 'New size', addedSize, bytes), figure('removedSize', 'Gone size', removedSize, bytes),
    ],
  });
}

const nameColumn = (names) => ({ key: 'name', title: 'Class', value: (row) => names[row], cell: (row) => code(names[row], { title: names[row] }) });
const placeColumn = (placeAt) => ({
  key: 'place', title: 'Place', width: '15rem', value: placeAt, cell: (row) => (placeAt(row) ? code(placeAt(row).split('/').slice(-2).join('/'), { title: placeAt(row) }) : ''),
});

/** In lower case, made when somebody begins to write. */
function nameFilter(names, placeAt) {
  let texts;
  return {
    label: 'Filter by class or place',
    text: (row) => {
      texts ??= names.map((name, i) => `${name} ${placeAt(i)}`.toLowerCase());
      return texts[row];
    },
  };
}
