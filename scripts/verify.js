'use strict';

// The gate: one command that runs what CI runs. Every step runs, whatever became of the others. One that mostly waits runs beside those that
// build, which give way to it.
//
//   node scripts/verify.js [--only name,name] [--list]
//
// A check counts as one, a test step as many as its runner counted. The last line is `N passed, M failed`.

const path = require('node:path');
const { ROOT, StepError, capture, run, say, seconds } = require('./steps');
const { cargoCounts, cargoFailures, settle } = require('./counts');
const { examples } = require('./examples');
const { matrix } = require('./matrix');
const { packed } = require('./pack');
const { modules, native, page, rust } = require('./setup');
const { cargoDeny, component } = require('./tools');

const CORE = '--no-default-features';

const clippy = () => component('clippy', 'clippy');
const rustfmt = () => component('rustfmt', 'fmt');

/** Runs once however many steps need it, and fails each of them if it failed. */
function once(action) {
  let result;
  return () => (result ??= action());
}

const needs = {
  rust: once(rust),
  rustfmt: once(rustfmt),
  clippy: once(clippy),
  modules: once(modules),
  native: once(async () => {
    await modules();
    await native();
    await page();
  }),
};

/** A check: one command (or several) that ends well or does not. */
function check(...commands) {
  return async () => {
    for (const [command, args, options] of commands) {
      const title = path.basename(args.find((arg) => !arg.startsWith('-')));
      await run(title, command, args, options);
    }
    return [{ label: '', passed: 1, failed: 0 }];
  };
}

function cargo(args, options) {
  return check(['cargo', args, { timeoutMs: 1_200_000, givesWay: true, ...options }]);
}

/** A program of a development dependency, started with the Node that runs this. */
function bin(name, file, args) {
  return [process.execPath, [path.join(ROOT, 'node_modules', name, file), ...args], {}];
}

function cargoTest(args) {
  return async () => {
    // --no-fail-fast: a failing test binary must not hide what the next ones would have said.
    const command = ['test', '--locked', '--no-fail-fast', ...args];
    say(`> test: cargo ${command.join(' ')}`);
    const { code, output } = await capture('cargo', command, { timeoutMs: 1_800_000, givesWay: true });
    const result = settle(cargoCounts(output), code ?? 1);
    return [{ label: '', ...result, reason: result.reason && [result.reason, ...cargoFailures(output)].join('\n') }];
  };
}

async function deny() {
  // The advisories need a database from the network: `cargo deny check advisories` where that is allowed.
  const args = ['--locked', 'check', 'bans', 'licenses', 'sources'];
  return check([await cargoDeny(), args, {}])();
}

/** A script of ours that passes where what it needs is missing; the summary says that nothing was checked. */
function skippable(name) {
  return async () => {
    const output = await run(name, process.execPath, [path.join(ROOT, 'scripts', `${name}.js`)], { label: name });
    const skipped = output.split('\n').filter((line) => line.startsWith('SKIPPED'));
    return [{ label: '', passed: 1, failed: 0, notes: skipped }];
  };
}

const CLIPPY = ['clippy', '--locked', '--all-targets'];
const DOC = ['doc', '--locked', '--no-deps'];
const docOptions = { env: { RUSTDOCFLAGS: '-D warnings' } };

const STEPS = [
  { name: 'fmt', what: 'cargo fmt --check', needs: ['rust', 'rustfmt'], run: cargo(['fmt', '--all', '--check']) },
  {
    name: 'lint',
    what: 'eslint, warnings are errors',
    // native: it checks that what is required exists, and native.js is generated.
    needs: ['native'],
    run: check(bin('eslint', 'bin/eslint.js', ['--max-warnings', '0', '.'])),
  },
  {
    name: 'types',
    what: 'tsc on __test__/types, strict, node16 and nodenext',
    needs: ['native'],
    run: check(
      bin('typescript', 'bin/tsc', ['-p', '__test__/types/tsconfig.json']),
      bin('typescript', 'bin/tsc', ['-p', '__test__/types/tsconfig.nodenext.json']),
    ),
  },
  {
    name: 'publint',
    what: 'publint: what the package promises is where it says',
    needs: ['native'],
    run: check(bin('publint', 'src/cli.js', ['run', '--strict', '.'])),
  },
  {
    name: 'demo',
    what: 'the main job on a real Express app under load, and its healthy twin',
    needs: ['native'],
    // Most of its minutes are waiting for a leak to grow.
    isBeside: true,
    run: check([process.execPath, [path.join(ROOT, 'scripts', 'demo.js')], { label: 'demo' }]),
  },
  {
    name: 'prometheus',
    what: 'the alert rules in a real Prometheus and Alertmanager, fetched where they are not installed',
    needs: ['native'],
    // It waits for an alert.
    isBeside: true,
    run: skippable('prometheus'),
  },
  {
    name: 'page',
    what: 'the HTML report in a real Chromium: clicked, typed into, looked at by axe, timed',
    needs: ['native'],
    // Most of it waits for a leak to grow.
    isBeside: true,
    run: skippable('page'),
  },
  {
    name: 'clippy-core',
    what: 'cargo clippy --no-default-features, warnings are errors',
    needs: ['rust', 'clippy'],
    run: cargo([...CLIPPY, CORE, '--', '-D', 'warnings']),
  },
  {
    name: 'clippy',
    what: 'cargo clippy with every feature, warnings are errors',
    needs: ['rust', 'clippy'],
    run: cargo([...CLIPPY, '--all-features', '--', '-D', 'warnings']),
  },
  {
    name: 'doc-core',
    what: 'cargo doc --no-default-features, warnings are errors',
    needs: ['rust'],
    run: cargo([...DOC, CORE], docOptions),
  },
  { name: 'doc', what: 'cargo doc, warnings are errors', needs: ['rust'], run: cargo(DOC, docOptions) },
  { name: 'deny', what: 'cargo deny check bans licenses sources', needs: ['rust'], run: deny },
  { name: 'audit', what: 'npm audit of what is installed with the package', needs: ['modules'], run: skippable('audit') },
  { name: 'sbom', what: 'the list of parts: whole, and every part with licence and hash', needs: ['rust'], run: check([process.execPath, [path.join(ROOT, 'scripts', 'sbom.js')], { label: 'sbom' }]) },
  { name: 'rust-core', what: 'cargo test --no-default-features, with the seeds of every fuzz target', needs: ['rust'], run: cargoTest([CORE, '--features', 'fuzzing']) },
  { name: 'rust', what: 'cargo test', needs: ['rust'], run: cargoTest([]) },
  {
    name: 'js',
    what: 'node --test on every supported Node; bridge on, and off on the oldest and the newest',
    needs: ['native'],
    // Its tests measure pauses.
    isAlone: true,
    run: matrix,
  },
  { name: 'examples', what: 'leak tests under Jest, Vitest and node:test, in projects of their own', needs: ['native'], run: examples },
  { name: 'pack', what: 'both tarballs in a scratch app with no compiler, on every supported Node, and its types under the oldest and the newest TypeScript', needs: ['native'], run: packed },
];

