'use strict';

// Valgrind's memcheck over the addon in a real Node: node scripts/sanitizers/valgrind.js [--addon FILE] [--node PATH] [--only monitor,census] [--rounds 2] [--clone]
//
// V8 keeps and reads memory in ways that memcheck cannot follow; what counts is an error or a leak with a frame in the addon, before any in Node's own
// program where the block was allocated. Ends with 1 where there is one that `known` does not explain. `--addon` names a build with line numbers:
// CARGO_PROFILE_RELEASE_DEBUG=1 CARGO_PROFILE_RELEASE_STRIP=none cargo build --release --lib, target/release/libheapwarden.so. `--clone` has heaps looked at
// in clones, which valgrind follows; without it in the process itself. What a clone has lost is not told: it sees its parent's memory in the middle of things, and
// ends with all of its own.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');

const SUPPRESSIONS = path.join(__dirname, 'node.supp');
/** Leaks of these kinds count; what is still reachable at the end is kept on purpose. */
const LEAKS = ['Leak_DefinitelyLost', 'Leak_IndirectlyLost', 'Leak_PossiblyLost'];

const has = (...words) => ({ frames }) => frames.some(({ name }) => words.some((word) => name.includes(word)));

/** Why a report with a frame in the addon is none of its doing; the rest of the reports is told. */
const KNOWN = [
  { why: 'made once, when the addon is loaded: the table of what it exports', is: has('call_init') },
  { why: 'a hash table is pointed to in its middle, which memcheck takes for chance; it is there', is: (report) => report.kind === 'Leak_PossiblyLost' && has('hashbrown::raw')(report) },
  { why: "the standard library's own: a thread's handle, pointed to in its middle", is: (report) => report.kind === 'Leak_PossiblyLost' && has('std::thread::thread::Thread', 'Thread>::new')(report) },
  { why: "napi-rs: a call that waits in a function's queue when its environment is torn down, 24 bytes", is: has('ThreadsafeFunctionCallJsBackData') },
];

const { values } = parseArgs({
  options: {
    addon: { type: 'string' },
    node: { type: 'string', default: process.execPath },
    only: { type: 'string' },
    rounds: { type: 'string', default: '1' },
    clone: { type: 'boolean', default: false },
    json: { type: 'string' },
  },
});

const entities = { '&lt;': '<', '&gt;': '>', '&amp;': '&', '&quot;': '"', '&apos;': "'" };
const plain = (text) => text.replace(/&\w+;/g, (entity) => entities[entity] ?? entity);
const tag = (text, name) => {
  const found = new RegExp(`<${name}>([\\s\\S]*?)</${name}>`).exec(text);
  return found ? plain(found[1]) : undefined;
};

/** The reports in memcheck's XML: kind, what it says, and the stack that goes with it. */
function reports(xml) {
  return [...xml.matchAll(/<error>([\s\S]*?)<\/error>/g)].map(([, text]) => {
    // The first stack is where it happened, or where the lost block was allocated.
    const [stack = ''] = text.match(/<stack>[\s\S]*?<\/stack>/) ?? [];
    const frames = [...stack.matchAll(/<frame>([\s\S]*?)<\/frame>/g)].map(([, frame]) => ({
      object: path.basename(tag(frame, 'obj') ?? ''), name: tag(frame, 'fn') ?? '?', file: tag(frame, 'file'), line: tag(frame, 'line'),
    }));
    const bytes = /<leakedbytes>(\d+)/.exec(text);
    return { kind: tag(text, 'kind'), what: tag(text, 'what') ?? tag(text, 'text'), bytes: bytes ? Number(bytes[1]) : 0, frames };
  });
}

const isOurs = ({ object }) => /heapwarden/.test(object);
const isNodes = ({ object }) => object === path.basename(values.node);

/** Whether the addon did it: it stands on the stack nearer to what happened than Node's program does. */
function concerns({ frames }) {
  const ours = frames.findIndex(isOurs);
  const nodes = frames.findIndex(isNodes);
  return ours >= 0 && (nodes < 0 || ours < nodes);
}

const place = ({ name, file, line, object }) => `      ${name}${file ? ` (${file}:${line})` : ` in ${object}`}`;

function main() {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'valgrind-'));
  try {
    // Node loads by the name's ending.
    const addon = values.addon && path.join(folder, 'heapwarden.node');
    if (addon) fs.copyFileSync(values.addon, addon);
    const args = [
      '--tool=memcheck', '--leak-check=full', '--show-leak-kinds=definite,indirect,possible', '--errors-for-leak-kinds=definite,indirect,possible', '--num-callers=40',
      // V8 writes code while it runs.
      '--smc-check=all-non-file', `--suppressions=${SUPPRESSIONS}`, '--xml=yes', `--xml-file=${path.join(folder, '%p.xml')}`,
      values.node, path.join(__dirname, 'exercise.js'), '--rounds', values.rounds, ...(values.only ? ['--only', values.only] : []),
    ];
    const env = { ...process.env, ...(addon && { NAPI_RS_NATIVE_LIBRARY_PATH: addon }), ...(values.clone ? {} : { HEAPWARDEN_CLONE: 'off' }) };
    const { pid, status, signal, error } = spawnSync('valgrind', args, { env, stdio: ['ignore', 'inherit', 'inherit'] });
    if (error) throw error;
    const files = fs.readdirSync(folder).filter((name) => name.endsWith('.xml'));
    const all = files.flatMap((name) => reports(fs.readFileSync(path.join(folder, name), 'utf8')).map((report) => ({ ...report, isClone: path.parse(name).name !== String(pid) })));
    const own = all.filter(concerns).filter(({ kind, isClone }) => !kind.startsWith('Leak_') || (LEAKS.includes(kind) && !isClone));
    const told = own.map((report) => ({ ...report, known: KNOWN.find(({ is }) => is(report))?.why }));
    for (const { kind, what, frames, known } of told) {
      console.log(`${known ? `known (${known})` : 'FOUND'}: ${kind}: ${what}`);
      if (!known) console.log(frames.slice(0, 25).map(place).join('\n'));
    }
    const found = told.filter(({ known }) => !known);
    if (values.json) fs.writeFileSync(values.json, JSON.stringify(all, null, 1));
    console.log(`${files.length} processes, the first ended with ${signal ?? status}; ${all.length} reports, ${own.length} of them with the addon, ${found.length} not explained`);
    return found.length > 0 || status !== 0 ? 1 : 0;
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}

process.exitCode = main();
