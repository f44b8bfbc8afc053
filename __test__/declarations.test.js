'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { TraceMap, encodedMappings } = require('@jridgewell/trace-mapping');
const { withDeclarations } = require('../lib/declarations');
const { Outline } = require('../lib/outline');
const { withPositions } = require('../lib/positions');
const { ROOT, folder, run } = require('./support');

/** Where a function begins that V8 tells of, and what is to be found. */
const FUNCTION = '/*F*/';
const DECLARED = '/*D*/';

/** The place behind a mark, from 1; null where there is none. */
function behind(source, mark) {
  const at = source.indexOf(mark);
  if (at < 0) return null;
  const lines = source.replace(/^\ufeff/, '').slice(0, source.replace(/^\ufeff/, '').indexOf(mark) + mark.length).split(/\r\n|[\n\r\u2028\u2029]/);
  return { line: lines.length, column: lines.at(-1).length + 1 };
}

/** A culprit as native code tells it: `name` is held by `owner`, and the function at `place` is on the path. */
function culprit({ file, place, name, owner = '(closure) <anonymous>', label = '(closure) <anonymous>', constructorName = 'Session', location = { file, ...place }, event }) {
  const held = place && { file, ...place };
  // Each place is an object of its own, as in what JSON says.
  return JSON.parse(JSON.stringify({
    constructorName, location,
    holder: { constructorName: 'Map', name, location: held, ...(event && { event }) },
    retainerPath: [
      { name: 'Map', edge: '[[Entries]]', location: null },
      { name: owner, edge: name, location: owner.startsWith('(closure)') ? held : null },
      ...(owner.startsWith('(closure)') || !place ? [] : [{ name: label, edge: 'outer', location: held }]),
    ],
  }));
}

/** What is found in `source`, written to a file. */
async function found(t, source, { file = 'app.js', name = 'held', ...given } = {}) {
  const at = path.join(folder(t), file);
  fs.writeFileSync(at, source);
  // What V8 calls it.
  const [, called = '<anonymous>'] = /function\*? (\w+)(?:<\w+>)?\/\*F/.exec(source) ?? [];
  const label = `(closure) ${called}`;
  const one = culprit({ file: at, place: behind(source, FUNCTION), name, label, owner: label, ...given });
  await withDeclarations([one]);
  return { ...one, file: at };
}

async function finds(t, source, given) {
  const { holder, file } = await found(t, source, given);
  assert.deepEqual(holder.location, { file, ...behind(source, DECLARED) }, source.slice(0, 400));
  assert.deepEqual(holder.reachedThrough, { file, ...behind(source, FUNCTION) });
}

async function findsNothing(t, source, given) {
  const { holder, location, file } = await found(t, source, given);
  assert.deepEqual(holder.location, { file, ...behind(source, FUNCTION) }, source.slice(0, 400));
  assert.deepEqual(location, { file, ...behind(source, FUNCTION) });
  assert.equal('reachedThrough' in holder, false);
}