/** Waits until what `step` needs is there, so that a step beside it does not start to build the same. */
async function needed(step) {
  // Why it failed is told by the step itself.
  for (const need of step.needs) await needs[need]().catch(() => {});
}

async function runStep(step) {
  const since = Date.now();
  say(`\n=== ${step.name}: ${step.what}`);
  let results;
  try {
    for (const need of step.needs) await needs[need]();
    results = await step.run();
  } catch (error) {
    // Anything but a command that failed is a defect of the gate: show where.
    const reason = error instanceof StepError ? error.message : error.stack;
    results = [{ label: '', passed: 0, failed: 1, reason }];
  }
  const passed = results.reduce((sum, result) => sum + result.passed, 0);
  let failed = results.reduce((sum, result) => sum + result.failed, 0);
  const reasons = results
    .filter((result) => result.failed > 0)
    .map((result) => [result.label, result.reason].filter(Boolean).join(': '));
  if (passed + failed === 0) {
    failed = 1;
    reasons.push('nothing was run');
  }
  reasons.push(...results.flatMap((result) => result.notes ?? []));
  say(`=== ${step.name}: ${failed === 0 ? 'ok' : 'FAILED'} (${seconds(since)})`);
  return { step, passed, failed, reasons, took: seconds(since) };
}

function summarize(outcomes) {
  say('\nSummary');
  for (const { step, passed, failed, reasons, took } of outcomes) {
    const verdict = failed === 0 ? 'ok    ' : 'FAILED';
    say(`  ${verdict} ${step.name.padEnd(12)} ${String(passed).padStart(6)} passed ${String(failed).padStart(4)} failed  ${took}`);
    for (const reason of reasons) say(`           ${reason.split('\n').join('\n           ')}`);
  }
}

function select(args) {
  const names = STEPS.map((step) => step.name);
  let only = names;
  for (let i = 0; i < args.length; i += 1) {
    const [flag, inline] = args[i].split('=', 2);
    if (flag === '--only') {
      only = (inline ?? args[(i += 1)] ?? '').split(',').filter(Boolean);
      const unknown = only.filter((name) => !names.includes(name));
      if (unknown.length > 0) throw new StepError(`--only: no such step: ${unknown.join(', ')}; there are ${names.join(', ')}`);
    } else {
      throw new StepError(`unknown argument ${args[i]}; expected --list or --only name,name`);
    }
  }
  return STEPS.filter((step) => only.includes(step.name));
}

async function main(args) {
  if (args.includes('--list')) {
    for (const step of STEPS) say(`${step.name.padEnd(12)} ${step.what}`);
    return 0;
  }
  const since = Date.now();
  let passed = 0;
  let failed = 0;
  try {
    const outcomes = [];
    const beside = [];
    for (const step of select(args)) {
      if (step.isAlone) await Promise.all(beside);
      const outcome = runStep(step);
      outcomes.push(outcome);
      if (step.isBeside) {
        beside.push(outcome);
        await needed(step);
      } else {
        await outcome;
      }
    }
    summarize(await Promise.all(outcomes));
    for (const outcome of outcomes) {
      passed += (await outcome).passed;
      failed += (await outcome).failed;
    }
    say(`  in ${seconds(since)}\n`);
  } catch (error) {
    say(error instanceof StepError ? error.message : error.stack);
    failed += 1;
  }
  if (passed + failed === 0) say('nothing was run');
  say(`${passed} passed, ${failed} failed`);
  return failed === 0 && passed > 0 ? 0 : 1;
}

main(process.argv.slice(2)).then((code) => {
  process.exitCode = code;
});
