'use strict';

// The page: the template that `npm run build:page` makes of lib/report/page/, with the evidence put into it.

const fs = require('node:fs');
const path = require('node:path');

const TEMPLATE = path.join(__dirname, 'page.html');
/** Where the evidence goes; it stands in the template once. */
const SLOT = '<!--evidence-->';

/** The page about a model, as text: the same for the same evidence. */
function pageOf({ overview, blocks }) {
  const [before, after, ...more] = template().split(SLOT);
  if (after === undefined || more.length > 0) throw new Error(`${TEMPLATE}: expected ${SLOT} once, found it ${after === undefined ? 'nowhere' : more.length + 1} times`);
  const parts = [`<script type="application/json" id="overview">${inert(JSON.stringify(overview))}</script>`];
  // Base64 has nothing that a parser of HTML could take for its own.
  for (const [name, text] of Object.entries(blocks)) parts.push(`<script type="application/gzip" id="block-${name}">${text}</script>`);
  return [before, parts.join('\n'), after].join('');
}

function template() {
  try {
    return fs.readFileSync(TEMPLATE, 'utf8');
  } catch (error) {
    throw new Error(`expected the page's template at ${TEMPLATE}, found none: npm run build:page makes it`, { cause: error });
  }
}

const ESCAPES = { '<': '\\u003c', '>': '\\u003e', '&': '\\u0026', '\u2028': '\\u2028', '\u2029': '\\u2029' };

/** JSON of the same meaning that ends no script element and begins no comment. */
function inert(json) {
  return json.replace(/[<>&\u2028\u2029]/g, (character) => ESCAPES[character]);
}

module.exports = { inert, pageOf };
