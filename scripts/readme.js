'use strict';

// The README's own lines, for who wants to run what it says.

const fs = require('node:fs');
const path = require('node:path');
const { ROOT } = require('./steps');

/** The code blocks of a Markdown text in a language. */
function blocks(markdown, language) {
  return [...markdown.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm)].filter(([, tag]) => tag === language).map(([, , code]) => code);
}

/** Of the README's code the one paragraph in which `words` stand: lines up to an empty one. */
function readmeLines(language, words) {
  const markdown = fs.readFileSync(path.join(ROOT, 'README.md'), 'utf8');
  const found = blocks(markdown, language).flatMap((code) => code.split(/\n\s*\n/)).filter((paragraph) => paragraph.includes(words));
  if (found.length !== 1) throw new Error(`README.md: expected one paragraph of ${language} with "${words}", found ${found.length}`);
  return found[0].trim();
}

module.exports = { blocks, readmeLines };
