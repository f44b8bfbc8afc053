'use strict';

const assert = require('node:assert');
const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { after, before, test } = require('node:test');
const { pathToFileURL } = require('node:url');
const { GREATEST_LOWER_BOUND, LEAST_UPPER_BOUND, TraceMap, encodedMappings, originalPositionFor } = require('@jridgewell/trace-mapping');
const { segmentsAround } = require('../lib/mappings');
const { withPositions } = require('../lib/positions');
const { ROOT, folder, run } = require('./support');

/** A program in TypeScript; the marks are what is to be found. */
const SOURCE = `interface Row { id: number }
type Name = string;

/* something that is not there any more when it runs */
class Session { // <-- class
  readonly notes: number[];
  constructor(readonly token: Name, row: Row) { // <-- constructor
    this.notes = new Array(40).fill(row.id);
  }
}

const sessionsByToken = new Map<Name, Session>();

export function login(id: number): void { // <-- login
  sessionsByToken.set(String(id), new Session(String(id), { id }));
}
`;

/** The lines with a mark, from 1. */
function marked(source, ...marks) {
  const lines = source.split('\n');
  return marks.map((mark) => lines.findIndex((line) => line.endsWith(`// <-- ${mark}`)) + 1);
}

const DRIVER = path.join(__dirname, 'fixtures', 'grown.js');

/** What has grown in a program that exports `login`, by a comparison of two snapshots of it. */
async function grown(program, { args = [], env } = {}) {
  const { code, stdout, stderr } = await run([...args, DRIVER, program], { env });
  assert.equal(code, 0, stderr);
  return JSON.parse(stdout);
}

/** Compiles `SOURCE` to `dir/dist/auth.js`. */
function compiled(dir, ...settings) {
  fs.mkdirSync(path.join(dir, 'src'));
  fs.writeFileSync(path.join(dir, 'src', 'auth.ts'), SOURCE);
  fs.writeFileSync(path.join(dir, 'package.json'), '{ "type": "commonjs" }');
  const tsc = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  execFileSync(process.execPath, [
    tsc, '--rootDir', 'src', '--outDir', 'dist', '--target', 'es2022', '--module', 'node16', '--skipLibCheck', '--types', '',
    ...settings, 'src/auth.ts',
  ], { cwd: dir, stdio: 'pipe' });
  return path.join(dir, 'dist', 'auth.js');
}

/** Node's own, and those of the class. */
function assertPlace({ location }, file, source) {
  assert.equal(location.file, file);
  assert.ok(marked(source, 'class', 'constructor').includes(location.line), `line ${location.line}`);
}

const javascript = (source, format) => {
  const plain = source.replace(/^(interface|type) .*$/gm, '').replace('  readonly notes: number[];', '')
    .replace('(readonly token: Name, row: Row)', '(token, row)').replace('<Name, Session>', '').replace('(id: number): void', '(id)');
  return format === 'esm' ? plain : plain.replace('export function', 'exports.login = function');
};

test('CommonJS and modules are where they are written', async (t) => {
  const dir = folder(t);
  for (const [name, format] of [['auth.cjs', 'cjs'], ['auth.mjs', 'esm']]) {
    const file = path.join(dir, name);
    const source = javascript(SOURCE, format);
    fs.writeFileSync(file, source);
    const { culprits: [first] } = await grown(file);
    assert.equal(first.constructorName, 'Session');
    assertPlace(first, file, source);
    assert.equal(first.location.generated, undefined);
    const holder = first.retainerPath.find(({ edge }) => edge === 'sessionsByToken');
    assert.equal(holder.location.file, file);
  }
});

