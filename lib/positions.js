'use strict';

// Positions as the user has them: through source maps, and with the npm package that a file belongs to.

const fs = require('node:fs');
const { Packages } = require('./packages');
const { originalPlaces } = require('./source-map');
const { MOST_MS, within } = require('./within');

/** What one report may take: files looked at, bytes read of them and of their maps. */
const MOST_FILES = 2000;
const MOST_BYTES = 64 * 2 ** 20;
/** Two of the four threads that Node has for files: the program needs some, too. */
const AT_A_TIME = 2;
/** Reports are not deeper. */
const MOST_DEPTH = 12;

/**
 * Gives each place in `report` (a LeakReport, a summary, a diff) the position in its source, and its package. Gives `report`.
 *
 * A place is any object with `file`, `line` and `column`. One that a source map leads elsewhere keeps what V8 said as `generated`. Nothing
 * is kept from one report to the next. Never rejects; what is not found within the limits stays as it was.
 *
 * `mapsInside`, given names of files, may tell by name of the source maps (`data:` URLs) that their code came with: see loaded-maps.js.
 */
async function withPositions(report, packages = new Packages(), mapsInside = () => new Map()) {
  const work = byFile(report);
  const inside = work.length > 0 ? mapsInside(work.map(({ file }) => file)) : new Map();
  const budget = { bytes: MOST_BYTES };
  let isOver = false;
  const found = [];
  const one = async () => {
    for (let next = work.shift(); next && !isOver; next = work.shift()) found.push(await look(next, packages, budget, inside.get(next.file)));
  };
  await within(Promise.all(Array.from({ length: AT_A_TIME }, one)), MOST_MS);
  isOver = true;
  found.forEach(apply);
  return report;
}

/** The places of a report by file, as `{ file, places }`, in the order of the report: what is largest comes first. */
function byFile(report) {
  const files = new Map();
  const visit = (value, depth) => {
    if (value === null || typeof value !== 'object' || depth > MOST_DEPTH) return;
    if (isPlace(value)) {
      if (value.generated || isNodes(value.file)) return;
      const places = files.get(value.file);
      if (places) places.push(value);
      else if (files.size < MOST_FILES) files.set(value.file, [value]);
      return;
    }
    for (const inner of Array.isArray(value) ? value : Object.values(value)) visit(inner, depth + 1);
  };
  visit(report, 0);
  return [...files].map(([file, places]) => ({ file, places }));
}

function isPlace(value) {
  return typeof value.file === 'string' && typeof value.line === 'number' && typeof value.column === 'number';
}

/** Node's own code, and code without a file. */
function isNodes(file) {
  return file === '' || /^(node:|internal\/|evalmachine\.)/.test(file);
}

async function look({ file, places }, packages, budget, inside) {
  const owner = await packages.of(file);
  let originals = await originalPlaces(file, places, budget, inside);
  // Packages come with maps to sources that they come without: nobody could open those.
  if (owner && originals) originals = await onlyExisting(originals);
  return { places, owner, originals };
}

async function onlyExisting(originals) {
  const known = new Map();
  for (const { file } of originals.filter(Boolean)) {
    if (!known.has(file)) known.set(file, await fs.promises.access(file).then(() => true, () => false));
  }
  return originals.map((original) => (original && known.get(original.file) ? original : undefined));
}

function apply({ places, owner, originals }) {
  places.forEach((place, i) => {
    const original = originals?.[i];
    if (original) {
      const { file, line, column } = place;
      Object.assign(place, original, { generated: { file, line, column } });
    }
    if (owner) place.package = `${owner.name}@${owner.version}`;
  });
}

module.exports = { withPositions };
