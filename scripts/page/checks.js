'use strict';

// What a page must do in a browser, by mouse and by keyboard. Each check opens a page of its own.

const assert = require('node:assert/strict');
const fs = require('node:fs');
const zlib = require('node:zlib');
const { HOSTILE } = require('./evidence');
const { opened } = require('./browser');

const AXE = fs.readFileSync(require.resolve('axe-core/axe.min.js'), 'utf8');
const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];
/** From the beginning of the navigation until everything is drawn. */
const MOST_MS = 2000;

const text = (page, selector) => page.$eval(selector, (element) => element.textContent);
/** The page has come to rest: a frame was drawn, and what was to be drawn in it. */
const settled = (page) => page.evaluate(() => new Promise((resolve) => { requestAnimationFrame(() => setTimeout(resolve, 50)); }));
const grid = async (page, caption) => (await page.waitForFunction((wanted) => [...document.querySelectorAll('.grid')]
  .find((one) => one.querySelector('h3').textContent.startsWith(wanted)), {}, caption)).asElement();

/** A table as it stands there: its rows in sight, how many there are in all, and by what they are sorted. */
const tableIn = (element) => element.evaluate((one) => ({
  total: Number(one.querySelector('table').getAttribute('aria-rowcount')) - 1,
  rows: [...one.querySelectorAll('tbody tr[aria-rowindex]')].map((row) => [...row.children].map((cell) => cell.textContent)),
  last: Number([...one.querySelectorAll('tbody tr[aria-rowindex]')].at(-1)?.getAttribute('aria-rowindex')) - 1,
  sorted: [...one.querySelectorAll('th[aria-sort]')].map((th) => [th.textContent.trim(), th.getAttribute('aria-sort')]),
  status: one.querySelector('[role=status]').textContent,
}));

async function press(page, element, selector, ...keys) {
  await (await element.$(selector)).focus();
  for (const key of keys) await page.keyboard.press(key);
  await settled(page);
}

async function written(page, element, words) {
  await (await element.$('input')).focus();
  await page.keyboard.type(words);
  await settled(page);
}

/** What a block of the page holds, read without a browser. */
function blockIn(file, name) {
  const packed = new RegExp(`id="block-${name.replace('.', '\\.')}">([^<]*)<`).exec(fs.readFileSync(file, 'utf8'))[1];
  return JSON.parse(zlib.gunzipSync(Buffer.from(packed, 'base64')));
}

/** What axe finds fault with, everything unfolded. */
function axe(file, how) {
  return (browser) => opened(browser, file, how, async (page) => {
    await page.evaluate(() => document.querySelectorAll('details').forEach((details) => { details.open = true; }));
    await settled(page);
    await page.evaluate(AXE);
    const { violations, passes } = await page.evaluate((values) => window.axe.run(document, { runOnly: { type: 'tag', values } }), RULES);
    assert.ok(passes.length > 15, `axe has looked at ${passes.length} rules only`);
    assert.deepEqual(violations.map(({ id, nodes }) => `${id}: ${nodes.slice(0, 3).map(({ html, failureSummary }) => `${html.slice(0, 200)} ${failureSummary}`).join('\n')}`), []);
    const [width, room] = await page.evaluate(() => [document.documentElement.scrollWidth, document.documentElement.clientWidth]);
    assert.ok(width <= room, `the page is ${width} pixels wide, the window ${room}`);
  });
}

/** Opens it five times: the middle one counts, so that what else the machine does is not measured. */
function opensIn(file, report) {
  return async (browser) => {
    const times = [];
    for (let i = 0; i < 5; i += 1) {
      times.push(await opened(browser, file, {}, (page) => page.evaluate(() => performance.getEntriesByName('heapwarden:ready')[0].startTime)));
    }
    const middle = times.sort((a, b) => a - b)[2];
    report(`${(fs.statSync(file).size / 1024).toFixed(0)} kB, drawn after ${middle.toFixed(0)} ms (${times[0].toFixed(0)} to ${times[4].toFixed(0)})`);
    assert.ok(middle < MOST_MS, `drawn after ${middle} ms`);
  };
}