for (const [how, settings, args] of [
  ['a map beside the file', ['--sourceMap'], []],
  ['a map inside the file', ['--inlineSourceMap'], []],
  ['--enable-source-maps', ['--sourceMap'], ['--enable-source-maps']],
  ['--enable-source-maps and a map inside', ['--inlineSourceMap', '--inlineSources'], ['--enable-source-maps']],
]) {
  test(`TypeScript is where it is written, by ${how}`, async (t) => {
    const dir = folder(t);
    const file = compiled(dir, ...settings);
    const { culprits: [first], written } = await grown(file, { args });
    assert.equal(first.constructorName, 'Session');
    const source = path.join(dir, 'src', 'auth.ts');
    assertPlace(first, source, SOURCE);
    assert.equal(first.location.generated.file, file);
    assert.notEqual(first.location.generated.line, first.location.line);
    const { location } = first.retainerPath.find(({ edge }) => edge === 'sessionsByToken');
    assert.deepEqual([location.file, location.line], [source, marked(SOURCE, 'login')[0]]);
    const row = written.find(({ constructorName }) => constructorName === 'Session');
    assert.deepEqual(row.location, first.location, 'the summary of a snapshot says the same');
  });
}

test('without source maps places are those of V8, and no file is read', async (t) => {
  const file = compiled(folder(t), '--sourceMap');
  const { culprits: [first] } = await grown(file, { env: { GROWN_SOURCE_MAPS: 'off' } });
  assert.equal(first.location.file, file);
  assert.deepEqual([first.location.generated, 'known' in first], [undefined, false]);
});

// What a map may do wrong: below, `a.js` has two lines and its map leads (2, 3) to line 10 of `a.ts`.

/** Line 2 of the generated file, from its first column, is line 10, column 5 of the source. */
const MAP = { version: 3, file: 'a.js', sources: ['a.ts'], names: [], mappings: ';AASI' };

let dir;
before(() => {
  dir = fs.mkdtempSync(path.join(require('node:os').tmpdir(), 'heapwarden-test-positions-'));
});
after(() => fs.rmSync(dir, { recursive: true, force: true }));

let files = 0;
/** The place (2, 3) of a fresh file, led back: by the comment `comment`, the map beside it being `map` (text, or an object). */
async function placed(comment, map, name = `f${++files}`) {
  const base = path.join(dir, name);
  fs.mkdirSync(base, { recursive: true });
  const file = path.join(base, 'a.js');
  fs.writeFileSync(file, `one\ntwo${comment === undefined ? '' : `\n${comment}`}`);
  if (map !== undefined) fs.writeFileSync(`${file}.map`, typeof map === 'string' ? map : JSON.stringify(map));
  const report = { culprits: [{ location: { file, line: 2, column: 3 } }] };
  await withPositions(report);
  return { ...report.culprits[0].location, base };
}

const COMMENT = '//# sourceMappingURL=a.js.map';
const inlined = (map) => `//# sourceMappingURL=data:application/json;base64,${Buffer.from(JSON.stringify(map)).toString('base64')}`;

function assertMapped({ base, ...location }, source = path.join(base, 'a.ts')) {
  assert.deepEqual(location, { file: source, line: 10, column: 5, generated: { file: path.join(base, 'a.js'), line: 2, column: 3 } });
}

test('maps are found by their comment, and beside a file that has none', async () => {
  assertMapped(await placed(COMMENT, MAP));
  assertMapped(await placed(`${COMMENT}\n// the end\n`, MAP));
  assertMapped(await placed(`//@ sourceMappingURL=a.js.map\r\n`, MAP));
  assertMapped(await placed(undefined, MAP));
  assertMapped(await placed(inlined(MAP)));
  assertMapped(await placed(inlined({ ...MAP, sourcesContent: ['x'.repeat(100_000)] })), undefined);
  assertMapped(await placed(`//# sourceMappingURL=data:application/json,${encodeURIComponent(JSON.stringify(MAP))}`));
  assertMapped(await placed(COMMENT, `)]}'\n${JSON.stringify(MAP)}`));
  assertMapped(await placed(COMMENT, { version: 3, sections: [{ offset: { line: 0, column: 0 }, map: MAP }] }));
});

