'use strict';

// The types of the package as those who install it see them: what every way of resolving modules finds, and programs under the oldest TypeScript
// that is promised and the newest.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, StepError, capture } = require('./steps');

/** What is so on purpose: Vitest itself is an ES module and nothing else. */
const KNOWN = new Set(['NoResolution ./vitest node10', 'CJSResolvesToESM ./vitest node16-cjs']);

const PROGRAM = `import { MemoryMonitor, type LeakReport } from 'heapwarden';
import { heapwarden } from 'heapwarden/express';
import { heapwarden as forHttp } from 'heapwarden/http';
import { renderMetrics } from 'heapwarden/prometheus';
import { observeMetrics } from 'heapwarden/otel';
import { assertNoLeak } from 'heapwarden/testing';
import 'heapwarden/register';
const monitor = new MemoryMonitor({ intervalMs: 1000 });
monitor.on('leak', (report: LeakReport) => report.culprits);
const used: number = monitor.sample().heapUsed;
// @ts-expect-error: a number of milliseconds
new MemoryMonitor({ intervalMs: 'often' });
export { used, heapwarden, forHttp, renderMetrics, observeMetrics, assertNoLeak };
`;

const VITEST = `import { inspectLeaks, matchers } from 'heapwarden/vitest';
export { inspectLeaks, matchers };
`;

/** By name: the compilers, and whether all declarations are checked, or only how ours are. */
const COMPILERS = [['oldest', 'typescript-oldest'], ['newest', 'typescript']];

const WAYS = [
  ['node16', ['--module', 'node16'], ['program.mts', 'program.cts', 'vitest.mts']],
  ['nodenext', ['--module', 'nodenext'], ['program.mts', 'program.cts', 'vitest.mts']],
  ['bundler', ['--module', 'esnext', '--moduleResolution', 'bundler'], ['program.ts', 'program.mts', 'program.cts', 'vitest.mts']],
];

/** What resolves to nothing or to something else than what runs: sentences, of the packed main package. */
async function wrongTypes(tarball) {
  const { checkPackage, createPackageFromTarballData } = await import('@arethetypeswrong/core');
  const { problems } = await checkPackage(createPackageFromTarballData(new Uint8Array(fs.readFileSync(tarball))));
  const found = problems.map(({ kind, entrypoint, resolutionKind, ...rest }) => (entrypoint ? `${kind} ${entrypoint} ${resolutionKind}` : `${kind} ${JSON.stringify(rest)}`));
  return [...found.filter((problem) => !KNOWN.has(problem)), ...[...KNOWN].filter((problem) => !found.includes(problem)).map((problem) => `no longer so: ${problem}`)];
}

/** Compiles the programs in `app`, where the package is installed; an error of the declarations of Node under a compiler that is older than they is not ours. */
async function compile(app, compiler, args, files) {
  const tsc = path.join(ROOT, 'node_modules', compiler, 'bin', 'tsc');
  const strict = ['--strict', '--target', 'es2022', '--lib', 'es2022', '--noEmit', '--pretty', 'false'];
  // The one thing taken from the repository: the declarations of Node itself.
  const types = ['--types', 'node', '--typeRoots', path.join(ROOT, 'node_modules', '@types')];
  const { output } = await capture(process.execPath, [tsc, ...strict, ...types, ...args, ...files], { cwd: app, quiet: true, timeoutMs: 120_000 });
  return output.split('\n').filter((line) => /\berror TS\d+/.test(line) && !/^\S*@types[\\/]node[\\/]/.test(line));
}

/** Checks the types of the installed package; `check(label, action)` takes each result. */
async function checkTypes(check, app, tarball) {
  await check('are the types wrong?', async () => {
    const wrong = await wrongTypes(tarball);
    if (wrong.length > 0) throw new StepError(wrong.join('; '));
  });
  for (const name of ['program.ts', 'program.mts', 'program.cts']) fs.writeFileSync(path.join(app, name), PROGRAM);
  fs.writeFileSync(path.join(app, 'vitest.mts'), VITEST);
  for (const [age, compiler] of COMPILERS) {
    const { version } = JSON.parse(fs.readFileSync(path.join(ROOT, 'node_modules', compiler, 'package.json'), 'utf8'));
    for (const [way, args, files] of WAYS) {
      await check(`TypeScript ${version} (${age}) ${way}`, async () => {
        const errors = await compile(app, compiler, args, files);
        if (errors.length > 0) throw new StepError(errors.slice(0, 5).join('\n'));
      });
    }
  }
}

module.exports = { checkTypes, wrongTypes };
