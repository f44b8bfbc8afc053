'use strict';

// Runs Heapwarden in every mode of Node that is listed, on each Node that is given, and prints a table.
//
//   node __test__/modes/run.js [--node PATH]... [--only TEXT] [--verbose]
//
// Without --node, on the Nodes that the tests run on (installed into .cache). Ends with 1 if anything is not as it should be.

const { spawnSync } = require('node:child_process');
const { parseArgs } = require('node:util');
const { nodes } = require('../../scripts/nodes');
const { judge } = require('./judge');
const { MODES } = require('./modes');

const say = (line) => process.stdout.write(`${line}\n`);

async function given(paths) {
  if (!paths) return nodes();
  return paths.map((path) => {
    const version = spawnSync(path, ['-p', 'process.versions.node'], { encoding: 'utf8', env: { ...process.env, NODE_OPTIONS: '' } }).stdout.trim();
    return { path, version, major: Number(version.split('.')[0]) };
  });
}

async function main() {
  const { values } = parseArgs({
    options: { node: { type: 'string', multiple: true }, only: { type: 'string', default: '' }, verbose: { type: 'boolean', default: false } },
  });
  const all = await given(values.node);
  const modes = MODES.filter(({ name }) => name.includes(values.only));
  const wrong = [];
  say(`| mode | ${all.map(({ version }) => version).join(' | ')} |`);
  say(`|---|${'---|'.repeat(all.length)}`);
  for (const mode of modes) {
    const cells = [];
    for (const { path, version, major } of all) {
      const { skipped, misses, said } = await judge(path, major, mode);
      cells.push(skipped ? '–' : misses.length === 0 ? mode.short ?? 'yes' : 'NO');
      if (misses?.length > 0) wrong.push(`${mode.name}, Node ${version}:\n  ${misses.join('\n  ')}`);
      if (values.verbose) wrong.push(`${mode.name}, Node ${version}: ${skipped ?? JSON.stringify(said)}`);
    }
    say(`| \`${mode.name}\` | ${cells.join(' | ')} |`);
  }
  for (const line of wrong) say(line);
  process.exitCode = wrong.length > 0 && !values.verbose ? 1 : 0;
}

main();
