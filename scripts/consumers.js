'use strict';

// The package as each kind of consumer takes it, from a registry that has it: installed by npm, pnpm and Yarn in each of their layouts, left out
// of a bundle by esbuild and webpack, or mistakenly bundled, and loaded again and again by Jest.
//
//   npm run consumers [-- --only "pnpm,yarn classic,jest"] [--verbose]     installs from the registry; some three minutes

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { CJS, ESM, JEST_RESET } = require('./consumers/programs');
const { MANAGERS, TOOLS, bin } = require('./consumers/managers');
const { serve } = require('./consumers/registry');
const { dist } = require('./dist');
const { ROOT, StepError, capture, run, say } = require('./steps');

const TOOLS_FOLDER = path.join(ROOT, '.cache', 'consumers');
const JEST = '30.5.2';

/** Settings of all of them: the registry, and what they keep in a place that goes with it. */
function settings(root, registry) {
  return { npm_config_registry: registry, npm_config_ignore_scripts: 'true', npm_config_store_dir: path.join(root, 'store'), YARN_REGISTRY: registry, YARN_CACHE_FOLDER: path.join(root, 'yarn'), CI: 'true' };
}

async function installTools() {
  const wanted = JSON.stringify({ private: true, dependencies: TOOLS }, null, 2);
  const manifest = path.join(TOOLS_FOLDER, 'package.json');
  const installed = path.join(TOOLS_FOLDER, 'node_modules', '.package-lock.json');
  if (fs.existsSync(installed) && fs.readFileSync(manifest, 'utf8') === wanted) return;
  fs.mkdirSync(TOOLS_FOLDER, { recursive: true });
  fs.writeFileSync(manifest, wanted);
  await run('install the package managers', 'npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: TOOLS_FOLDER, quiet: true, timeoutMs: 300_000 });
}

/** A project that depends on the package, and on what is given. */
function project(root, name, { files = {}, dependencies = {}, ...fields } = {}) {
  const app = path.join(root, name.replace(/\W+/g, '-'));
  fs.mkdirSync(app);
  const manifest = { name: 'consumer', version: '1.0.0', private: true, ...fields, dependencies: { heapwarden: '*', ...dependencies } };
  const all = { 'package.json': JSON.stringify(manifest, null, 2), 'app.cjs': CJS, 'app.mjs': ESM, ...files };
  for (const [file, text] of Object.entries(all)) fs.writeFileSync(path.join(app, file), text);
  return app;
}

async function works(app, args) {
  const output = await run(args.at(-1), process.execPath, args, { cwd: app, quiet: true, timeoutMs: 120_000 });
  if (!/^works$/m.test(output)) throw new StepError(`${args.join(' ')}: ${output.trim() || 'no output'}`);
}

/** The platform packages that an installation has brought, by their names; a manager may leave an empty folder for what it did not want. */
function ours(folder, found = new Set()) {
  for (const entry of fs.readdirSync(folder, { withFileTypes: true })) {
    if (!entry.isDirectory()) continue;
    const place = path.join(folder, entry.name);
    // Alone, or with a version behind it and the files in a folder of their own.
    const [, name] = /^(heapwarden-(?:linux|darwin|win32)-[a-z0-9]+(?:-(?:gnu|musl|msvc))?)(?:$|-npm-)/.exec(entry.name) ?? [];
    if (name && ['.', 'package'].some((files) => fs.existsSync(path.join(place, files, 'package.json')))) found.add(name);
    ours(place, found);
  }
  return [...found].sort();
}

async function manager(name, { root, registry, env }) {
  const { brings = ['linux-x64-gnu'], command, files = () => ({}), node = () => [] } = MANAGERS[name];
  const app = project(root, name, { files: { '.npmrc': `registry=${registry}\n`, ...files({ registry }) } });
  const [program, args] = command(TOOLS_FOLDER);
  await run(`install by ${name}`, program, args, { cwd: app, env, quiet: true, timeoutMs: 300_000 });
  const flags = node(app);
  await works(app, [...flags, 'app.cjs']);
  await works(app, [...flags, 'app.mjs']);
  if (brings === null) return undefined;
  const folders = ['node_modules', '.yarn'].map((folder) => path.join(app, folder)).filter((folder) => fs.existsSync(folder));
  const brought = [...new Set(folders.flatMap((folder) => ours(folder)))];
  const wanted = brings.map((platform) => `heapwarden-${platform}`);
  if (brought.join() !== wanted.join()) throw new StepError(`${name}: ${wanted.join(', ')} was expected, found ${brought.join(', ') || 'nothing'}`);
  return brought.join(', ');
}

async function installed({ root, env }, name, given) {
  const app = project(root, name, given);
  await run(`install ${name}`, 'npm', ['install', '--ignore-scripts', '--no-audit', '--no-fund'], { cwd: app, env, quiet: true, timeoutMs: 300_000 });
  return app;
}

/** Runs a bundler that has to fail, and to say why. */
async function fails(app, command, args, expected) {
  const { code, output } = await capture(command, args, { cwd: app, quiet: true, timeoutMs: 120_000 });
  if (code === 0 || !expected.test(output)) throw new StepError(`${args.join(' ')}: code ${code}, where ${expected} was expected: ${output.slice(0, 500)}`);
}

async function esbuild(context) {
  const app = await installed(context, 'esbuild');
  const program = path.join(ROOT, 'node_modules', 'esbuild', 'bin', 'esbuild');
  const common = ['--bundle', '--platform=node', '--log-level=warning', '--external:prom-client'];
  for (const [entry, format] of [['app.cjs', 'cjs'], ['app.mjs', 'esm']]) {
    for (const external of ['--external:heapwarden', '--packages=external']) {
      // The one form holds for the subpaths as well.
      const out = `out${external.length}.${format === 'esm' ? 'mjs' : 'cjs'}`;
      await run('esbuild', program, [entry, ...common, `--format=${format}`, external, `--outfile=${out}`], { cwd: app, quiet: true });
      await works(app, [out]);
    }
  }
  await fails(app, program, ['app.cjs', ...common, '--outfile=no.cjs'], /No loader is configured for "\.node" files/);
  // Told to leave the file aside, it makes a bundle, which says what is the matter.
  await run('esbuild', program, ['app.cjs', ...common, '--loader:.node=empty', '--outfile=empty.cjs'], { cwd: app, quiet: true });
  await fails(app, process.execPath, ['empty.cjs'], /It was bundled[\s\S]*--external:heapwarden/);
  await run('esbuild', program, ['app.cjs', ...common, '--external:*.node', '--external:heapwarden-*', '--outfile=half.cjs'], { cwd: app, quiet: true });
  fs.rmSync(path.join(app, 'node_modules'), { recursive: true });
  await fails(app, process.execPath, ['half.cjs'], /It was bundled[\s\S]*--external:heapwarden/);
}

const webpackConfig = (entry, externals) => `module.exports = {
  mode: 'production', target: 'node', entry: './${entry}', output: { path: __dirname, filename: 'out-${entry}.cjs' }, externals: ${externals},
};
`;

async function webpack(context) {
  const app = await installed(context, 'webpack');
  const build = "const webpack = require(process.argv[2]); webpack(require('./webpack.config.cjs'), (error, stats) => { const text = error ? String(error) : stats.toString({ errorDetails: false }); console.log(text); process.exit(error || stats.hasErrors() ? 1 : 0); });";
  fs.writeFileSync(path.join(app, 'build.cjs'), build);
  const args = ['build.cjs', bin(TOOLS_FOLDER, 'webpack')];
  // A pattern, since a name alone does not hold for the subpaths.
  for (const entry of ['app.cjs', 'app.mjs']) {
    fs.writeFileSync(path.join(app, 'webpack.config.cjs'), webpackConfig(entry, "[({ request }, done) => (/^heapwarden(\\/|$)/.test(request) ? done(null, `commonjs ${request}`) : done())]"));
    await run('webpack', process.execPath, args, { cwd: app, quiet: true, timeoutMs: 120_000 });
    await works(app, [`out-${entry}.cjs`]);
  }
  fs.writeFileSync(path.join(app, 'webpack.config.cjs'), webpackConfig('app.cjs', '[]'));
  await fails(app, process.execPath, args, /\.node[\s\S]*You may need an appropriate loader/);
}

async function jest(context) {
  const files = Object.fromEntries(['first', 'second', 'third'].map((name) => [`${name}.test.js`, JEST_RESET]));
  for (const [name, fields, flags] of [['jest', {}, ['--runInBand']], ['jest resetModules', { jest: { resetModules: true } }, ['--maxWorkers=2']]]) {
    const app = await installed(context, name, { files, dependencies: { jest: JEST }, ...fields });
    await run(name, process.execPath, [path.join('node_modules', 'jest', 'bin', 'jest.js'), ...flags], { cwd: app, quiet: true, timeoutMs: 180_000 });
  }
}

const CELLS = { ...Object.fromEntries(Object.keys(MANAGERS).map((name) => [name, (context) => manager(name, context)])), esbuild, webpack, jest };

async function main() {
  const { values } = parseArgs({ options: { only: { type: 'string', default: Object.keys(CELLS).join(';') }, verbose: { type: 'boolean', default: false } } });
  const names = values.only.split(';').map((name) => name.trim()).filter(Boolean);
  const unknown = names.filter((name) => !(name in CELLS));
  if (unknown.length > 0 || names.length === 0) throw new StepError(`--only: expected some of ${Object.keys(CELLS).join('; ')}, found ${values.only}`);
  await installTools();
  const root = fs.realpathSync(fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-consumers-')));
  let registry;
  let failed = 0;
  try {
    const { main: package_, platforms } = await dist({ out: path.join(root, 'tarballs'), placeholders: true });
    registry = await serve([package_, ...platforms].map(({ tarball }) => tarball));
    for (const name of names) {
      try {
        const note = await CELLS[name]({ root, registry: registry.url, env: settings(root, registry.url) });
        say(`  ok ${name}${note ? `: ${note}` : ''}`);
      } catch (error) {
        failed += 1;
        say(`  FAILED ${name}: ${error.message}\n${values.verbose ? error.output ?? '' : ''}`);
      }
    }
  } finally {
    registry?.close();
    fs.rmSync(root, { recursive: true, force: true });
  }
  say(`${names.length - failed} passed, ${failed} failed`);
  return failed;
}

main().then((failed) => process.exit(failed === 0 ? 0 : 1), (error) => {
  say(error.message);
  process.exit(1);
});