/** The report of examples/express-leak. */
async function realPage(page) {
  assert.match(await text(page, '.headline'), /^RequestRecord leaks on 1 of 1 host since \d{4}-\d\d-\d\d \d\d:\d\d UTC\.$/);
  const leak = await text(page, '#leak-1');
  for (const words of ['express-leak/leaky.js:8', 'requestsById', 'MB/', 'collection']) assert.ok(leak.includes(words), words);

  // The path: there at once where one process leaks, and folded by keyboard.
  assert.match(await text(page, '#leak-1 .path'), /requestsById of \(closure\)/);
  await page.focus('#leak-1 details summary');
  await page.keyboard.press('Enter');
  assert.equal(await page.$eval('#leak-1 details', ({ open }) => open), false);

  // The chart: drawn, and read by keyboard.
  const ink = () => page.$eval('#memory canvas', (canvas) => canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data.filter((value, i) => i % 4 === 3 && value > 0).length);
  assert.ok(await ink() > 5000, 'the chart is empty');
  assert.match(await text(page, '#memory .summary'), /the floor went from [\d.]+ MB to [\d.]+ MB over \d+ major collections; .* requests a second .* Verdict: leak of heap/);
  await page.focus('#memory .chart');
  await page.keyboard.press('End');
  const last = await text(page, '#memory .readout');
  assert.match(last, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC · Used heap [\d.]+ MB · Floor/);
  await page.keyboard.press('Home');
  assert.notEqual(await text(page, '#memory .readout'), last);
  await page.click('#memory .key');
  assert.equal(await page.$eval('#memory .key', (key) => key.getAttribute('aria-pressed')), 'false');
  assert.ok(!(await text(page, '#memory .readout')).includes('NaN'));
  const events = await page.$eval('#memory details', (details) => {
    details.open = true;
    return new Promise((resolve) => { setTimeout(() => resolve(details.textContent), 50); });
  });
  assert.match(events, /verdict: leak of heap/);
  assert.match(events, /a leak report was made/);

  // What grew between the two snapshots.
  assert.match(await text(page, '#comparison .suspects li'), /^RequestRecord collection \+[\d,]+ objects/);
  const changes = await tableIn(await grid(page, 'What changed, by class'));
  assert.ok(changes.rows.some(([name]) => name === 'RequestRecord'));
  assert.deepEqual(changes.sorted, [['Size ▾', 'descending']]);

  // Listeners, with their functions.
  const listeners = await tableIn(await grid(page, 'Listeners'));
  assert.ok(listeners.total > 5 && listeners.rows.every((row) => row.length === 7));
}

/** The same at the level at which no name of the program's is told. */
async function shapePage(page) {
  assert.match(await text(page, '.headline'), /^\(redacted\) leaks on 1 of 1 host since /);
  assert.match(await text(page, '#leak-1'), /the place is not known/);
  assert.match(await text(page, '#memory .summary'), /the floor went from/);
  const { total, rows } = await tableIn(await grid(page, 'Classes'));
  assert.ok(total > 100 && rows.some(([name]) => name === '(redacted)') && rows.some(([name]) => name === 'Map'));
  const all = await page.evaluate(() => document.documentElement.textContent);
  for (const word of ['RequestRecord', 'requestsById', 'leaky.js']) assert.ok(!all.includes(word), word);
}

