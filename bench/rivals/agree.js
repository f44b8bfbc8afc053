'use strict';

// Whether the tools' answers are the same. What is known to differ, and why, is here; all else is a failure.

/** Differences that are the other tool's way, by tool. They are printed with the results. */
const KNOWN = {
  'v8-heap-parser': [
    'keeps what a WeakMap holds under its table, DevTools under the key too: retained sizes may differ by those values',
    'its dominators suffer from long lists: with lists of 100,000 links, the default of the generator, its summary of a 100 MB file of Node 24 took 23 s of CPU, without them 1.6 s; judge the ratio by files made with --list-length 100',
    'symbols, object shapes and scopes are one class, "(unknown)": only classes of objects, functions, strings, numbers and code are compared',
  ],
  '@heap-snapshot/tool': [
    'names are cut and sizes rounded to two digits: counts are compared, of classes whose names are whole',
    'groups code by the name of its function, so that a name can be a class and its code (Function is not compared): the rows with a location are the class',
    'leaves out what has no size, as DevTools does',
    'takes an object for removed only where its id is gone, though V8 gives ids to other objects again: of removed objects it may find fewer',
    'its retaining paths are a tree of all ways to a root within its limits: only that it finds one, or gives up, is compared',
    'gives up on objects deep in a long list (its limits: a depth of 50, 5,000 objects)',
  ],
  memlab: [
    'sizes are 32 bits wide: an object or a sum past 4 GB wraps',
    'its diff knows ids only, not classes, and says what was added, not what went away',
    'chooses the edges that hold by its own rules: its retained sizes are not compared (of 100 top objects of a 15 MB file 61 differ)',
  ],
  DevTools: [
    'sizes of single objects are 32 bits wide',
    'moves the sizes of some internal objects to their owners and leaves out what then has no size: counts are compared, of objects and functions',
    'plain objects are classes by their properties: their sum is compared; in a diff the sum of the differences',
  ],
};

/** Classes that every tool names alike, beside those of objects. */
const COMMON = ['Function', '(string)', '(number)', '(concatenated string)', '(sliced string)', '(compiled code)'];
const RENAMED = { '(closure)': 'Function' };

const renamed = (classes) => Object.fromEntries(Object.entries(classes).map(([name, row]) => [RENAMED[name] ?? name, row]));

/** One row for a class out of rows that tell plain objects apart by their properties. */
function folded(groups, fields) {
  const classes = {};
  for (const group of groups) {
    const name = group.name.startsWith('{') ? 'Object' : group.name;
    const into = (classes[name] ??= Object.fromEntries(fields.map((field) => [field, 0])));
    for (const field of fields) into[field] += group[field];
  }
  return classes;
}

/**
 * The counts that rows of @heap-snapshot/tool can mean for a class: those with a place in a script (or with properties) are its
 * instances; of the others with its name one may be, the rest is code of that name.
 */
function readings(rows, name, field) {
  const isKind = (row) => row.located || row.name.startsWith('{');
  const own = rows.filter((row) => row.name === name || (name === 'Object' && row.name.startsWith('{')));
  const sure = own.filter(isKind).reduce((sum, row) => sum + row[field], 0);
  return [sure, ...own.filter((row) => !isKind(row)).map((row) => sure + row[field])];
}