const VARIABLES = {
  'a constant': 'const /*D*/held = new Map();\nfunction other/*F*/() { held.size; }',
  'the second of a list': 'let a = [1, { b: 2 }], /*D*/held = {};\nexports.f = /*F*/() => held;',
  'one without a value': 'let /*D*/held\nexports.f = /*F*/() => { held = [] }',
  'a pattern': 'const { a, deep: { held: x, y: [, /*D*/held = {}] }, ...rest } = f();\nexports.f = /*F*/x => held;',
  'a rest': 'const [a, .../*D*/held] = f();\nexports.f = async /*F*/(x) => held;',
  'a parameter': 'function make(a, { b = 1 }, /*D*/held = []) {\n return /*F*/() => held;\n}',
  'the parameter of an arrow': 'const make = /*D*/held => /*F*/() => held;\nconst held = 1;',
  'a loop': 'const held = 1;\nfor (const /*D*/held of [[]]) fs.push(/*F*/() => held);',
  'the scope around it': 'const held = 1;\n{\n const /*D*/held = [];\n f = /*F*/function () { held; };\n}\n{ const held = 2; }',
  'not one within it': 'const /*D*/held = 1;\nf = /*F*/function () { { const held = 2; } held; };\nfunction g() { const held = 3; }',
  'a var out of its block': 'function f() {\n if (x) { var /*D*/held = []; }\n return /*F*/() => held;\n}\nvar held;',
  'what a call keeps': 'async function work/*F*/() {\n const /*D*/held = [];\n await held;\n}',
  'a class': 'const /*D*/held = [];\n/*F*/class A { x = held; }',
  'a method': 'const /*D*/held = [];\nclass A { static async *[`m${1}`]/*F*/() { held; } }',
  'decoys': [
    '// const held = 1', '/* const held = 2; */', 'const a = "const held = 3", b = `const held = 4 ${"const held = 5"}`, c = /const held = [/"}]/;',
    'const x = { held: 1 }, y = x.held;', 'x.held = 2;', 'const /*D*/held = a / b / c;', 'g(/*F*/() => held);',
  ].join('\n'),
  'windows': 'const a = 1;\r\nconst /*D*/held = [];\r\n\r\nf(/*F*/() => held);\r\n',
  'a byte order mark': '\ufeffconst /*D*/held = []; f(/*F*/() => held);',
  'a hashbang': '#!/usr/bin/env node\nconst /*D*/held = [];\nf(/*F*/() => held);',
  'rare line ends': 'const a = "\u2028";\rconst /*D*/held = [];\u2029f(/*F*/() => held);',
  'one line': `${'a=1;'.repeat(50_000)}const /*D*/held=[];${'b({c:[1]});'.repeat(20_000)}f(/*F*/e=>held.push(e));`,
  'depth': `${'{'.repeat(20_000)}const /*D*/held=[];f(/*F*/e=>held.push(e));${'}'.repeat(20_000)}`,
  'templates in templates': 'const /*D*/held = `${`${`}` + "`"}`}{`;\nf(/*F*/() => held);',
  'a blocks after a call': 'call()\n{\n  const /*D*/held = [];\n  f(/*F*/() => held);\n}\n{\n const held = 1;\n}',
};
for (const [what, source] of Object.entries(VARIABLES)) {
  test(`variable: ${what}`, (t) => finds(t, source));
}

test('variable of a module\'s own function, which begins where the file does', async (t) => {
  const source = `import f from 'f';\nfunction g() { const held = 1; }\nconst ${DECLARED}held = [];\nawait f(held);`;
  const { holder, file } = await found(t, source, { place: { line: 1, column: 1 } });
  assert.deepEqual(holder.location, { file, ...behind(source, DECLARED) });
});

const PROPERTIES = {
  'a field': '/*F*/class Box { other = held; /*D*/held = []; held2 = 1; }',
  'a private one': ['/*F*/class Box { #other;\n static { 1 }\n /*D*/#held = [];\n get held() { return this.#held; } }', { name: '#held' }],
  'the constructor': 'class B {\n add() { this.held = null; }\n}\nclass Box extends B { constructor/*F*/() { this./*D*/held = []; } }',
  'the class of that name': 'class A { held = 1; }\nclass Box { /*D*/held = 2; }\nfunction f/*F*/() { return new Box(); }',
  'what the class extends': 'class No { held = 0; }\nclass Base { /*D*/held = []; }\n/*F*/class Box extends Base { go() { this.held.push(1); } }',
  'a function that makes them': 'function Box/*F*/() { this./*D*/held = []; }\nfunction Other() { this.held = 1; }',
  'an object': ['const a = { held: 1 };\nconst app = f();\napp.locals./*D*/held = new Map();\nf(/*F*/() => app);\nb.held = {};', { owner: 'Object' }],
  'a literal': ['const store = {\n name: held,\n /*D*/held: [],\n};\nf(/*F*/() => store);', { owner: 'Object' }],
  'a static one': ['/*F*/class Box { static /*D*/held = []; }', { owner: '(closure) Box' }],
  'a function\'s own': ['const Box = f(/*F*/() => 1);\nBox./*D*/held = [];', { owner: '(closure) <anonymous>' }],
};

