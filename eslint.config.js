'use strict';

const js = require('@eslint/js');
const n = require('eslint-plugin-n');

const BROWSER = [
  'document', 'window', 'getComputedStyle', 'localStorage', 'matchMedia', 'requestAnimationFrame', 'devicePixelRatio', 'ResizeObserver',
];

module.exports = [
  // Generated, fetched or built: nobody edits these, so nobody lints them.
  {
    ignores: [
      'native.js',
      'lib/report/page.html',
      '.cache/**',
      'target/**',
      '**/target/**',
      'heapwarden-evidence/**',
      '__test__/golden/**',
      '__test__/diagnosis/build/**',
      '__test__/runners/*/.cells/**',
    ],
  },
  js.configs.recommended,
  n.configs['flat/recommended-script'],
  {
    languageOptions: { ecmaVersion: 2022 },
    // What the package promises, not what the developer happens to run.
    settings: { node: { version: '>=18.18.0' } },
    rules: {
      eqeqeq: ['error', 'always', { null: 'ignore' }],
      'no-var': 'error',
      'prefer-const': 'error',
      'no-implicit-globals': 'error',
      'no-unused-vars': ['error', { args: 'after-used', argsIgnorePattern: '^_', caughtErrors: 'none' }],
      strict: ['error', 'global'],
      'n/prefer-node-protocol': 'error',
    },
  },
  {
    files: ['**/*.mjs'],
    languageOptions: { sourceType: 'module' },
    rules: { strict: 'off' },
  },
  {
    // The page, which runs in a browser, with what is bundled into it.
    files: ['lib/report/page/**'],
    languageOptions: { globals: Object.fromEntries(BROWSER.map((name) => [name, 'readonly'])) },
    rules: {
      'n/no-unpublished-import': 'off',
      'n/no-unsupported-features/node-builtins': 'off',
      // What comes from evidence is text, never markup.
      'no-restricted-properties': ['error', ...['innerHTML', 'outerHTML', 'insertAdjacentHTML', 'write', 'setHTMLUnsafe'].map((property) => ({ property }))],
    },
  },
  {
    // Functions that a browser is given to run.
    files: ['scripts/page/checks.js'],
    languageOptions: { globals: Object.fromEntries(BROWSER.map((name) => [name, 'readonly'])) },
  },
  {
    // Never published, so they may lean on what only a developer has; and node:test grew up after Node 18.
    files: ['scripts/**', '__test__/**', 'bench/**', 'examples/**', 'fuzz/**', '*.config.js'],
    rules: {
      'n/no-unpublished-require': 'off',
      'n/no-unpublished-import': 'off',
      'n/no-process-exit': 'off',
      'n/no-unsupported-features/node-builtins': 'off',
    },
  },
  {
    // Benchmarks load packages of their own, installed on demand, and run on one Node.
    files: ['bench/**'],
    settings: { node: { version: '>=20.19.0' } },
  },
  {
    // Programs with packages of their own, installed by the runner.
    files: ['__test__/diagnosis/**'],
    rules: { 'n/no-missing-require': 'off', 'n/no-missing-import': 'off' },
  },
  {
    // Projects of their own, installed by their lock files.
    files: ['examples/jest-express/**', 'examples/vitest-fastify/**', 'examples/node-test/**'],
    languageOptions: { globals: { expect: 'readonly', test: 'readonly', describe: 'readonly', jest: 'readonly', beforeEach: 'readonly', afterEach: 'readonly', beforeAll: 'readonly', afterAll: 'readonly' } },
    rules: { 'n/no-missing-require': 'off', 'n/no-missing-import': 'off', 'n/no-extraneous-require': 'off', 'n/no-extraneous-import': 'off' },
  },
  {
    // Tests for runners that are installed beside them.
    files: ['__test__/runners/suite/**'],
    languageOptions: {
      globals: Object.fromEntries(['expect', 'test', 'jest', 'beforeEach', 'afterEach', 'afterAll', 'document', 'window'].map((name) => [name, 'readonly'])),
    },
    rules: { 'n/no-missing-require': 'off', 'n/no-missing-import': 'off', 'n/no-extraneous-require': 'off', 'n/no-extraneous-import': 'off' },
  },
  {
    files: ['examples/vitest-fastify/**/*.js', '__test__/runners/suite/vitest*.js'],
    languageOptions: { sourceType: 'module' },
    rules: { strict: 'off' },
  },
  {
    // The leaky programs leak on purpose: what they bind and never read is the point.
    files: ['__test__/fixtures/**'],
    rules: { 'no-unused-vars': 'off' },
  },
];
