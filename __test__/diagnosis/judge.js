'use strict';

// Holds what was found against what a case expects.

const { fileURLToPath } = require('node:url');
const path = require('node:path');

/** A healthy program's growth: this many objects for each unit of work between two looks, or so many bytes, are a leak. */
const LEAST_PER_UNIT = 0.5;
const LEAST_BYTES = 1024 * 1024;
/** Of what its leaky twin leaks, this many for each unit. */
const LEAST_OF_TWIN = 0.05;

/** Judges the first culprit of a leaky program: `{ pattern, constructorName, holder, location }`, each null or what is wrong with it. */
function judgeLeak(expected, culprits) {
  const [culprit] = culprits;
  if (!culprit) return { culprit: 'there is none' };
  const { constructorName, pattern } = culprit;
  return {
    pattern: expected.pattern && oneOf(expected.pattern, pattern),
    constructorName: oneOf(expected.constructorName, constructorName),
    ...(expected.onPath && { holder: onPath(expected.onPath, culprit) }),
    ...(expected.holder && { holder: holder(expected.holder, culprit.holder) }),
    ...(expected.location && { location: location(expected.location, culprit.location) }),
  };
}

const oneOf = (wanted, found) => (wanted.includes(found) ? null : `${found}`);

function onPath(wanted, { constructorName, retainerPath }) {
  const all = [constructorName, ...retainerPath.flatMap(({ name, edge }) => [name, edge])];
  return wanted.some((hint) => all.some((text) => text.includes(hint))) ? null : pathText(retainerPath);
}

function holder(wanted, found) {
  if (!found) return 'none';
  const isRight = Object.entries(wanted).every(([key, values]) => values.includes(found[key]));
  return isRight ? null : `${found.constructorName} ${found.name}`;
}

function location({ file, lines }, found) {
  if (!found) return 'none';
  const place = filePath(found.file);
  return place === file && lines.includes(found.line) ? null : `${path.relative(path.dirname(file), place)}:${found.line}`;
}

const filePath = (file) => (file.startsWith('file:') ? fileURLToPath(file) : path.resolve(file));

/** What in `culprits` of a healthy program grew with its `units` of work, in words. */
function judgeHealth(expected, culprits, units) {
  const twin = ({ constructorName, retainerPath }) => expected.constructorName?.includes(constructorName)
    && (expected.onPath ?? expected.holder?.name ?? []).some((name) => retainerPath.some(({ edge }) => edge === name));
  return culprits
    .filter((culprit) => culprit.countDelta >= units * (twin(culprit) ? LEAST_OF_TWIN : LEAST_PER_UNIT) || culprit.retainedSizeDelta >= LEAST_BYTES)
    .map(culpritText);
}

const pathText = (steps) => steps.slice(0, 8).map(({ edge, name }) => `${edge} of ${name}`).join(' <- ');

/** A culprit in one line. */
function culpritText({ constructorName, pattern, countDelta, retainedSizeDelta, retainerPath, location: place, holder: held }) {
  const where = place ? `${place.file}:${place.line}` : 'no place';
  const by = held ? ` held by ${held.constructorName} ${held.name}` : '';
  return `[${pattern}] ${constructorName} +${countDelta}, ${retainedSizeDelta} bytes${by}, at ${where}: ${pathText(retainerPath)}`;
}

module.exports = { judgeLeak, judgeHealth, culpritText };