for (const [what, given] of Object.entries(PROPERTIES)) {
  const [source, more] = [given].flat();
  test(`property: ${what}`, (t) => finds(t, source, { owner: 'Box', ...more }));
}

const TYPED = {
  'a field': ['/*F*/class Box<T extends { held: 1 }> implements A<{ x: 1 }>, B {\n  private readonly /*D*/held: Record<string, T> = {};\n}', 'Box'],
  'a parameter of the constructor': ['class Box { constructor/*F*/(private readonly /*D*/held: Map<string, number>) {} }', 'Box'],
  'a variable': ['interface A { held: string }\ntype B = { held: number };\nconst /*D*/held: Map<string, { held: 1 }> = new Map<string, any>();\nexport function f<T>/*F*/(a: T): Promise<{ b: T }> { return held; }'],
  'a type of a result': ['function f(a: () => void): Array<{ held: 1 }> {\n  const /*D*/held = a! / 2;\n  return g(/*F*/(x: number): string => held);\n}\nconst held = 1;'],
};

for (const [what, [source, owner]] of Object.entries(TYPED)) {
  test(`TypeScript: ${what}`, (t) => finds(t, source, { file: 'app.ts', ...(owner && { owner }) }));
}

test('JSX', (t) => finds(t, 'const /*D*/held = [];\nconst a = <p title="it\'s {">don\'t {`}`} {x}</p>;\nf(/*F*/() => held);', { file: 'app.jsx' }));

const NOTHING = {
  'an import': 'import { x as held } from "./store.js";\nf(/*F*/() => held);',
  'a default import': 'import held from "./store.js";\nf(/*F*/() => held);',
  'no function there': 'const held = [];\nf(1, /*F*/held);',
  'another function there': ['const held = [];\nfunction other/*F*/() {}', { owner: '(closure) login' }],
  'no such name': 'const heldBack = [];\nf(/*F*/() => heldBack);',
  'a variable that the function does not see': 'function g() { const held = []; }\nf(/*F*/() => 1);',
  'a template without an end': 'const held = [];\nf(/*F*/() => held);\nconst a = `${held',
  'a string without an end': 'const held = "\nf(/*F*/() => held);',
  'brackets that do not match': 'const held = [];\nf(/*F*/() => held;\n}',
  'a bracket too many': 'const held = [];\nf(/*F*/() => held); }',
  'too long a text': `const held = [];\nf(/*F*/() => held);//${'x'.repeat(1024 * 1024)}`,
  'binary': 'const held = [];\0\0\x7f\ufffd\nf(/*F*/() => held); \x01`',
  'another class\'s field': ['class A { held = []; }\nf(/*F*/() => A);', { owner: 'Imported' }],
};

for (const [what, given] of Object.entries(NOTHING)) {
  const [source, more] = [given].flat();
  test(`nothing changes: ${what}`, (t) => findsNothing(t, source, more));
}

test('a file that is not there, and what is no file', async (t) => {
  const dir = folder(t);
  for (const file of [path.join(dir, 'gone.js'), dir, 'webpack://app/x.js', '']) {
    const one = culprit({ file, place: { line: 1, column: 1 }, name: 'held' });
    const before = structuredClone(one);
    assert.deepEqual(await withDeclarations([one]), [before]);
  }
});

test('a file that was changed since it was loaded', async (t) => {
  const source = 'const held = [];\nfunction login() { held; }';
  const place = { line: 2, column: 15 };
  const told = async (text) => {
    const { holder } = await found(t, text, { place, label: '(closure) login', owner: '(closure) login' });
    return holder.reachedThrough ? holder.location.line : null;
  };
  assert.equal(await told(source), 1);
  assert.equal(await told(`let a;${source}`), 1, 'what is still there is found');
  assert.equal(await told(`\n${source}`), null);
  assert.equal(await told(source.replace('login', 'logon')), null);
  assert.equal(await told(source.replace('held', 'kept')), null);
  assert.equal(await told(source.replace('function', 'async function')), null);
  assert.equal(await told(source.slice(0, 20)), null);
});