test('the segments around a place are those that a whole decoding finds', () => {
  let seed = 1;
  const random = (below) => { seed = (seed * 48271) % 2147483647; return seed % below; };
  for (let round = 0; round < 200; round++) {
    const lines = Array.from({ length: random(8) }, () => {
      let column = 0;
      return Array.from({ length: random(6) }, () => {
        column += random(40);
        const fields = [1, 4, 5][random(3)];
        return [column, random(3), random(100_000), random(100_000), random(5)].slice(0, fields);
      });
    });
    const map = { version: 3, sources: ['a.ts', 'b.ts', 'c.ts'], names: ['a', 'b', 'c', 'd', 'e'], mappings: lines };
    map.mappings = encodedMappings(new TraceMap(map));
    const places = Array.from({ length: 5 }, () => ({ line: random(9), column: random(100) }));
    const around = segmentsAround(map.mappings, places);
    const whole = new TraceMap(map);
    places.forEach(({ line, column }, i) => {
      const part = new TraceMap({ ...map, mappings: [around[i]] });
      for (const bias of [GREATEST_LOWER_BOUND, LEAST_UPPER_BOUND]) {
        const { source, line: row, column: at } = originalPositionFor(whole, { line: line + 1, column, bias });
        const found = originalPositionFor(part, { line: 1, column, bias });
        assert.deepEqual([found.source, found.line, found.column], [source, row, at], `${map.mappings} ${line}:${column}`);
      }
    });
  }
});

test('sources are named as their map means them', async () => {
  const at = await placed(COMMENT, { ...MAP, sourceRoot: '../src' });
  assertMapped(at, path.join(dir, 'src', 'a.ts'));
  assertMapped(await placed(COMMENT, { ...MAP, sources: [pathToFileURL('/srv/a b.ts').href] }), '/srv/a b.ts');
  assertMapped(await placed(COMMENT, { ...MAP, sources: ['webpack://app/./src/a.ts'] }), 'webpack://app/src/a.ts');
});

test('a map that is wrong leaves the place that V8 gave', async () => {
  const wrong = {
    'no JSON': '{',
    'empty': '',
    'null': 'null',
    'a list': '[]',
    'no version': { ...MAP, version: undefined, mappings: 7 },
    'no mappings': { ...MAP, mappings: undefined },
    'mappings that are none': { ...MAP, mappings: '!!!;\u0000' },
    'a source that is not there': { ...MAP, sources: [] },
    'a source without a name': { ...MAP, sources: [null] },
    'a source that moves the cursor': { ...MAP, sources: ['\u001b[2J.ts'] },
    'a source of another machine': { ...MAP, sources: ['file://host/a.ts'] },
    'a source with an endless name': { ...MAP, sources: ['a'.repeat(100_000)] },
    'another line only': { ...MAP, mappings: 'AASI' },
    'a segment of three': { ...MAP, mappings: ';AAS' },
    'a number without an end': { ...MAP, mappings: `;A${'g'.repeat(200)}` },
    'a line before the first': { ...MAP, mappings: ';AADI' },
    'deep sections': { version: 3, sections: [{ offset: { line: 0, column: 0 }, map: { version: 3, sections: 'x' } }] },
    'text that is too long': `${JSON.stringify(MAP)}${' '.repeat(17 * 2 ** 20)}`,
    'more lines than there is room for': { ...MAP, mappings: ';'.repeat(15 * 2 ** 20) },
  };
  for (const [what, map] of Object.entries(wrong)) {
    const { base, ...location } = await placed(COMMENT, map);
    assert.deepEqual(location, { file: path.join(base, 'a.js'), line: 2, column: 3 }, what);
  }
});

test('a comment that leads astray leaves the place that V8 gave', async () => {
  const elsewhere = path.join(dir, 'elsewhere');
  fs.mkdirSync(elsewhere);
  const comments = [
    '//# sourceMappingURL=http://127.0.0.1:9/a.js.map',
    '//# sourceMappingURL=//127.0.0.1/a.js.map',
    '//# sourceMappingURL=file://host/a.js.map',
    '//# sourceMappingURL=%00',
    '//# sourceMappingURL=.',
    '//# sourceMappingURL=/dev/zero',
    '//# sourceMappingURL=none.map',
    '//# sourceMappingURL=data:application/json;base64,!!!',
    '//# sourceMappingURL=data:application/json,%',
    '//# sourceMappingURL=data:',
    '//# sourceMappingURL=x:y',
    'const text = "//# sourceMappingURL=a.js.map"; run();',
  ];
  if (process.platform !== 'win32') {
    const pipe = path.join(dir, 'pipe.map');
    execFileSync('mkfifo', [pipe]);
    comments.push(`//# sourceMappingURL=${pipe}`);
  }
  for (const comment of comments) {
    const { base, ...location } = await placed(comment);
    assert.deepEqual(location, { file: path.join(base, 'a.js'), line: 2, column: 3 }, comment);
  }
  const { file } = await placed(undefined, { ...MAP, file: 'b.js' });
  assert.equal(path.basename(file), 'a.js', 'a map beside the file that says that it is another file\'s');
});

