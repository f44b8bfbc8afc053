// A table of very many rows: only those in sight are in the document. It is sorted by its heads and filtered by a text.

import { count, counted } from './format.mjs';
import { freshId, h } from './dom.mjs';

const ROW = 28;
/** Rows beyond the edges, so that scrolling finds them there. */
const SPARE = 12;
const MOST_HEIGHT = 460;

/**
 * A table. `columns` are `{ key, title, width, numeric, value(row), cell(row) }` in that order: by `value` it is sorted, `cell` gives text or an
 * element; numbers sort with the largest first. `filter` is `{ label, text(row) }`; `sort` the key of the column that it is sorted by at first
 * (as the rows come, without).
 */
export function grid({ caption, length, columns, filter, sort }) {
  const id = freshId('grid');
  const state = { rows: Uint32Array.from({ length }, (_, i) => i), sort, down: columns.find(({ key }) => key === sort)?.numeric ?? false, text: '', first: -1, last: -1 };
  const head = h('tr', { 'aria-rowindex': 1 }, columns.map((column) => headOf(column)));
  const body = h('tbody');
  const table = h('table', { 'aria-rowcount': length + 1, 'aria-labelledby': `${id}-caption` },
    h('colgroup', null, columns.map(({ width }) => colOf(width))), h('thead', null, head), body);
  // In a narrow window it is scrolled sideways rather than squeezed.
  table.style.minWidth = `calc(${columns.map(({ width }) => width ?? '13rem').join(' + ')})`;
  const scroll = h('div', { class: 'grid-scroll', tabindex: 0, role: 'region', 'aria-labelledby': `${id}-caption` }, table);
  const status = h('span', { class: 'muted', role: 'status' });
  const element = h('div', { class: 'grid' },
    h('div', { class: 'grid-head' }, h('h3', { id: `${id}-caption` }, caption), filter && filterBox(), status), scroll);

  function colOf(width) {
    const col = h('col');
    if (width) col.style.width = width;
    return col;
  }

  function headOf(column) {
    const mark = h('span', { 'aria-hidden': 'true', class: 'sort-mark' });
    return h('th', { scope: 'col', class: column.numeric && 'number', 'data-key': column.key },
      h('button', { type: 'button', onclick: () => sortBy(column) }, column.title, mark));
  }

  function filterBox() {
    const input = h('input', { type: 'search', id: `${id}-filter`, autocomplete: 'off', spellcheck: 'false', size: 24 });
    input.addEventListener('input', () => {
      state.text = input.value.toLowerCase();
      select();
    });
    return h('label', { for: input.id, class: 'filter' }, filter.label, ' ', input);
  }

  function sortBy(column) {
    state.down = state.sort === column.key ? !state.down : Boolean(column.numeric);
    state.sort = column.key;
    select();
  }

  /** What the filter lets through, sorted. */
  function select() {
    const rows = [];
    for (let row = 0; row < length; row += 1) if (state.text === '' || filter.text(row).includes(state.text)) rows.push(row);
    const column = columns.find(({ key }) => key === state.sort);
    if (column) {
      const values = new Array(length);
      for (const row of rows) values[row] = column.value(row) ?? (column.numeric ? -Infinity : '');
      const sign = state.down ? -1 : 1;
      // Rows that are alike stay in the order in which they came.
      rows.sort((a, b) => (values[a] < values[b] ? -sign : values[a] > values[b] ? sign : a - b));
    }
    state.rows = rows;
    for (const th of head.children) {
      const isIt = th.dataset.key === state.sort;
      if (isIt) th.setAttribute('aria-sort', state.down ? 'descending' : 'ascending');
      else th.removeAttribute('aria-sort');
      th.querySelector('.sort-mark').textContent = isIt ? (state.down ? ' ▾' : ' ▴') : '';
    }
    status.textContent = rows.length === length ? counted(length, 'row') : `${count(rows.length)} of ${counted(length, 'row')}`;
    table.setAttribute('aria-rowcount', rows.length + 1);
    // As high as its rows, up to a limit; with room for a head and a bar to scroll by.
    scroll.style.height = `${Math.min(MOST_HEIGHT, (Math.max(rows.length, 1) + 1) * ROW + 16)}px`;
    scroll.scrollTop = 0;
    draw(true);
  }

  function draw(isNew) {
    const first = Math.max(Math.floor(scroll.scrollTop / ROW) - SPARE, 0);
    const last = Math.min(Math.ceil((scroll.scrollTop + (scroll.clientHeight || MOST_HEIGHT)) / ROW) + SPARE, state.rows.length);
    if (!isNew && first === state.first && last === state.last) return;
    Object.assign(state, { first, last });
    const focused = body.contains(document.activeElement) ? document.activeElement.closest('tr').getAttribute('aria-rowindex') : null;
    const rows = [space(first), ...Array.from({ length: last - first }, (_, i) => rowAt(first + i)), space(state.rows.length - last)];
    if (state.rows.length === 0) rows.push(h('tr', null, h('td', { colspan: columns.length, class: 'muted' }, 'No row matches.')));
    body.replaceChildren(...rows.filter(Boolean));
    // What had the focus was replaced by its like, or is out of sight.
    if (focused !== null) (body.querySelector(`tr[aria-rowindex="${focused}"] button`) ?? scroll).focus({ preventScroll: true });
  }

  function space(rows) {
    if (rows === 0) return null;
    const cell = h('td', { colspan: columns.length });
    cell.style.height = `${rows * ROW}px`;
    return h('tr', { 'aria-hidden': 'true', class: 'space' }, cell);
  }

  function rowAt(at) {
    const row = state.rows[at];
    return h('tr', { 'aria-rowindex': at + 2 }, columns.map(({ numeric, cell, title }, i) => {
      const content = cell(row);
      const text = typeof content === 'string' ? content : null;
      return h(i === 0 ? 'th' : 'td', { class: numeric && 'number', scope: i === 0 && 'row', title: text !== null && text.length > 24 && !numeric ? text : null, 'data-title': title }, content);
    }));
  }

  let asked = false;
  scroll.addEventListener('scroll', () => {
    if (asked) return;
    asked = true;
    requestAnimationFrame(() => {
      asked = false;
      draw(false);
    });
  }, { passive: true });
  select();
  return element;
}