test('a name of no function is looked for in the files of the path alone', async (t) => {
  for (const [source, name, owner] of [
    [`const requests = 1;\nglobalThis.${DECLARED}requests = [];\nx.requests = {};\nf(${FUNCTION}() => requests);`, 'requests', 'global'],
    [`f(${FUNCTION}() => 1);\n${DECLARED}requests = [];`, 'requests', 'global'],
    [`exports.${DECLARED}requests = [];\nf(${FUNCTION}() => 1);`, 'requests', 'Object'],
  ]) {
    const file = path.join(folder(t), 'app.js');
    fs.writeFileSync(file, source);
    const thing = { file, ...behind(source, FUNCTION) };
    const one = culprit({ file, place: null, name, owner, location: thing });
    await withDeclarations([one]);
    assert.deepEqual(one.holder.location, { file, ...behind(source, DECLARED) }, source);
    assert.deepEqual(one.location, thing);
    assert.equal('reachedThrough' in one.holder, false);
  }
});

test('the place of the culprit follows its holder only where it had no other', async (t) => {
  const source = `const ${DECLARED}held = [];\nf(${FUNCTION}() => held);`;
  const { holder, location } = await found(t, source);
  assert.deepEqual(location, holder.location);
  const listener = await found(t, source, { event: 'data' });
  assert.deepEqual(listener.location, listener.holder.reachedThrough);
  const own = await found(t, source, { location: { file: 'session.js', line: 3, column: 1 } });
  assert.equal(own.location.file, 'session.js');
  const list = await found(t, source, { constructorName: '(closure) <anonymous>' });
  assert.deepEqual(list.location, list.holder.location);
  list.holder.location = list.location = list.holder.reachedThrough;
  list.retainerPath.shift();
  await withDeclarations([list]);
  assert.deepEqual(list.location, list.holder.reachedThrough, 'a link of a list is its own place');
});

test('the variable by which a function has what has no declaration of its own', (t) =>
  finds(t, `const ${DECLARED}outer = create();\nf(${FUNCTION}() => outer);`, { owner: 'Pool', name: '_members' }));

test('names of a minifier are found in what it wrote, and led to the source', async (t) => {
  const dir = folder(t);
  const source = 'for (const s of [1]) use(s);\nconst sessionsByToken = new Map();\nexport const login = (id) => sessionsByToken.set(id, 1);\n';
  const bundle = 'for(const e of[1])use(e);const s=new Map,l=e=>s.set(e,1);export{l};\n//# sourceMappingURL=app.min.js.map\n';
  const column = (text) => bundle.indexOf(text);
  const mappings = encodedMappings(new TraceMap({
    version: 3, sources: ['app.js'], names: [],
    mappings: [[[0, 0, 0, 0], [column('const s='), 0, 1, 0], [column('s=new'), 0, 1, 6], [column('l=e'), 0, 2, 13], [column('e=>'), 0, 2, 21]]],
  }));
  fs.writeFileSync(path.join(dir, 'app.js'), source);
  const file = path.join(dir, 'app.min.js');
  fs.writeFileSync(file, bundle);
  fs.writeFileSync(`${file}.map`, JSON.stringify({ version: 3, sources: ['app.js'], names: [], mappings }));
  const one = culprit({ file, place: { line: 1, column: column('e=>') + 1 }, name: 's' });
  await withDeclarations(await withPositions([one]));
  assert.deepEqual(one.holder.location, {
    file: path.join(dir, 'app.js'), line: 2, column: 7, generated: { file, line: 1, column: column('s=new') + 1 },
  });
  assert.equal(one.holder.reachedThrough.line, 3);

  // What it wrote is gone, and `s` in the source is another.
  fs.rmSync(file);
  const lost = structuredClone(one);
  lost.holder.location = lost.location = lost.holder.reachedThrough;
  lost.retainerPath[1].location = lost.holder.location;
  delete lost.holder.reachedThrough;
  await withDeclarations([lost]);
  assert.equal('reachedThrough' in lost.holder, false);
});

