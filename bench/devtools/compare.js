'use strict';

// Prints every difference between what DevTools says of a snapshot and what we say:
//
//   node bench/devtools/oracle.js FILE [BASE] > oracle.json
//   node bench/devtools/compare.js oracle.json FILE [BASE]      our answer is computed
//   node bench/devtools/compare.js oracle.json ours.json        our answer is given, in the oracle's shape
//
// The shape, of both:
//   {
//     aggregates: [{ key, name, count, distance, shallowSize, retainedSize }],
//     top:        [{ id, constructorName, shallowSize, retainedSize, distance }],
//     comparison: [{ key, name, addedCount, removedCount, countDelta, addedSize, removedSize, sizeDelta }]
//   }
// `key` is DevTools' key of a class: `,name`, or `scriptId,line,column,name` where the class has a place in a script, both
// counted from 0. `top` are the objects that retain most, of equal ones those with the lower id first. `comparison` is there
// where a base was given. Objects without a size are in no class; sizes are those after DevTools' moves to owners.

const fs = require('node:fs');

/** V8's number of the root. */
const ROOT_ID = 1;

const AGGREGATE = ['name', 'count', 'distance', 'shallowSize', 'retainedSize'];
const TOP = ['constructorName', 'shallowSize', 'retainedSize', 'distance'];
const COMPARISON = ['name', 'addedCount', 'removedCount', 'countDelta', 'addedSize', 'removedSize', 'sizeDelta'];

/** Lines for what differs in two lists whose rows are known by `key`. A row that one side lacks is one difference. */
function compareRows(what, key, fields, expected, found) {
  const lines = [];
  const ours = new Map(found.map((row) => [row[key], row]));
  for (const row of expected) {
    const own = ours.get(row[key]);
    ours.delete(row[key]);
    if (!own) {
      lines.push(`${what} ${JSON.stringify(row[key])}: missing, DevTools has ${fields.map((field) => `${field} ${row[field]}`).join(', ')}`);
      continue;
    }
    for (const field of fields) {
      if (row[field] !== own[field]) lines.push(`${what} ${JSON.stringify(row[key])} (${row.name ?? row.constructorName}): ${field}: DevTools ${row[field]}, ours ${own[field]}`);
    }
  }
  for (const row of ours.values()) {
    lines.push(`${what} ${JSON.stringify(row[key])}: not in DevTools, ours has ${fields.map((field) => `${field} ${row[field]}`).join(', ')}`);
  }
  return lines;
}

/**
 * Lines for what differs in two lists of classes. Ours are told apart by file, line and column where DevTools has a script's number, so
 * that rows are matched by all that they say: of two that differ in any field, both are printed.
 */
function compareClasses(what, fields, expected, found) {
  const text = (row) => fields.map((field) => `${field} ${JSON.stringify(row[field])}`).join(', ');
  const left = new Map();
  for (const row of expected) left.set(text(row), (left.get(text(row)) ?? 0) + 1);
  const extra = found.map(text).filter((row) => {
    const count = left.get(row) ?? 0;
    left.set(row, count - 1);
    return count < 1;
  });
  const missing = [...left].flatMap(([row, count]) => Array(Math.max(0, count)).fill(row));
  return [...missing.map((row) => `${what}: only in DevTools: ${row}`), ...extra.map((row) => `${what}: only ours: ${row}`)];
}

/** The last places of a top list go to one of several equals: only objects that retain more than the least are compared by presence. */
function compareTop(expected, found) {
  const rows = Math.min(expected.length, found.length);
  const [left, right] = [expected.slice(0, rows), found.slice(0, rows)];
  const least = Math.max(left.at(-1)?.retainedSize ?? 0, right.at(-1)?.retainedSize ?? 0);
  const above = (list) => list.filter(({ retainedSize }) => retainedSize > least);
  return compareRows('object', 'id', TOP, above(left), above(right));
}

/** Every difference between an oracle and our answer of the same shape, as lines. */
function compare(oracle, ours) {
  const lines = [];
  for (const field of ['nodeCount', 'edgeCount', 'totalShallowSize']) {
    if (ours[field] !== undefined && ours[field] !== oracle[field]) lines.push(`${field}: DevTools ${oracle[field]}, ours ${ours[field]}`);
  }
  lines.push(...compareClasses('class', AGGREGATE, oracle.aggregates, ours.aggregates ?? []));
  // The root keeps everything, which nobody needs to be told: ours leaves it out.
  const withoutRoot = (top = []) => top.filter(({ id }) => id !== ROOT_ID);
  lines.push(...compareTop(withoutRoot(oracle.top), withoutRoot(ours.top)));
  if (oracle.comparison) lines.push(...compareClasses('comparison', COMPARISON, oracle.comparison, ours.comparison ?? []));
  return lines;
}

/** Our answer in the oracle's shape. */
async function answer(file, base) {
  const { diffSnapshots, summarizeSnapshot } = require('../..');
  const named = ({ constructorName, ...row }) => ({ name: constructorName, ...row });
  const { nodeCount, edgeCount, totalShallowSize, constructors, objects } = await summarizeSnapshot(file, { objects: 1000 });
  const ours = { nodeCount, edgeCount, totalShallowSize, aggregates: constructors.map(named), top: objects };
  if (base) {
    const diff = await diffSnapshots([base, file], { shallowSizes: 'devtools', culprits: false });
    ours.comparison = diff.constructors.map(named);
  }
  return ours;
}

async function main([oracleFile, file, base]) {
  if (!file) throw new Error('usage: compare.js ORACLE.json FILE [BASE] | compare.js ORACLE.json OURS.json');
  const oracle = JSON.parse(fs.readFileSync(oracleFile, 'utf8'));
  const ours = file.endsWith('.json') ? JSON.parse(fs.readFileSync(file, 'utf8')) : await answer(file, base);
  const lines = compare(oracle, ours);
  for (const line of lines) console.log(line);
  console.log(`${lines.length} differences; ${oracle.aggregates.length} classes, ${oracle.top.length} objects, ${oracle.comparison?.length ?? 'no'} compared classes`);
  if (lines.length > 0) process.exitCode = 1;
}

module.exports = { compare };

if (require.main === module) main(process.argv.slice(2));