async function mapByKeyboard(page) {
  const areas = () => page.$$eval('.map button', (buttons) => buttons.map((button) => button.getAttribute('aria-label')));
  const focused = () => page.evaluate(() => document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent);
  assert.ok((await areas()).some((label) => /[\d,]+ × RequestRecord, [\d.]+ MB, \d+ % of the heap, of the program/.test(label)), 'what leaks is not on the map');
  assert.ok((await areas()).some((label) => label.includes('requestsById: Map, ')), 'what holds it is not called as the program calls it');
  assert.equal(await page.$$eval('.map button[tabindex="0"]', ({ length }) => length), 1, 'one area is a stop for the tab key');
  await page.focus('.map button[tabindex="0"]');
  const first = await focused();
  await page.keyboard.press('ArrowRight');
  assert.notEqual(await focused(), first);
  const second = await focused();
  await page.keyboard.press('ArrowLeft');
  assert.notEqual(await focused(), second);
  assert.equal(await page.$$eval('.map button[tabindex="0"]', ({ length }) => length), 1);
  await (await page.$('.map button[aria-label*="can be entered"]')).focus();
  const crumbs = await text(page, '.crumbs');
  await page.keyboard.press('Enter');
  assert.notEqual(await text(page, '.crumbs'), crumbs);
  const inside = await areas();
  // The same in a table.
  await page.click('.map-box details summary');
  await settled(page);
  const rows = await page.$$eval('.map-box tbody tr', (all) => all.map((row) => row.textContent));
  assert.ok(rows.length > 0);
  await page.focus('.map button[tabindex="0"]');
  await page.keyboard.press('Escape');
  assert.notDeepEqual(await areas(), inside);
}

async function themes(page) {
  const background = () => page.evaluate(() => getComputedStyle(document.body).backgroundColor);
  const light = await background();
  const [button] = await page.$$('.top > button');
  assert.equal(await button.evaluate((element) => element.getAttribute('aria-label')), 'Dark colours');
  await button.focus();
  await page.keyboard.press('Space');
  assert.notEqual(await background(), light);
  assert.equal(await button.evaluate((element) => element.getAttribute('aria-label')), 'Light colours');
  await page.keyboard.press('Space');
  assert.equal(await background(), light);
  const outline = await button.evaluate((element) => getComputedStyle(element).outlineStyle);
  assert.equal(outline, 'solid', 'the focus is not to be seen');
}

