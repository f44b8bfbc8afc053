'use strict';

// The same leak has the same fingerprint, whatever process, folder, build or version of Node it is in; another leak has another one.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { folder, run } = require('./support');

const DRIVER = path.join(__dirname, 'fixtures', 'grown.js');

async function grown(program) {
  const { code, stdout, stderr } = await run([DRIVER, program]);
  assert.equal(code, 0, stderr);
  const { culprits: [first] } = JSON.parse(stdout);
  return first;
}

function written(dir, name, source) {
  const file = path.join(dir, name);
  fs.mkdirSync(path.dirname(file), { recursive: true });
  fs.writeFileSync(file, source);
  return file;
}

const CLASS = 'class Session { constructor(id) { this.notes = new Array(40).fill(id); } }\n';
const MAP = `${CLASS}
const sessions = new Map();
exports.login = (id) => { sessions.set(id, new Session(id)); };
exports.logout = (id) => { sessions.delete(id); };
`;

/** By what these are known: of the tests on each version of Node, all have to come to the same. */
const GOLDEN = '8ee3f9c9d671f10d';

test('three runs, three folders, CommonJS and modules: one fingerprint, on every version of Node', async (t) => {
  const dir = folder(t);
  const programs = [
    written(dir, 'releases/1234/auth.js', MAP),
    // Written otherwise: other lines, another function by which the Map is reached.
    written(dir, 'releases/1235/dist/auth.cjs', `'use strict';\n\n${MAP.replace(/exports\.logout.*\n/, '')}\nexports.size = () => sessions.size;\n`),
    written(dir, 'elsewhere/auth.mjs', MAP.replaceAll('exports.', 'export const ')),
  ];
  const found = [];
  for (const program of programs) found.push(await grown(program));
  for (const { fingerprint, constructorName } of found) assert.deepEqual([constructorName, fingerprint], ['Session', GOLDEN]);
});

test('another leak has another fingerprint', async (t) => {
  const dir = folder(t);
  const programs = {
    'another variable': MAP.replaceAll('sessions', 'visitors'),
    'another class': MAP.replaceAll('Session', 'Visit'),
    'a property of a class': `${CLASS}
class Store { rows = []; }
const store = new Store();
exports.login = (id) => { store.rows.push(new Session(id)); };
`,
    'the global object': `${CLASS}
globalThis.leaked = [];
exports.login = (id) => { globalThis.leaked.push(new Session(id)); };
`,
    'listeners': `const bus = new (require('node:events').EventEmitter)().setMaxListeners(0);
exports.login = (id) => { const notes = new Array(40).fill(id); bus.on('login', () => notes); };
`,
  };
  const fingerprints = new Map([[GOLDEN, 'the Map']]);
  for (const [what, source] of Object.entries(programs)) {
    const { fingerprint, retainerPath } = await grown(written(dir, `${what}/auth.js`, source));
    assert.match(fingerprint, /^[0-9a-f]{16}$/);
    assert.ok(!fingerprints.has(fingerprint), `${what} is as ${fingerprints.get(fingerprint)}: ${JSON.stringify(retainerPath)}`);
    fingerprints.set(fingerprint, what);
  }
});
