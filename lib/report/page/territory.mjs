// The dominator tree of a heap, of the list that the page has: who holds how much, without a byte that counts twice.

/** What kind of thing a class is: what the map is coloured by. */
export const KINDS = { program: 'of the program', collection: 'collections', code: 'functions', text: 'text', v8: 'of V8 and Node' };

export function kindOf(name) {
  if (/^\((concatenated |sliced )?string\)$/.test(name) || name === 'String') return 'text';
  if (/^(\(closure\)|Function$|\(code\)|\(compiled code\)|class )/.test(name)) return 'code';
  if (/^(Array|Map|Set|WeakMap|WeakSet|Object|Buffer|ArrayBuffer|[A-Z]\w+Array|\{)/.test(name) && !/^Object \//.test(name)) return 'collection';
  return /^(\(|system \/|global|Node \/|InternalNode)/.test(name) ? 'v8' : 'program';
}

/** The tree: each object with its children, the largest first. */
export function treeOf({ length, columns }) {
  const { parent, constructorName, edge, count, shallowSize, retainedSize } = columns;
  const all = Array.from({ length }, (_, i) => ({
    name: constructorName[i], edge: edge[i], count: count[i], own: shallowSize[i], size: retainedSize[i], children: [], up: null, kind: kindOf(constructorName[i]),
  }));
  all.forEach((node, i) => {
    if (parent[i] === null) return;
    node.up = all[parent[i]];
    node.up.children.push(node);
  });
  for (const node of all) node.children.sort((a, b) => b.size - a.size);
  Object.assign(all[0], { name: 'the whole heap', edge: '' });
  return all[0];
}

/** `Map requestsById`: what it is and how it is called; of many the number. */
export function labelOf({ name, edge, count }) {
  if (count > 1) return `${count.toLocaleString('en-US')} × ${name}`;
  return edge && !/^(\d+|<.*>)$/.test(edge) ? `${edge}: ${name}` : name;
}

/** From the root to the node. */
export function wayTo(node) {
  const way = [];
  for (let at = node; at; at = at.up) way.unshift(at);
  return way;
}

/** The inner end of a chain of objects of which each holds nearly nothing but the next. */
export function endOf(node) {
  let at = node;
  while (at.children.length > 0 && at.children[0].count === 1 && at.children[0].children.length > 0 && at.children[0].size > at.size * 0.9) [at] = at.children;
  return at;
}

/** What a chain ends in for its reader: the last on it that is not V8's own: a Map, and not its table. */
export function tellingEnd(node, end) {
  let told = end;
  while (told !== node && told.kind === 'v8') told = told.up;
  return told;
}

/** What a chain is called: by its ends. */
export function chainLabel(node, end) {
  const told = tellingEnd(node, end);
  if (told === node) return labelOf(node);
  return `${labelOf(node)} ${told.up === node ? '›' : '› … ›'} ${labelOf(told)}`;
}
