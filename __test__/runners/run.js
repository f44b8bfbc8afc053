'use strict';

// Leak tests under real runners from npm, in each way that is promised: of a function that leaks the test fails and names what and where, of one
// that does not it passes.
//
//   npm run runners -- [--only jest-30,mocha] [--cell "fake timers"] [--node PATH] [--installed] [--verbose]

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, StepError, capture, run, say } = require('../../scripts/steps');
const { nodes } = require('../../scripts/nodes');
const { cells, types } = require('./cells');
const { resultsOf, withReport } = require('./results');

const SUITE = path.join(__dirname, 'suite');
const REPORT = 'report.json';
const STRICT = { strict: true, exactOptionalPropertyTypes: true, module: 'nodenext', target: 'es2022', lib: ['es2022'], skipLibCheck: false, noEmit: true };

/** A folder with the files of one row, inside the project whose packages they are to find. */
function lay(project, { name, files, config, twice }) {
  const folder = path.join(project, '.cells', name.replace(/\W+/g, '-'));
  fs.rmSync(folder, { recursive: true, force: true });
  fs.mkdirSync(folder, { recursive: true });
  for (const file of files) fs.copyFileSync(path.join(SUITE, file), path.join(folder, file));
  const test = files.at(-1);
  if (twice) fs.copyFileSync(path.join(SUITE, test), path.join(folder, `second-${test}`));
  if (config) fs.writeFileSync(path.join(folder, config[0]), config[1]);
  fs.copyFileSync(path.join(SUITE, 'reporter.mjs'), path.join(folder, 'reporter.mjs'));
  return folder;
}

/** What is wrong with the results of one row: an array of sentences. */
function judge(cell, folder, results) {
  const files = cell.twice ? 2 : 1;
  const test = fs.readFileSync(path.join(SUITE, cell.files.at(-1)), 'utf8');
  const expected = [...test.matchAll(/^test\('/gm)].length * files;
  const wrong = results.length === expected ? [] : [`${expected} tests expected, ${results.length} found`];
  for (const { title, passed, message } of results) {
    const leak = /^leaks: (?:1 )?(\w+), (written at|in) (\S+)$/.exec(title);
    const failure = /^fails: (.+)$/.exec(title)?.[1];
    if (failure) {
      if (passed || !message.includes(failure)) wrong.push(`\`${title}\`: ${passed ? 'passes' : withoutStack(message)}`);
      continue;
    }
    if (!leak) {
      if (!passed) wrong.push(`\`${title}\` fails: ${withoutStack(message)}`);
      continue;
    }
    const [, constructorName, how, where] = leak;
    const wants = [new RegExp(`LEAK: each call leaves .*\\b${title.startsWith('leaks: 1 ') ? '1 ' : ''}${constructorName}\\b`), how === 'in' ? new RegExp(` in \\w+ \`(?:${where})\` `) : written(folder, where, cell.keepsMaps)];
    if (passed) wrong.push(`\`${title}\` passes`);
    else for (const want of wants) if (!want.test(message)) wrong.push(`\`${title}\`: not told: ${want}, but ${withoutStack(message)}`);
  }
  return wrong;
}

/** What is told of the line in `file` that is marked as the leak's; of any line, where the runner keeps its source maps to itself. */
function written(folder, file, anyLine) {
  if (anyLine) return new RegExp(`written +\\S*[\\\\/]${file.replaceAll('.', '\\.')}:\\d+:`);
  const line = 1 + fs.readFileSync(path.join(folder, file), 'utf8').split('\n').findIndex((text) => text.includes('// <-- leak'));
  return new RegExp(`written +\\S*[\\\\/]${file.replaceAll('.', '\\.')}:${line}:`);
}

function withoutStack(message) {
  return message.split('\n').filter((line) => !/^ +at /.test(line)).join('\n');
}

async function runCell(project, cell, node, { verbose }) {
  const folder = lay(project, cell);
  const report = path.join(folder, REPORT);
  const program = cell.args[0].startsWith('node_modules') ? [path.join(project, cell.args[0]), ...cell.args.slice(1)] : cell.args;
  const args = withReport([...cell.nodeArgs, ...program], report, folder, cell);
  const { output } = await capture(node, args, { cwd: folder, quiet: !verbose, timeoutMs: 600_000 });
  const results = resultsOf(report);
  const wrong = results ? judge(cell, folder, results) : [`no report:\n${output}`];
  return { wrong, took: (results ?? []).map(({ ms }) => Math.round(ms)) };
}

/** What is wrong with the types of the assertions in a project that has this runner. */
async function judgeTypes(project, { file, types, typescript }) {
  const folder = path.join(project, '.cells', `types-${file.replace(/\W+/g, '-')}`);
  fs.mkdirSync(folder, { recursive: true });
  fs.copyFileSync(path.join(__dirname, 'types', file), path.join(folder, file));
  const compilerOptions = { ...STRICT, types };
  fs.writeFileSync(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [file] }));
  const tsc = path.join(typescript === 'own' ? project : ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, output } = await capture(process.execPath, [tsc, '-p', folder], { quiet: true });
  return code === 0 ? [] : [output];
}

function options(args) {
  const given = { verbose: false, installed: false, node: process.execPath };
  for (let i = 0; i < args.length; i++) {
    const [flag, inline] = args[i].split('=', 2);
    if (['--verbose', '--installed'].includes(flag)) given[flag.slice(2)] = true;
    else if (['--only', '--cell', '--node'].includes(flag)) given[flag.slice(2)] = inline ?? args[(i += 1)];
    else throw new StepError(`unknown argument ${args[i]}; expected --only, --cell, --node, --installed or --verbose`);
  }
  given.only = given.only?.split(',') ?? Object.keys(cells);
  const unknown = given.only.filter((name) => !cells[name]);
  if (unknown.length > 0) throw new StepError(`--only: no such project: ${unknown.join(', ')}; there are ${Object.keys(cells).join(', ')}`);
  return given;
}

async function main(args) {
  const given = options(args);
  const newer = given.only.some((name) => cells[name].some(({ node }) => node)) ? await nodes() : [];
  let passed = 0;
  const failed = [];
  const told = (row, wrong, took) => {
    say(`${wrong.length === 0 ? 'ok    ' : 'FAILED'} ${row.padEnd(44)} ${took}`);
    for (const reason of wrong) say(`         ${reason.split('\n').join('\n         ')}`);
    if (wrong.length === 0) passed += 1;
    else failed.push(row);
  };
  const isAsked = ({ name }) => !given.cell || name === given.cell;
  for (const name of given.only) {
    const project = path.join(__dirname, name);
    if (!given.installed) await run(`install ${name}`, 'npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd: project, quiet: true, timeoutMs: 300_000 });
    for (const cell of cells[name].filter(isAsked)) {
      const node = newer.find(({ major }) => major === cell.node)?.path ?? given.node;
      const { wrong, took } = await runCell(project, cell, node, given);
      told(`${name}, ${cell.name}`, wrong, `${took.join(' ')} ms`);
    }
    for (const one of (types[name] ?? []).filter(isAsked)) told(`${name}, ${one.name}`, await judgeTypes(project, one), '');
  }
  say(`\n${passed} passed, ${failed.length} failed${failed.length > 0 ? `: ${failed.join('; ')}` : ''}`);
  return passed > 0 && failed.length === 0 ? 0 : 1;
}

main(process.argv.slice(2)).then(
  (code) => { process.exitCode = code; },
  (error) => {
    say(error instanceof StepError ? error.message : error.stack);
    process.exitCode = 1;
  },
);
