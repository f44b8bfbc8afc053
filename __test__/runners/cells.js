'use strict';

// The ways in which a leak test is run: one row each. What is not said is CommonJS, in this Node, with `expect` as a global.

const JEST = {
  testEnvironment: 'node',
  testMatch: ['<rootDir>/*.test.?(m)[jt]s'],
  moduleFileExtensions: ['js', 'mjs', 'ts', 'json', 'node'],
  setupFilesAfterEnv: ['heapwarden/jest'],
  transform: {},
};

const BABEL = {
  '\\.ts$': ['babel-jest', { configFile: false, babelrc: false, presets: ['@babel/preset-typescript'], plugins: ['@babel/plugin-transform-modules-commonjs'] }],
};

const TS_JEST = {
  '\\.ts$': ['ts-jest', { tsconfig: { target: 'es2022', module: 'commonjs', strict: true, isolatedModules: true, types: ['jest', 'heapwarden/jest'] } }],
};

const jest = (name, given = {}) => ({
  name,
  files: given.files ?? ['orders.js', 'jest.test.js'],
  config: ['jest.config.json', JSON.stringify({ ...JEST, ...given.config }, null, 2)],
  nodeArgs: given.nodeArgs ?? [],
  args: ['node_modules/jest/bin/jest.js', ...(given.args ?? ['--runInBand'])],
  node: given.node,
  twice: given.twice,
});

/** The same in workers: two files, so that there are two of these. */
const WORKERS = { args: ['--maxWorkers=2'], twice: true };
const TYPED = ['orders.ts', 'jest.test.ts'];

/** What a major version of Jest is tried with at least. */
const someJest = [
  jest('runInBand'),
  jest('workers', WORKERS),
  jest('runInBand --expose-gc', { nodeArgs: ['--expose-gc'] }),
];

const moreJest = [
  jest('ES modules', { files: ['orders.mjs', 'jest.test.mjs'], nodeArgs: ['--experimental-vm-modules'] }),
  jest('TypeScript by ts-jest', { files: TYPED, config: { transform: TS_JEST } }),
  jest('TypeScript by Babel', { files: TYPED, config: { transform: BABEL } }),
  jest('fake timers', { files: ['orders.js', 'fake-timers.test.js'] }),
  jest('jsdom', { files: ['orders.js', 'jsdom.test.js'], config: { testEnvironment: 'jsdom' } }),
  jest('resetModules, resetMocks', { config: { resetModules: true, resetMocks: true, restoreMocks: true } }),
  jest('no globals', { files: ['orders.js', 'jest-globals.test.js'], config: { injectGlobals: false } }),
];

const allJest = [
  jest('misuse', { files: ['orders.js', 'misuse.test.js'] }),
  jest('workers --expose-gc', { ...WORKERS, nodeArgs: ['--expose-gc'] }),
  jest('worker threads', { ...WORKERS, config: { workerThreads: true } }),
  jest('fake timers everywhere', { config: { fakeTimers: { enableGlobally: true } } }),
  jest('coverage', { args: ['--runInBand', '--coverage', '--coverageReporters=json'], config: { collectCoverageFrom: ['<rootDir>/orders.js'] } }),
  jest('coverage by V8', { args: ['--runInBand', '--coverage', '--coverageProvider=v8', '--coverageReporters=json'] }),
  jest('detectOpenHandles', { args: ['--runInBand', '--detectOpenHandles'] }),
];

const vitest = (name, given = {}) => ({
  name,
  files: given.files ?? ['orders.mjs', 'vitest.test.js'],
  config: ['vitest.config.mjs', `export default { test: ${JSON.stringify({ include: ['*.test.?(m)[jt]s'], setupFiles: ['heapwarden/vitest'], ...given.test })} };\n`],
  nodeArgs: given.nodeArgs ?? [],
  args: ['node_modules/vitest/vitest.mjs', 'run'],
  // They stay in the process that compiles, which maps the frames of stacks and nothing else.
  keepsMaps: true,
  node: given.node,
  twice: given.twice,
});

const someVitest = [
  ...['forks', 'threads', 'vmForks', 'vmThreads'].map((pool) => vitest(pool, { test: { pool }, twice: pool === 'threads' })),
  vitest('TypeScript', { files: ['orders.ts', 'vitest.test.ts'] }),
  vitest('globals', { files: ['orders.mjs', 'jest.test.mjs'], test: { globals: true } }),
  vitest('not isolated', { test: { isolate: false } }),
];

const plain = (name, file, args, given = {}) => ({
  name,
  files: [`orders.${file.split('.').at(-1)}`, file],
  nodeArgs: [],
  args,
  ...given,
});

/** Rows by the folder that has the runner's lock file. */
module.exports.cells = {
  'jest-30': [...someJest, ...moreJest, ...allJest],
  'jest-29': [...someJest, ...moreJest],
  'jest-28': someJest,
  'vitest-5': someVitest.map((cell) => ({ ...cell, node: cell.node ?? 24 })),
  'vitest-4': someVitest,
  mocha: [
    plain('Mocha', 'assert.test.js', ['node_modules/mocha/bin/mocha.js']),
    plain('Mocha, ES modules', 'assert.test.mjs', ['node_modules/mocha/bin/mocha.js']),
    plain('node:test', 'assert.test.js', ['--test'], { twice: true }),
    plain('node:test, one at a time', 'assert.test.js', ['--test', '--test-concurrency=1'], { twice: true, node: 22 }),
    plain('node:test, one process', 'assert.test.js', ['--test', '--test-isolation=none'], { node: 24 }),
    plain('node:test, ES modules', 'assert.test.mjs', ['--test']),
  ],
};

const jestTypes = [
  { name: 'types of @types/jest', file: 'jest.ts', types: ['jest', 'node'] },
  { name: 'types of @types/jest, by TypeScript 5', file: 'jest.ts', types: ['jest', 'node'], typescript: 'own' },
  { name: 'types of @jest/globals', file: 'jest-globals.ts', types: ['node'] },
];
const vitestTypes = [{ name: 'types', file: 'vitest.mts', types: [] }];

/** What tsc has to accept in these folders, and what it has to refuse. */
module.exports.types = { 'jest-30': jestTypes, 'jest-29': jestTypes, 'vitest-5': vitestTypes, 'vitest-4': vitestTypes };
