'use strict';

// A naive reading of a heap snapshot: JSON.parse and loops. What the native parser says must equal it exactly.

/** `{ nodeCount, edgeCount, totalShallowSize, constructors: Map(name -> { count, shallowSize }) }`, classes as DevTools names them. */
function oracle(text) {
  const { snapshot, nodes, edges, strings } = JSON.parse(text);
  const { meta } = snapshot;
  const width = meta.node_fields.length;
  const at = (field) => meta.node_fields.indexOf(field);
  const [TYPE, NAME, SIZE] = [at('type'), at('name'), at('self_size')];
  const constructors = new Map();
  let total = 0;
  for (let i = 0; i < nodes.length; i += width) {
    const name = className(meta.node_types[TYPE][nodes[i + TYPE]], strings[nodes[i + NAME]]);
    const entry = constructors.get(name) ?? { count: 0, shallowSize: 0 };
    entry.count += 1;
    entry.shallowSize += nodes[i + SIZE];
    total += nodes[i + SIZE];
    constructors.set(name, entry);
  }
  return {
    nodeCount: nodes.length / width,
    edgeCount: edges.length / meta.edge_fields.length,
    totalShallowSize: total,
    constructors,
  };
}

function className(type, name) {
  switch (type) {
    case 'hidden': return '(system)';
    case 'object': case 'native': return name;
    case 'code': return '(compiled code)';
    case 'closure': return 'Function';
    case 'regexp': return 'RegExp';
    default: return `(${type})`;
  }
}

module.exports = { oracle };
