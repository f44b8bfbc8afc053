// Elements. What comes from evidence gets in as text alone: nothing here, or in any other module of the page, reads markup.

const SVG = 'http://www.w3.org/2000/svg';

/** An element with attributes and children; `on*` are listeners, `class` and `data-*` as they are; null and false are left out. */
export function h(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same in SVG. */
export function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith('on')) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? '' : value);
  }
  element.append(...children.flat(3).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A name of the program's: in a face of even width, and never translated. */
export const code = (text, attributes) => h('code', { translate: 'no', ...attributes }, text);

/** A section with a heading that can be linked to. */
export function section(id, title, ...children) {
  return h('section', { id, 'aria-labelledby': `${id}-title` }, h('h2', { id: `${id}-title` }, title), ...children);
}

/** What is unfolded when it is wanted. `fill` makes the content, the first time. */
export function fold(title, fill, { open = false } = {}) {
  const body = h('div', { class: 'fold' });
  const details = h('details', { open }, h('summary', null, title), body);
  const show = () => {
    if (details.open && !body.hasChildNodes()) body.append(...[fill()].flat());
  };
  details.addEventListener('toggle', show);
  show();
  return details;
}

let ids = 0;
/** An id that nothing else of the page has. */
export const freshId = (name) => `${name}-${++ids}`;
