'use strict';

// @heap-snapshot/tool, a native program: how to run it, what its tables say, and a client of its server for questions about
// several objects of one loaded file.

const { execFileSync, spawn } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const readline = require('node:readline');
const { newerGlibc } = require('./glibc');

let runnable;

/** The command that runs the program, with the machine's C library or a newer one. Throws where neither does. */
function program() {
  if (runnable) return runnable;
  const binary = path.join(__dirname, 'node_modules', '@heap-snapshot', `${process.platform}-${process.arch}`, 'heap-snapshot');
  if (!fs.existsSync(binary)) throw new Error(`no binary for ${process.platform}-${process.arch}`);
  const answers = (command) => {
    try {
      execFileSync(command[0], [...command.slice(1), '--help'], { stdio: ['ignore', 'ignore', 'pipe'] });
      return true;
    } catch (error) {
      if (/GLIBC/.test(String(error.stderr))) return false;
      throw error;
    }
  };
  runnable = [binary];
  if (!answers(runnable)) {
    const { loader, libraries } = newerGlibc();
    runnable = [loader, '--library-path', libraries, binary];
    if (!answers(runnable)) throw new Error('its binary wants a C library newer than that of Debian trixie');
  }
  return runnable;
}

/** The command for a work; `diff` takes the newer file first. `idle paths` is what our client of its server costs by itself. */
function command(work, args) {
  if (work === 'idle paths') return [process.execPath, '-e', '0'];
  if (work === 'diff') return [...program(), 'diff', args[1], args[0]];
  if (work === 'paths') return [process.execPath, __filename, ...args];
  return work === 'idle' ? [...program(), '--help'] : [...program(), 'summary', args[0]];
}

const number = (text) => Number(text.replace(/[,+]/g, ''));

/** What a table says of each class: rows as `{ name, located, count }`, or with `addedCount` and `removedCount`. */
function rows(work, text) {
  const found = [];
  for (const line of text.split('\n')) {
    if (!line.startsWith('▶ ')) continue;
    const match = work === 'diff'
      ? /^▶ (.*?)\s{2,}([\d,]+)\s+([\d,]+)\s+[+\-−]?[\d,]+\s/.exec(line)
      : /^▶ (.*?)\s+×([\d,]+)\s/.exec(line);
    if (!match) throw new Error(`@heap-snapshot/tool: a row that is not understood: ${line.slice(0, 120)}`);
    const located = /^(.*) \[script_id=[^\]]*\]$/.exec(match[1]);
    const row = { name: located ? located[1] : match[1], located: located !== null };
    found.push(work === 'diff'
      ? { ...row, addedCount: number(match[2]), removedCount: number(match[3]) }
      : { ...row, count: number(match[2]) });
  }
  return found;
}

const answer = (work, stdout) => (work === 'paths' ? JSON.parse(stdout) : { rows: rows(work, stdout) });

/** Loads a file in its server and asks it for the retaining paths of each object. */
async function paths(file, ...ids) {
  const [run, ...rest] = program();
  const server = spawn(run, [...rest, 'mcp'], { stdio: ['pipe', 'pipe', 'ignore'] });
  const waiting = new Map();
  readline.createInterface({ input: server.stdout }).on('line', (line) => {
    const { id, result, error } = JSON.parse(line);
    waiting.get(id)?.(result ?? { content: [{ text: JSON.stringify(error) }] });
  });
  let next = 0;
  const ask = (method, params) => new Promise((resolve) => {
    waiting.set(++next, resolve);
    server.stdin.write(`${JSON.stringify({ jsonrpc: '2.0', id: next, method, params })}\n`);
  });
  const call = async (name, given) => (await ask('tools/call', { name, arguments: given })).content[0].text;
  await ask('initialize', { protocolVersion: '2024-11-05', capabilities: {}, clientInfo: { name: 'bench', version: '0' } });
  server.stdin.write('{"jsonrpc":"2.0","method":"notifications/initialized"}\n');
  const loaded = await call('load_snapshot', { path: file });
  const snapshot = Number(/snapshot_id: (\d+)/.exec(loaded)?.[1] ?? NaN);
  if (Number.isNaN(snapshot)) throw new Error(`@heap-snapshot/tool: ${loaded}`);
  const found = {};
  for (const id of ids) {
    const text = await call('get_retaining_paths', { snapshot_id: snapshot, object_id: `@${id}` });
    // It answers with a tree; what counts here is that one of its branches reaches a root.
    const root = /@(\d+) [^\n]*\(type: synthetic/.exec(text);
    if (root) found[id] = [Number(id), Number(root[1])];
    else if (/hit limits|within current limits/.test(text)) found[id] = 'limits';
  }
  server.stdin.end();
  await new Promise((resolve) => server.on('exit', resolve));
  return { paths: found };
}

module.exports = { program, command, answer };

if (require.main === module) paths(...process.argv.slice(2)).then((result) => fs.writeSync(1, JSON.stringify(result)));
