'use strict';

// The examples that have tests, with their real runners: installed from their lock files with this package packed into them, then run.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, StepError, capture, run, say } = require('./steps');

const FOLDER = path.join(ROOT, 'examples');

/** Names of the examples that `npm test` runs. */
function names() {
  return fs.readdirSync(FOLDER).filter((name) => fs.existsSync(path.join(FOLDER, name, 'package.json'))).sort();
}

/** What `npm run leftovers` of the Jest example has to say of each file: what its guard of files finds. */
const LEFTOVERS = [
  /listener\.test\.js leaves behind: 2 listeners of the process for 'warning'\n/,
  /timer\.test\.js leaves behind: 1 listening server; 1 timer, started at \S*timer\.test\.js:6\n/,
  /memory\.test\.js has left \d+ MB of heap behind/,
];

async function leftovers(cwd) {
  const { code, output } = await capture('npm', ['run', '--silent', 'leftovers'], { cwd, quiet: true, timeoutMs: 300_000 });
  const missing = LEFTOVERS.filter((pattern) => !pattern.test(output));
  const unjust = /tidy\.test\.js (leaves|has left)/.exec(output);
  if (code === 1 && missing.length === 0 && !unjust) return;
  say(output);
  throw new StepError(`leftovers: code ${code}, not told: ${missing.join(', ') || 'nothing'}${unjust ? `, told wrongly: ${unjust[0]}` : ''}`);
}

/** Runs them one after the other; a failure is recorded and the rest still run. */
async function examples() {
  const results = [];
  for (const name of names()) {
    const cwd = path.join(FOLDER, name);
    try {
      await run(`install ${name}`, 'npm', ['ci', '--no-audit', '--no-fund', '--ignore-scripts'], { cwd, quiet: true, timeoutMs: 300_000 });
      await run(`test ${name}`, 'npm', ['test', '--silent'], { cwd, timeoutMs: 300_000 });
      const { leftovers: hasLeftovers } = JSON.parse(fs.readFileSync(path.join(cwd, 'package.json'), 'utf8')).scripts;
      if (hasLeftovers) await leftovers(cwd);
      const tsc = path.join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
      if (fs.existsSync(path.join(cwd, 'tsconfig.json'))) await run(`types of ${name}`, process.execPath, [tsc, '-p', cwd], { cwd });
      results.push({ label: name, passed: 1, failed: 0 });
    } catch (error) {
      say(`  FAILED ${name}: ${error.message}`);
      results.push({ label: name, passed: 0, failed: 1, reason: error.message });
    }
  }
  return results;
}

module.exports = { examples };