test('a place is looked up once, and Node\'s never', async () => {
  const { base } = await placed(COMMENT, MAP, 'once');
  const file = path.join(base, 'a.js');
  const report = { a: { file, line: 2, column: 3 }, b: [{ location: { file, line: 2, column: 3 } }], node: { file: 'node:events', line: 1, column: 1 } };
  await withPositions(report);
  const first = JSON.stringify(report);
  await withPositions(report);
  assert.equal(JSON.stringify(report), first);
  assert.equal(report.b[0].location.line, 10);
  assert.deepEqual(report.node, { file: 'node:events', line: 1, column: 1 });
});

test('files of packages have their package, the program\'s have none', async () => {
  const modules = path.join(dir, 'app', 'node_modules');
  const put = (file, text = '') => {
    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    return file;
  };
  put(path.join(dir, 'app', 'package.json'), '{ "name": "app", "version": "1.0.0" }');
  const cases = [
    [put(path.join(dir, 'app', 'index.js')), undefined],
    [put(path.join(modules, 'x', 'lib', 'a.js')), 'x@1.2.3'],
    [put(path.join(modules, '@scope', 'y', 'a.js')), '@scope/y@2.0.0-rc.1'],
    [put(path.join(modules, 'x', 'node_modules', 'z', 'a.js')), 'z@0.1.0'],
    [put(path.join(modules, '.pnpm', 'p@3.0.0', 'node_modules', 'p', 'dist', 'a.js')), 'p@3.0.0'],
    [put(path.join(modules, 'x', 'esm', 'a.js')), 'x@1.2.3'],
    [put(path.join(modules, 'nameless', 'a.js')), undefined],
    ['node:events', undefined],
    ['[eval]', undefined],
  ];
  put(path.join(modules, 'x', 'package.json'), '{ "name": "x", "version": "1.2.3" }');
  put(path.join(modules, 'x', 'esm', 'package.json'), '{ "type": "module" }');
  put(path.join(modules, '@scope', 'y', 'package.json'), '{ "name": "@scope/y", "version": "2.0.0-rc.1" }');
  put(path.join(modules, 'x', 'node_modules', 'z', 'package.json'), '{ "name": "z", "version": "0.1.0" }');
  put(path.join(modules, '.pnpm', 'p@3.0.0', 'node_modules', 'p', 'package.json'), '{ "name": "p", "version": "3.0.0" }');
  put(path.join(modules, 'nameless', 'package.json'), '{ "name": "a b\\u001b", "version": 1 }');
  const report = cases.map(([file]) => ({ location: { file, line: 1, column: 1 } }));
  await withPositions(report);
  assert.deepEqual(report.map(({ location }) => location.package), cases.map(([, name]) => name));
});

test('a package\'s map leads to sources that came with it, and to no others', async () => {
  const at = path.join('app2', 'node_modules', 'q');
  fs.mkdirSync(path.join(dir, at), { recursive: true });
  fs.writeFileSync(path.join(dir, at, 'package.json'), '{ "name": "q", "version": "1.0.0" }');
  const without = await placed(COMMENT, MAP, at);
  assert.deepEqual([path.basename(without.file), without.line, without.package], ['a.js', 2, 'q@1.0.0']);
  fs.writeFileSync(path.join(dir, at, 'a.ts'), '');
  const { base, package: owner, ...location } = await placed(COMMENT, MAP, at);
  assertMapped({ base, ...location });
  assert.equal(owner, 'q@1.0.0');
});
