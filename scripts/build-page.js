'use strict';

// The template of the HTML report: everything below lib/report/page/ in one file, lib/report/page.html, which runs what is in it and nothing else.
//
//   npm run build:page

const { createHash } = require('node:crypto');
const fs = require('node:fs');
const path = require('node:path');
const esbuild = require('esbuild');
const { ROOT, StepError, say } = require('./steps');

const SOURCES = path.join(ROOT, 'lib', 'report', 'page');
const TARGET = path.join(ROOT, 'lib', 'report', 'page.html');
/** What is bundled, whose licences go with it. */
const BUNDLED = ['uplot', 'd3-hierarchy'];

const hash = (text) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`;

/** What the page may do: run this script, be drawn with this style. It can neither load nor send, and nothing of it becomes markup. */
const policy = (script, style) => [
  "default-src 'none'", `script-src ${hash(script)}`, `style-src ${hash(style)}`, "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'",
].join('; ');

function licences() {
  const texts = BUNDLED.map((name) => {
    const folder = path.join(ROOT, 'node_modules', name);
    const { version } = JSON.parse(fs.readFileSync(path.join(folder, 'package.json'), 'utf8'));
    return `${name} ${version}\n\n${fs.readFileSync(path.join(folder, 'LICENSE'), 'utf8').trim()}`;
  });
  const text = texts.join('\n\n');
  if (text.includes('*/')) throw new StepError('a licence would end the comment that it stands in');
  return `/*\n${text}\n*/\n`;
}

function bundled(entry, settings) {
  // `write: false` gives the text; `</script` within it is escaped by esbuild.
  const { outputFiles, metafile } = esbuild.buildSync({
    entryPoints: [entry], bundle: true, minify: true, write: false, metafile: true, charset: 'ascii', legalComments: 'none', target: ['chrome110', 'firefox113', 'safari16.4'],
    absWorkingDir: ROOT, logLevel: 'warning', ...settings,
  });
  const packages = new Set(Object.keys(metafile.inputs).map((name) => /node_modules\/((?:@[^/]+\/)?[^/]+)/.exec(name)?.[1]).filter(Boolean));
  const unknown = [...packages].filter((name) => !BUNDLED.includes(name));
  if (unknown.length > 0) throw new StepError(`bundled without its licence: ${unknown.join(', ')}`);
  return outputFiles[0].text.trim();
}

/** Makes the template; gives its size. */
function buildPage() {
  const script = licences() + bundled(path.join(SOURCES, 'main.mjs'), { format: 'esm' });
  const style = bundled(path.join(SOURCES, 'style.css'), {});
  for (const [what, text, end] of [['script', script, /<\/script|<!--/i], ['style', style, /<\/style/i]]) {
    if (end.test(text)) throw new StepError(`the ${what} would end its element early`);
  }
  const parts = { policy: policy(script, style), style, script };
  const page = fs.readFileSync(path.join(SOURCES, 'shell.html'), 'utf8').replace(/\{\{(\w+)\}\}/g, (_, name) => parts[name]);
  fs.writeFileSync(TARGET, page);
  return Buffer.byteLength(page);
}

module.exports = { SOURCES, TARGET, buildPage };

if (require.main === module) {
  try {
    say(`${path.relative(ROOT, TARGET)}: ${(buildPage() / 1024).toFixed(0)} kB`);
  } catch (error) {
    say(error.message);
    process.exitCode = 1;
  }
}
