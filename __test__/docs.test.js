'use strict';

// What the documents point to exists: files, headings in them, and scripts that they name as commands.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { ROOT } = require('./support');
const { readmeLines } = require('../scripts/readme');

const PAGES = ['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', ...fs.readdirSync(path.join(ROOT, 'docs')).filter((name) => name.endsWith('.md')).map((name) => `docs/${name}`)];

/** The text without blocks of code, in which brackets mean something else. */
const prose = (file) => fs.readFileSync(file, 'utf8').replace(/^```[\s\S]*?^```$/gm, '');

/** How a heading is named in a link: small letters, words with dashes, no other characters. */
const anchorsOf = (file) => new Set([...prose(file).matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-')));

/** What is wrong with the links of a page. */
function broken(page) {
  const file = path.join(ROOT, page);
  return [...prose(file).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target).filter((target) => !/^[a-z]+:/.test(target)).filter((target) => {
    const [to, anchor] = target.split('#');
    const linked = to === '' ? file : path.resolve(path.dirname(file), to);
    if (!fs.existsSync(linked)) return true;
    return anchor !== undefined && !anchorsOf(linked).has(anchor);
  });
}

test('links between documents lead to files and headings that there are', () => {
  const found = PAGES.flatMap((page) => broken(page).map((target) => `${page}: ${target}`));
  assert.deepEqual(found, []);
});

test('commands of the documents name scripts that there are', () => {
  const { scripts } = require('../package.json');
  const missing = PAGES.flatMap((page) => {
    const text = fs.readFileSync(path.join(ROOT, page), 'utf8');
    const files = [...text.matchAll(/\bnode ((?:bench|scripts)\/[\w./-]+\.js)/g)].map(([, name]) => name).filter((name) => !fs.existsSync(path.join(ROOT, name)));
    const runs = [...text.matchAll(/\bnpm run ([\w-]+)/g)].map(([, name]) => name).filter((name) => !(name in scripts));
    return [...files, ...runs].map((name) => `${page}: ${name}`);
  });
  assert.deepEqual(missing, []);
});

test('every page about a subject is linked from the README or from a page that is', () => {
  const linked = new Set(PAGES.flatMap((page) => [...prose(path.join(ROOT, page)).matchAll(/\]\(([\w./-]+\.md)/g)]
    .map(([, to]) => path.relative(ROOT, path.resolve(ROOT, path.dirname(page), to)).split(path.sep).join('/')).filter((to) => to !== page)));
  assert.deepEqual(PAGES.filter((page) => page.startsWith('docs/') && !linked.has(page)), []);
});

test('the lines that scratch apps take from the README are in it', () => {
  for (const framework of ['express', 'fastify']) assert.match(readmeLines('js', `require('heapwarden/${framework}')`), /token: process\.env\.HEAPWARDEN_TOKEN/);
});