/** Compares one tool's answer with the reference, the crate's, which knows every class and what in it is empty. */
function differences(work, tool, answer, reference) {
  const found = [];
  const differ = (what, expected, actual) => {
    if (expected !== actual) found.push(`${work}: ${tool}: ${what}: expected ${expected}, found ${actual}`);
  };
  if (work === 'paths') {
    for (const [id, shortest] of Object.entries(reference.paths)) {
      const path = answer.paths[id];
      if (path === 'limits') continue;
      if (!path) found.push(`paths: ${tool}: none for @${id}`);
      else if (path[0] !== Number(id) || new Set(path).size !== path.length) found.push(`paths: ${tool}: @${id}: not a path: ${path}`);
      // The reference follows weak edges too, so that nothing is shorter, but for a tool that stops at the program's root.
      else if (tool === 'heapwarden' && path.length < shortest.length) found.push(`paths: ${tool}: @${id}: shorter than the shortest`);
    }
    return found;
  }
  const base = renamed(reference.classes);
  const isDiff = work === 'diff';
  const fields = isDiff ? ['addedCount', 'removedCount'] : ['count'];
  const rows = answer.groups ?? answer.rows;
  const classes = answer.groups ? folded(answer.groups, fields) : answer.classes ? renamed(answer.classes) : {};
  const skipsEmpty = rows !== undefined;
  if (!isDiff) {
    if (answer.nodeCount !== undefined) differ('objects', reference.nodeCount, answer.nodeCount);
    if (answer.edgeCount !== undefined) differ('edges', reference.edgeCount, answer.edgeCount);
  }
  for (const [name, row] of Object.entries(base)) {
    const comparable = reference.objects.has(name) || (COMMON.includes(name) && (!rows || name === '(string)' || (name === 'Function' && answer.groups !== undefined)));
    if (!comparable || name.length > 30 || name === '') continue;
    const other = classes[name] ?? Object.fromEntries(fields.map((field) => [field, 0]));
    if (answer.rows) {
      for (const field of fields) {
        // Which kind of plain object one is can change from one snapshot to the next.
        if (isDiff && name === 'Object') continue;
        const expected = row[field] - (isDiff ? 0 : row.empty);
        const possible = readings(answer.rows, name, field);
        if (field === 'removedCount' && Math.max(...possible) <= expected) continue;
        differ(`${name}, ${field}`, expected, possible.includes(expected) ? expected : possible.join(' or '));
      }
    } else if (isDiff && rows && name === 'Object') {
      differ('Object, balance', row.addedCount - row.removedCount, other.addedCount - other.removedCount);
    } else if (isDiff && tool === 'memlab') {
      differ(`${name}, added`, row.addedCount, other.addedCount);
    } else {
      for (const field of fields) differ(`${name}, ${field}`, row[field] - (skipsEmpty && !isDiff ? row.empty : 0), other[field]);
      const sizes = isDiff ? ['addedSize', 'removedSize'] : ['shallowSize'];
      if (!rows) for (const field of sizes) differ(`${name}, ${field}`, row[field], other[field] ?? 0);
    }
  }
  return found;
}

/** Retained sizes of the top objects, and of classes of objects, against DevTools, whose rule is ours. */
function retainedDifferences(answers) {
  const found = [];
  const { DevTools: devtools, heapwarden, 'v8-heap-parser': crate } = answers;
  if (!devtools) return found;
  if (heapwarden) {
    // Every class, exactly: both are told apart by properties and by place.
    const rows = (groups) => groups.map(({ name, count, retainedSize }) => `${name}: ${count} retain ${retainedSize}`).sort();
    const [theirs, own] = [rows(devtools.groups), rows(heapwarden.groups)];
    const only = (list, other) => list.filter((row) => !other.includes(row));
    found.push(...only(theirs, own).map((row) => `summary: only DevTools: ${row}`), ...only(own, theirs).map((row) => `summary: only heapwarden: ${row}`));
  }
  const compareTop = (name, top, allowed) => {
    const sizes = new Map(top.map(({ id, retainedSize }) => [id, retainedSize]));
    const wrong = devtools.top.filter(({ id, retainedSize }) => sizes.has(id) && sizes.get(id) !== retainedSize);
    const shared = devtools.top.filter(({ id }) => sizes.has(id)).length;
    if (wrong.length > allowed * shared || shared < devtools.top.length * 0.8) {
      const [first] = wrong;
      const example = first ? `; @${first.id}: ${first.retainedSize} and ${sizes.get(first.id)}` : '';
      found.push(`summary: ${name}: of ${shared} top objects shared with DevTools ${wrong.length} retain another size${example}`);
    }
  };
  // Its rule for WeakMaps is another one: a few are allowed to differ.
  if (crate?.top) compareTop('v8-heap-parser', crate.top, 0.1);
  return found;
}

/** All that differs in the answers to one work, as lines. `answers` by tool; the crate's is the reference. */
function disagreements(work, answers, objects) {
  const reference = answers['v8-heap-parser'] && { ...answers['v8-heap-parser'], objects };
  if (!reference) return [];
  const found = Object.entries(answers)
    .filter(([tool]) => tool !== 'v8-heap-parser')
    .flatMap(([tool, answer]) => differences(work, tool, answer, reference));
  if (work === 'summary') found.push(...retainedDifferences({ ...answers, 'v8-heap-parser': reference }));
  return found;
}

module.exports = { KNOWN, disagreements };
