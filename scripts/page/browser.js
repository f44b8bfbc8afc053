'use strict';

// A real Chromium: found, or had from Debian's packages, and driven.

const { spawnSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const puppeteer = require('puppeteer-core');
const { say } = require('../steps');

const NAMES = ['chromium', 'chromium-browser', 'google-chrome-stable', 'google-chrome'];

function found() {
  if (process.env.HEAPWARDEN_CHROMIUM) return process.env.HEAPWARDEN_CHROMIUM;
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter(Boolean);
  return NAMES.flatMap((name) => folders.map((folder) => path.join(folder, name))).find((file) => fs.existsSync(file));
}

/** The path of a Chromium; where there is none, and this is the administrator of a Debian, it is installed. */
function chromium() {
  const there = found();
  if (there !== undefined || process.getuid?.() !== 0 || !fs.existsSync('/usr/bin/apt-get')) return there;
  const apt = (...args) => spawnSync('apt-get', args, { stdio: 'ignore', env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' } }).status === 0;
  say('chromium is installed: apt-get install chromium');
  if (!apt('install', '-y', '--no-install-recommends', 'chromium')) apt('update') && apt('install', '-y', '--no-install-recommends', 'chromium');
  return found();
}

/** A browser without a window. Its profile is gone with it. */
function launch(executablePath) {
  // The administrator, as whom containers run, gets no sandbox.
  const args = ['--disable-gpu', ...(process.getuid?.() === 0 ? ['--no-sandbox'] : [])];
  return puppeteer.launch({ executablePath, headless: true, args });
}

/**
 * `use(page)` on the page in `file`, once it is drawn. Fails for anything that it says on the console, for an error, and for a request of
 * anything but the file.
 */
async function opened(browser, file, { width = 1280, height = 900, theme = 'light' }, use) {
  const page = await browser.newPage();
  const url = `file://${file}`;
  const wrong = [];
  page.on('console', (message) => wrong.push(`console: ${message.text()}`));
  page.on('pageerror', (error) => wrong.push(`error: ${error.message}`));
  page.on('request', (request) => { if (request.url() !== url) wrong.push(`request: ${request.url()}`); });
  page.on('dialog', (dialog) => { wrong.push(`dialog: ${dialog.message()}`); dialog.dismiss(); });
  try {
    await page.setViewport({ width, height });
    await page.emulateMediaFeatures([{ name: 'prefers-color-scheme', value: theme }]);
    await page.goto(url);
    await page.waitForSelector('html[data-ready]', { timeout: 30_000 });
    const result = await use(page);
    if (wrong.length > 0) throw new Error(`${path.basename(file)}: ${wrong.join('\n')}`);
    return result;
  } catch (error) {
    if (wrong.length > 0) error.message += `\n${wrong.join('\n')}`;
    throw error;
  } finally {
    await page.close();
  }
}

module.exports = { chromium, launch, opened };
