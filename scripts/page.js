'use strict';

// The HTML report in a real Chromium: evidence of a program that leaks, of a fleet of 40 pods and of a heap of 100 000 classes becomes pages, and
// these are opened, clicked, typed into, looked at by axe and timed. Nothing of it leaves this machine.
//
//   npm run page [-- --require] [--only WORDS] [--shots DIR] [--keep DIR]
//   npm run page -- --picture          makes docs/images/report.png
//
// Chromium is the one on the PATH or in HEAPWARDEN_CHROMIUM. Where there is none and this is the administrator of a Debian, it is installed;
// otherwise this is skipped, and says so; with --require it fails.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { parseArgs } = require('node:util');
const { chromium, launch, opened } = require('./page/browser');
const { checks } = require('./page/checks');
const { fleetEvidence, realEvidence, wideHeap } = require('./page/evidence');
const { setup } = require('./setup');
const { ROOT, run, say } = require('./steps');

const CLASSES = 100_000;

const { values } = parseArgs({ options: {
  require: { type: 'boolean' }, only: { type: 'string' }, shots: { type: 'string' }, keep: { type: 'string' }, picture: { type: 'boolean' },
} });

/** The page about what lies in `folder`, made by the command, at a level of redaction. */
async function pageAbout(folder, level = 'full') {
  const file = `${folder}-${level}.html`;
  await run('report', process.execPath, [path.join(ROOT, 'lib', 'cli', 'main.js'), 'report', folder, '-o', file, '--redact', level], { quiet: true });
  return file;
}

/** Pages by name, made side by side with the one leak that takes its time. */
async function pages(folder) {
  const at = (name) => path.join(folder, name);
  for (const name of ['fleet', 'wide']) fs.mkdirSync(at(name), { recursive: true });
  const real = fs.existsSync(at('real')) ? Promise.resolve() : realEvidence(at('real'));
  // Told below, where it is awaited.
  real.catch(() => {});
  fleetEvidence(at('fleet'), { hostile: true });
  wideHeap(path.join(at('wide'), 'wide.heapsnapshot'), CLASSES);
  const [fleet, wide] = [await pageAbout(at('fleet')), await pageAbout(at('wide'))];
  say('evidence of a real leak: examples/express-leak under load, about a minute');
  await real;
  const [full, shape] = [await pageAbout(at('real')), await pageAbout(at('real'), 'shape')];
  return { real: full, shape, fleet, wide };
}

const SHOTS = [
  ['real-light', 'real', {}, null], ['real-dark', 'real', { theme: 'dark' }, null], ['real-narrow', 'real', { width: 600, height: 1400 }, null],
  ['real-memory', 'real', { height: 700 }, '#memory'], ['real-map', 'real', { height: 760 }, '#heap'], ['real-comparison', 'real', { theme: 'dark' }, '#comparison'],
  ['fleet-light', 'fleet', {}, null], ['fleet-processes', 'fleet', { theme: 'dark' }, '#processes'], ['wide-classes', 'wide', { height: 1000 }, '#heap'],
];

async function shoot(browser, made, folder) {
  fs.mkdirSync(folder, { recursive: true });
  for (const [name, about, how, at] of SHOTS) {
    await opened(browser, made[about], how, async (page) => {
      if (at) await page.$eval(at, (element) => element.scrollIntoView());
      await page.screenshot({ path: path.join(folder, `${name}.png`) });
    });
  }
  say(`pictures in ${folder}`);
}

/** The picture in the documents: a fleet without hostile names, its first screen. */
async function picture(browser, folder) {
  const fleet = path.join(folder, 'picture');
  fs.mkdirSync(fleet);
  fleetEvidence(fleet);
  const file = path.join(ROOT, 'docs', 'images', 'report.png');
  await opened(browser, await pageAbout(fleet), { width: 1060, height: 830 }, (page) => page.screenshot({ path: file }));
  say(`${path.relative(ROOT, file)}: ${(fs.statSync(file).size / 1024).toFixed(0)} kB`);
}

async function main() {
  const program = chromium();
  if (program === undefined) {
    say('SKIPPED: no Chromium found: the HTML report was NOT looked at in a browser (apt-get install chromium, or HEAPWARDEN_CHROMIUM)');
    return values.require ? 1 : 0;
  }
  await setup();
  const folder = values.keep ? path.resolve(values.keep) : fs.mkdtempSync(path.join(os.tmpdir(), 'heapwarden-page-'));
  const browser = await launch(program);
  let failed = 0;
  try {
    if (values.picture) {
      await picture(browser, folder);
      return 0;
    }
    const made = await pages(folder);
    if (values.shots) await shoot(browser, made, path.resolve(values.shots));
    for (const [name, check] of checks(made, say).filter(([name]) => name.includes(values.only ?? ''))) {
      try {
        await check(browser);
        say(`ok ${name}`);
      } catch (error) {
        failed += 1;
        say(`FAILED ${name}: ${error.stack}`);
      }
    }
  } finally {
    await browser.close();
    if (!values.keep) fs.rmSync(folder, { recursive: true, force: true });
  }
  return failed === 0 ? 0 : 1;
}

main().then((code) => process.exit(code), (error) => {
  say(`FAILED: ${error.message}`);
  process.exit(1);
});