/** The fleet: 31 of 40 at one place, with names that are markup. */
async function fleetPage(page) {
  assert.ok((await text(page, '.headline')).startsWith(`${HOSTILE} leaks on 31 of 40 hosts since `), await text(page, '.headline'));
  assert.equal(await text(page, '#leak-1 h3'), HOSTILE);
  assert.equal(await page.$$eval('img, iframe, object, embed, link', ({ length }) => length), 0);
  assert.match(await page.title(), /^Heapwarden: "<\/script>/);
  assert.match(await text(page, '#leak-2'), /12 of 40/);
  assert.match(await text(page, '#leak-1'), /POST \/cart\/:id\/items leaves 1,330 bytes behind per request/);

  const summary = await page.waitForSelector('#leak-1 ::-p-text(Who has it: 31 hosts)');
  await summary.click();
  const who = await grid(page, 'Processes with leak #1');
  const since = await tableIn(who);
  assert.equal(since.total, 31);
  assert.deepEqual(since.sorted, [['Since (UTC) ▴', 'ascending']]);
  assert.deepEqual(since.rows.map(([, , at]) => at), since.rows.map(([, , at]) => at).sort());

  const processes = await grid(page, '40 processes: 36 leak, 4 healthy');
  await written(page, processes, 'healthy');
  const healthy = await tableIn(processes);
  assert.deepEqual([healthy.rows.length, healthy.status], [4, '4 of 40 rows']);
  const before = await text(page, '#memory .summary');
  await press(page, processes, 'tbody button', 'Enter');
  await page.waitForFunction((old) => document.querySelector('#memory .summary').textContent !== old, {}, before);
  assert.match(await text(page, '#memory .summary'), /Verdict: healthy/);
  assert.equal(await page.evaluate(() => document.activeElement.id), 'memory-process');
}

/** A table of very many rows, against the same work without a browser. */
function widePage(file) {
  const { length, columns: { constructorName: names, count, retainedSize } } = blockIn(file, 'heap0.classes');
  const rows = Array.from({ length }, (_, i) => i);
  return async (page) => {
    assert.ok(length >= 100_000, `${length} classes`);
    const classes = await grid(page, 'Classes');
    const first = await tableIn(classes);
    assert.deepEqual([first.total, first.sorted], [length, [['Retained ▾', 'descending']]]);
    assert.ok(first.rows.length < 60, `${first.rows.length} rows are in the document`);
    const byRetained = [...rows].sort((a, b) => retainedSize[b] - retainedSize[a] || a - b);
    assert.deepEqual(first.rows.slice(0, 10).map(([name]) => name), byRetained.slice(0, 10).map((i) => names[i]));

    // By its end and its beginning, with the keyboard.
    await press(page, classes, '.grid-scroll', 'End');
    // The key scrolls with an animation: on its way there the rows are not yet the last.
    await page.waitForFunction((element) => {
      const { scrollTop, clientHeight, scrollHeight } = element.querySelector('.grid-scroll');
      return scrollTop > 1e6 && scrollTop + clientHeight >= scrollHeight - 1;
    }, {}, classes);
    await settled(page);
    const end = await tableIn(classes);
    assert.deepEqual([end.last, end.rows.at(-1)[0]], [length, names[byRetained.at(-1)]]);
    await press(page, classes, '.grid-scroll', 'PageUp');

    await press(page, classes, 'th[data-key="name"] button', 'Enter');
    const byName = [...rows].sort((a, b) => (names[a] < names[b] ? -1 : names[a] > names[b] ? 1 : a - b));
    const up = await tableIn(classes);
    assert.deepEqual(up.sorted, [['Class ▴', 'ascending']]);
    assert.deepEqual(up.rows.slice(0, 10).map(([name]) => name), byName.slice(0, 10).map((i) => names[i]));
    assert.equal(names[byName[0]], HOSTILE);
    await press(page, classes, 'th[data-key="name"] button', 'Space');
    assert.equal((await tableIn(classes)).rows[0][0], names[byName.at(-1)]);

    await written(page, classes, 'MODEL1a');
    const matching = rows.filter((i) => names[i].toLowerCase().includes('model1a'));
    const filtered = await tableIn(classes);
    assert.ok(matching.length > 100 && matching.length < length / 10);
    assert.equal(filtered.total, matching.length);
    await press(page, classes, 'th[data-key="count"] button', 'Enter');
    const most = Math.max(...matching.map((i) => count[i]));
    assert.equal((await tableIn(classes)).rows[0][2], String(most));
    await written(page, classes, ' nothing has this name');
    assert.match((await tableIn(classes)).status, /^0 of /);
  };
}

/** All checks of the pages `{ real, shape, fleet, wide }`: `[name, check(browser)]`; `report` is told figures. */
function checks({ real, shape, fleet, wide }, report) {
  const axes = Object.entries({ real, fleet, wide }).flatMap(([name, file]) => ['light', 'dark'].map((theme) => [`axe finds nothing: ${name}, ${theme}`, axe(file, { theme })]));
  return [
    ['a real leak: verdict, path, chart, comparison', (browser) => opened(browser, real, {}, realPage)],
    ['the same without names', (browser) => opened(browser, shape, {}, shapePage)],
    ['the map by keyboard, and its table', (browser) => opened(browser, real, {}, mapByKeyboard)],
    ['light and dark', (browser) => opened(browser, real, {}, themes)],
    ['a fleet of 40 pods, with hostile names', (browser) => opened(browser, fleet, {}, fleetPage)],
    ['a table of 100 000 classes: sorted, filtered, walked through', (browser) => opened(browser, wide, {}, widePage(wide))],
    ...axes,
    ['axe finds nothing in a narrow window, and nothing is cut off', axe(real, { width: 600 })],
    ...Object.entries({ real, fleet, wide }).map(([name, file]) => [`opens in less than ${MOST_MS} ms: ${name}`, opensIn(file, (line) => report(`${name}: ${line}`))]),
  ];
}

module.exports = { checks };