test('TypeScript that was compiled, in a program that runs', async (t) => {
  const dir = folder(t);
  const source = [
    'class Session {', '  readonly notes: number[];', '  constructor(id: number) { this.notes = new Array(40).fill(id); }', '}', '',
    'class Store {', '  label: string;', '  private readonly sessions: Session[] = []; // <-- field', '  constructor() { this.label = "x"; }',
    '  add(session: Session) { this.sessions.push(session); }', '}', '', 'const store = new Store();', '',
    'export function login(id: number): void {', '  store.add(new Session(id));', '}', '',
  ].join('\n');
  fs.mkdirSync(path.join(dir, 'src'));
  fs.writeFileSync(path.join(dir, 'src', 'auth.ts'), source);
  fs.writeFileSync(path.join(dir, 'package.json'), '{ "type": "commonjs" }');
  execFileSync(process.execPath, [
    path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc'), '--rootDir', 'src', '--outDir', 'dist', '--target', 'es2022', '--module', 'node16',
    '--types', '', '--sourceMap', 'src/auth.ts',
  ], { cwd: dir, stdio: 'pipe' });
  const { code, stdout, stderr } = await run([path.join(__dirname, 'fixtures', 'grown.js'), path.join(dir, 'dist', 'auth.js')]);
  assert.equal(code, 0, stderr);
  const { holder } = JSON.parse(stdout).culprits.find(({ constructorName }) => constructorName === 'Session');
  assert.equal(holder.name, 'sessions');
  assert.deepEqual([path.relative(dir, holder.location.file), holder.location.line], [path.join('src', 'auth.ts'), 8]);
  assert.equal(holder.location.generated.file, path.join(dir, 'dist', 'auth.js'));
});

test('whatever a text was turned into, what is told has the name', async (t) => {
  const file = path.join(folder(t), 'app.js');
  const source = VARIABLES.decoys.replaceAll(/\/\*[FD]\*\//g, '');
  const place = behind(VARIABLES.decoys.replace(DECLARED, ''), FUNCTION);
  place.column -= FUNCTION.length;
  let state = 12345;
  const random = (below) => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return (state >>> 8) % below;
  };
  const parts = ['`', '${', '}', '{', '(', ')', '/', '"', '\n', '\\', '=>', 'held', 'const ', '*/', '/*', 'class ', '\u2028', 'function'];
  let told = 0;
  for (let round = 0; round < 300; round++) {
    let text = source;
    for (let change = random(3); change >= 0; change--) {
      const at = random(text.length);
      text = text.slice(0, at) + parts[random(parts.length)] + text.slice(at + random(3));
    }
    fs.writeFileSync(file, text);
    const one = culprit({ file, place, name: 'held' });
    await withDeclarations([one]);
    if (!one.holder.reachedThrough) continue;
    told += 1;
    const { line, column } = one.holder.location;
    assert.ok(text.split(/\r\n|[\n\r\u2028\u2029]/)[line - 1].slice(column - 1).startsWith('held'), text);
  }
  assert.ok(told > 10, `${told}`);
});

test('a name that a minifier has given ten thousand times takes no longer for each of them', async (t) => {
  const one = 'function f(e,t){let n=e.a,r=t;return[e,t,n].map(e=>e+1),r}';
  const cost = async (times) => {
    const before = process.cpuUsage();
    await finds(t, `const a=1,${DECLARED}e=[];${one.repeat(times)}g(${FUNCTION}()=>e.push(1));`, { name: 'e' });
    const { user, system } = process.cpuUsage(before);
    return user + system;
  };
  await cost(1000);
  const few = await cost(1000);
  const many = await cost(8000);
  assert.ok(many < few * 8 * 4, `${few} to ${many} microseconds`);
});

test('the program goes on while a long text is read', async () => {
  const text = 'const a = () => { f({ b: [1, `${c}`] }); };\n'.repeat(15_000);
  let turns = 0;
  let isDone = false;
  const turn = () => {
    turns += 1;
    if (!isDone) setImmediate(turn);
  };
  setImmediate(turn);
  const outline = await Outline.of(text, 'a.js');
  isDone = true;
  assert.equal(outline.functions.length, 15_000);
  assert.ok(turns > 5, `${turns}`);
});
