'use strict';

// What is exported is declared, what is declared is exported, and a test uses the types of each name. Nothing here knows the names.

const assert = require('node:assert/strict');
const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const esbuild = require('esbuild');
// The newest is a program without an interface for programs.
const ts = require('typescript-oldest');

const ROOT = path.join(__dirname, '..');
const manifest = require('../package.json');

/** Augments a module that is only there beside Jest: tested by `npm run runners` and the Jest example. Its names are those of ./jest. */
const WITH_JEST = './jest-globals';

const ENTRIES = Object.entries(manifest.exports).filter(([, target]) => target.types !== undefined)
  .map(([subpath, target]) => ({ subpath, specifier: `heapwarden${subpath.slice(1)}`, declarations: path.join(ROOT, target.types), program: path.join(ROOT, target.default) }));
const USES = fs.readdirSync(path.join(__dirname, 'types')).filter((name) => /\.[cm]?ts$/.test(name)).map((name) => path.join(__dirname, 'types', name));

const options = { module: ts.ModuleKind.Node16, moduleResolution: ts.ModuleResolutionKind.Node16, target: ts.ScriptTarget.ES2022, types: ['node'], noEmit: true };
const program = ts.createProgram([...ENTRIES.map(({ declarations }) => declarations), ...USES], options);
const checker = program.getTypeChecker();

/** The declared names of an entry: `{ values, types }`. */
function declared({ declarations }) {
  const module = checker.getSymbolAtLocation(program.getSourceFile(declarations));
  const names = { values: [], types: [] };
  // `export {}`: a module, without a name.
  if (module === undefined) return names;
  for (const symbol of checker.getExportsOfModule(module)) {
    const meant = symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
    names[meant.flags & ts.SymbolFlags.Value ? 'values' : 'types'].push(symbol.name);
  }
  return names;
}

/** Runs a program that prints a list as JSON. */
function listed(script, inputType) {
  const args = [`--input-type=${inputType}`, '-e', script];
  const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8', env: { ...process.env, HEAPWARDEN_BLACK_BOX: 'off', HEAPWARDEN_POSTMORTEM: 'off' } });
  assert.equal(status, 0, stderr);
  return JSON.parse(stdout.trim().split('\n').at(-1)).sort();
}

// Stands in for what Jest gives a setup file.
const JEST = 'globalThis.expect = { extend() {}, getState: () => ({}) }; globalThis.afterEach = () => {};';

const required = (specifier) => listed(`${JEST} console.log(JSON.stringify(Object.keys(require('${specifier}'))))`, 'commonjs');

/** The names that an ES module can import, in which Node has `default` and, since 23, `module.exports` for every CommonJS module. */
function importable(specifier, names) {
  const script = `${JEST} const { default: _, ...all } = await import('${specifier}'); console.log(JSON.stringify(Object.keys(all)))`;
  return listed(script, 'module').filter((name) => name !== 'module.exports' && (name !== 'default' || names.includes('default')));
}

/** The names that an entry, an ES module beside a package that is not installed here, exports. */
function bundled(file) {
  const { metafile } = esbuild.buildSync({ entryPoints: [file], format: 'esm', write: false, metafile: true, outdir: '.', logLevel: 'silent' });
  return Object.values(metafile.outputs)[0].exports.sort();
}

/** Names that the type tests import from a module and then use. */
function used(specifier) {
  const names = new Set();
  for (const file of USES) {
    const source = program.getSourceFile(file);
    const count = (name) => source.text.match(new RegExp(`\\b${name}\\b`, 'g')).length;
    for (const statement of source.statements) {
      if (ts.isImportDeclaration(statement) && statement.moduleSpecifier.text === specifier) {
        const { namedBindings } = statement.importClause ?? {};
        for (const { name, propertyName } of (namedBindings && ts.isNamedImports(namedBindings) && namedBindings.elements) || []) {
          if (count(name.text) > 1) names.add((propertyName ?? name).text);
        }
      }
      if (ts.isImportEqualsDeclaration(statement) && statement.moduleReference.expression?.text === specifier) {
        for (const [, member] of source.text.matchAll(new RegExp(`\\b${statement.name.text}\\.(\\w+)`, 'g'))) names.add(member);
      }
    }
  }
  return names;
}

for (const entry of ENTRIES) {
  const { subpath, specifier } = entry;
  const isModule = entry.program.endsWith('.mjs');

  test(`${specifier}: what is exported is declared, and the other way round`, () => {
    const names = isModule ? bundled(entry.program) : required(specifier);
    assert.deepEqual(names, declared(entry).values.sort());
    if (subpath === '.') assert.ok(names.length > 10);
  });

  if (!isModule) {
    test(`${specifier}: an ES module imports each by its name`, () => {
      const names = declared(entry).values.sort();
      assert.deepEqual(importable(specifier, names).filter((name) => name !== 'default'), names.filter((name) => name !== 'default'));
    });
  }

  if (subpath !== WITH_JEST) {
    test(`${specifier}: the type tests use each`, () => {
      const { values, types } = declared(entry);
      const uses = used(specifier);
      assert.deepEqual([...values, ...types].filter((name) => !uses.has(name)), []);
    });
  }
}
