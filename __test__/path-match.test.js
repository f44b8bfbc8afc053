'use strict';

// Objects matched by constructor and retaining path: snapshots of two processes, and of clones, whose object ids say nothing.

const assert = require('node:assert');
const fs = require('node:fs');
const path = require('node:path');
const { test } = require('node:test');
const { diffSnapshots, summarizeSnapshot, writeSnapshot } = require('..');
const { folder, run, ROOT } = require('./support');

/** A service with two Maps, an array and a list, told by its arguments where to write and how many visits it never forgets. */
const PROGRAM = `
  const { writeSnapshot } = require(${JSON.stringify(ROOT)});
  class Visit { constructor(n) { this.n = n; this.page = 'page ' + n; this.tags = [n]; } }
  class Cached { constructor(n) { this.key = 'key ' + n; } }
  class Link { constructor(next) { this.next = next; } }
  class Service {
    constructor() { this.cache = new Map(); this.recent = []; this.links = null; }
    handle(n) {
      const cached = new Cached(n);
      this.cache.set(cached.key, cached);
      if (n % 2 === 0) this.recent.push(cached);
      this.links = new Link(this.links);
    }
  }
  const service = new Service();
  const visitsByUser = new Map();
  function visit(count) { for (let i = 0; i < count; i++) visitsByUser.set(visitsByUser.size, new Visit(i)); }
  visit(500);
  for (let i = 0; i < 200; i++) service.handle(i);
  visit(Number(process.argv[3]));
  globalThis.visit = visit;
  writeSnapshot({ path: process.argv[2], summary: false, mode: 'inline' })
    .then(() => console.log(visitsByUser.size, service.cache.size));
`;

const OWN = ['Visit', 'Cached', 'Link', 'Service'];

/** The snapshot of a fresh process that leaks `leaked` visits. */
async function snapshot(dir, name, leaked) {
  const program = path.join(dir, 'service.js');
  fs.writeFileSync(program, PROGRAM);
  const file = path.join(dir, `${name}.heapsnapshot`);
  const { code, stdout, stderr } = await run([program, file, String(leaked)], { cwd: dir });
  assert.deepEqual([code, stdout, stderr], [0, `${500 + leaked} 200\n`, '']);
  return file;
}

const row = (diff, name) => diff.constructors.find(({ constructorName }) => constructorName === name);

/** What came and went of the program's own classes. */
const ownChanges = (diff) => OWN.flatMap((name) => {
  const found = row(diff, name);
  return found ? [[name, found.addedCount, found.removedCount]] : [];
});

/** As it would be written in a clone of the process. */
function stamp(file) {
  const text = fs.readFileSync(file, 'utf8');
  assert.ok(text.startsWith('{"snapshot":{"meta":'), text.slice(0, 40));
  const stamped = file.replace('.heapsnapshot', '.stamped.heapsnapshot');
  fs.writeFileSync(stamped, text.replace('{"snapshot":{', '{"snapshot":{"heapwarden":{"mode":"clone"},'));
  return stamped;
}

test('two processes of one program differ in what one of them leaks, and in nothing else of its own', async (t) => {
  const dir = folder(t);
  const [before, same, after] = [await snapshot(dir, 'a', 0), await snapshot(dir, 'b', 0), await snapshot(dir, 'c', 1000)];

  const leaking = await diffSnapshots([before, after]);
  assert.equal(leaking.matchedBy, 'path');
  assert.match(leaking.matchedByReason, /different processes; objects are compared by constructor and retaining path$/);
  assert.deepEqual(ownChanges(leaking), [['Visit', 1000, 0]]);
  assert.equal(row(leaking, 'Visit').countDelta, 1000);
  const [culprit] = leaking.culprits;
  assert.deepEqual([culprit.constructorName, culprit.pattern, culprit.countDelta], ['Visit', 'collection', 1000]);
  assert.deepEqual(culprit.retainerPath.slice(0, 2).map(({ edge }) => edge), ['[[Entries]]', 'visitsByUser']);
  assert.equal(path.basename(culprit.location.file), 'service.js');

  const still = await diffSnapshots([before, same]);
  assert.equal(still.matchedBy, 'path');
  assert.deepEqual([still.culprits, ownChanges(still)], [[], []]);

  // The other way round what was there is gone.
  const shrunk = await diffSnapshots([after, same]);
  assert.deepEqual([ownChanges(shrunk), shrunk.culprits], [[['Visit', 0, 1000]], []]);

  // DevTools' rows, of the same match; without culprits there is no path to go by.
  const devtools = await diffSnapshots([before, after], { shallowSizes: 'devtools' });
  assert.deepEqual([devtools.matchedBy, ownChanges(devtools)], ['path', [['Visit', 1000, 0]]]);
  for (const shallowSizes of ['file', 'devtools']) {
    const rows = await diffSnapshots([before, after], { culprits: false, shallowSizes });
    assert.deepEqual([rows.matchedBy, ownChanges(rows)], ['constructor', [['Visit', 1000, 0]]]);
    assert.match(rows.matchedByReason, /; only counts and sizes of each class are compared$/);
  }
});

test('of three processes only what grew from each to the next is told', async (t) => {
  const dir = folder(t);
  const files = [await snapshot(dir, 'a', 0), await snapshot(dir, 'b', 500), await snapshot(dir, 'c', 1200)];
  const diff = await diffSnapshots(files);
  assert.deepEqual([diff.matchedBy, ownChanges(diff)], ['path', [['Visit', 1200, 0]]]);
  assert.deepEqual(diff.culprits.map(({ constructorName, countDelta }) => [constructorName, countDelta]), [['Visit', 700]]);
});

test('a snapshot that says it is of a clone is compared by path, and is the same snapshot otherwise', async (t) => {
  const dir = folder(t);
  class Ticket { constructor(n) { this.n = n; this.text = `ticket ${n}`; } }
  const tickets = (globalThis.ticketsByPathTest = []);
  t.after(() => { delete globalThis.ticketsByPathTest; });
  const files = [];
  for (const count of [100, 400]) {
    for (let i = 0; i < count; i++) tickets.push(new Ticket(i));
    files.push((await writeSnapshot({ path: path.join(dir, `${count}.heapsnapshot`), summary: false, mode: 'inline' })).path);
  }
  const changed = ({ constructors }) => {
    const { addedCount, removedCount } = constructors.find(({ constructorName }) => constructorName === 'Ticket');
    return [addedCount, removedCount];
  };
  const plain = await diffSnapshots(files);
  assert.deepEqual([plain.matchedBy, changed(plain)], ['id', [400, 0]]);
  const stamped = files.map(stamp);
  for (const pair of [stamped, [files[0], stamped[1]], [stamped[0], files[1]]]) {
    const diff = await diffSnapshots(pair);
    assert.deepEqual([diff.matchedBy, changed(diff)], ['path', [400, 0]]);
    assert.match(diff.matchedByReason, /^object ids do not correspond: a clone of the process/);
    assert.ok(diff.culprits.some(({ constructorName, countDelta }) => constructorName === 'Ticket' && countDelta === 400));
    assert.equal((await diffSnapshots(pair, { culprits: false })).matchedBy, 'constructor');
  }
  assert.deepEqual(await summarizeSnapshot(stamped[1]), await summarizeSnapshot(files[1]));
});
