'use strict';

// Makes src/snapshot/redact/own.txt: the names that V8, JavaScript and Node give in a process with no program, of all supported versions.
//
//   node scripts/own-names.js

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { nodes } = require('./nodes');
const { ROOT, say } = require('./steps');

const FILE = path.join(ROOT, 'src', 'snapshot', 'redact', 'own.txt');
/** Everything that Node has is loaded, and a request made with it: names are given when something is first used. */
const PROGRAM = `
  process.removeAllListeners('warning');
  for (const name of require('node:module').builtinModules) try { require(name); } catch {}
  for (const name of Object.getOwnPropertyNames(globalThis)) try { globalThis[name]; } catch {}
  const server = require('node:http').createServer((request, response) => response.end()).listen(0, '127.0.0.1', async () => {
    await (await fetch('http://127.0.0.1:' + server.address().port)).text();
    require('node:v8').writeHeapSnapshot(process.argv[1]);
    process.exit();
  });
`;
/** Values, and functions that are not closures: V8's builtins, which are recognised by nothing that a reader would look for. */
const UNNAMED = new Set(['string', 'concatenated string', 'sliced string', 'regexp', 'code']);

/** Adds the names in a snapshot's text to `names`: of classes, labels, functions, properties and V8's fields. */
function collect(text, names) {
  const { snapshot: { meta }, nodes: numbers, edges, strings } = JSON.parse(text);
  const [nodeTypes] = meta.node_types;
  const [edgeTypes] = meta.edge_types;
  const width = meta.node_fields.length;
  const EDGES = meta.node_fields.indexOf('edge_count');
  let edge = 0;
  for (let at = 0; at < numbers.length; at += width) {
    const type = nodeTypes[numbers[at]];
    if (!UNNAMED.has(type)) names.add(strings[numbers[at + 1]]);
    for (const end = edge + 3 * numbers[at + EDGES]; edge < end; edge += 3) {
      const kind = edgeTypes[edges[edge]];
      // The roots' fields have thousands of names that lead nowhere but to V8's own constants.
      const isTold = kind === 'property' || ((kind === 'internal' || kind === 'weak') && type !== 'synthetic') || kind === 'shortcut';
      if (isTold) names.add(strings[edges[edge + 1]]);
    }
  }
}

/** What belongs to this machine or to one heap is no name: paths, numbers, and pairs of objects. */
function isName(name) {
  const isLabel = /^(system|Node) \/ |^\(.* \/ .*\)$/.test(name);
  return name.length <= 60 && /^[ -~]+$/.test(name) && !/^\d/.test(name) && !/@\d/.test(name) && (isLabel || !/[/\\]/.test(name));
}

async function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'own-names-'));
  const file = path.join(folder, 'bare.heapsnapshot');
  const names = new Set();
  const env = { PATH: process.env.PATH };
  for (const node of await nodes()) {
    execFileSync(node.path, ['-e', PROGRAM, file], { cwd: folder, env, stdio: ['ignore', 'ignore', 'ignore'] });
    collect(fs.readFileSync(file, 'utf8'), names);
    say(`Node ${node.version}: ${names.size} names so far`);
  }
  fs.rmSync(folder, { recursive: true });
  const own = [...names].filter(isName).sort((a, b) => (a < b ? -1 : 1));
  fs.writeFileSync(FILE, `${own.join('\n')}\n`);
  say(`${own.length} names in ${path.relative(ROOT, FILE)}`);
}

if (require.main === module) {
  main().catch((error) => {
    say(error.message);
    process.exitCode = 1;
  });
}
