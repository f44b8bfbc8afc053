'use strict';

// Where a holder is declared. V8 keeps where functions begin, and any function of a module may be the nearest that has the variable: the
// line that a programmer looks for, `const sessions = new Map()`, is only in the text.

const { functionAt, globalVariable, property, variable, LABEL } = require('./declared');
const { Outline } = require('./outline');
const { originalPlaces, readText } = require('./source-map');
const { MOST_MS, within } = require('./within');

/** Longer texts are bundles: their sources are looked at instead. Some tens of milliseconds of the program's thread, in slices. */
const MOST_TEXT_BYTES = 512 * 1024;
/** What an outline takes for a moment, in times the text's length. */
const OUTLINE_TAKES = 32;
/** What one report may take. */
const MOST_BYTES = 64 * 2 ** 20;
const MOST_FILES = 64;
/** Files of a path in which a global variable is looked for. */
const MOST_PATH_FILES = 8;
/** Names shorter than this may be a minifier's, and are only looked for in what it wrote. */
const LEAST_SOURCE_NAME = 3;
const NAME = /^#?[\p{ID_Start}$_][\p{ID_Continue}$\u200c\u200d]*$/u;

/**
 * Gives the holder of each culprit the place where it is declared: the variable, the field, the assignment. `holder.reachedThrough` is then the
 * function or class that was its `location`. Gives `culprits`, whose places have been through `withPositions`.
 *
 * Where the text is not the one that was run, or nothing in it declares the name, nothing changes. Never rejects.
 */
async function withDeclarations(culprits) {
  const texts = new Texts();
  const found = [];
  let isOver = false;
  const all = async () => {
    for (const culprit of culprits) {
      if (isOver) return;
      const place = await declarationOf(culprit, texts).catch(() => undefined);
      if (place) found.push([culprit, place]);
    }
  };
  await within(all(), MOST_MS);
  isOver = true;
  for (const [culprit, place] of found) apply(culprit, place);
  return culprits;
}

/** The outlines of files, each made once. */
class Texts {
  budget = { bytes: MOST_BYTES };
  #outlines = new Map();

  of(file) {
    let outline = this.#outlines.get(file);
    if (!outline && this.#outlines.size < MOST_FILES) this.#outlines.set(file, (outline = this.#read(file)));
    return outline;
  }

  async #read(file) {
    try {
      const text = await readText(file, this.budget, MOST_TEXT_BYTES, OUTLINE_TAKES);
      return text === undefined ? undefined : await Outline.of(text, file);
    } catch {
      // Not to be read, or too much for a regular expression of the tokenizer's.
      return undefined;
    }
  }
}

async function declarationOf(culprit, texts) {
  const { holder } = culprit;
  if (typeof holder?.name !== 'string') return undefined;
  return holder.location ? byFunction(culprit, texts) : onPath(culprit, texts);
}

/** The declaration that the function or class at the holder's place leads to. */
async function byFunction(culprit, texts) {
  const { location } = culprit.holder;
  const { generated } = location;
  const search = async (file, place, isMapped) => {
    const outline = await texts.of(file);
    const inner = outline && functionAt(outline, place, labelAt(culprit, location), isMapped);
    const at = inner && await declared(outline, culprit, inner, isMapped);
    return at === undefined ? undefined : outline.placeOf(at);
  };
  if (generated && generated.file !== location.file) {
    // What was run has the names that V8 tells of, whatever a minifier has made of them.
    const found = await search(generated.file, generated, false);
    const [original] = found ? await originalPlaces(generated.file, [found], texts.budget) ?? [] : [];
    if (original?.file === location.file) return { ...original, generated: { file: generated.file, ...found } };
  }
  const found = await search(location.file, location, generated !== undefined);
  return found && { file: location.file, ...found };
}

/** The token that declares what holds, or the variable by which the function at the holder's place has it. */
async function declared(outline, culprit, inner, isMapped) {
  const { holder: { name, location }, retainerPath } = culprit;
  const isWanted = (edge) => NAME.test(edge) && !(isMapped && edge.length < LEAST_SOURCE_NAME);
  for (const step of retainerPath.filter(({ edge }) => edge === name && isWanted(edge))) {
    const isFunction = step.name.startsWith(LABEL);
    if (isFunction && step.location && !isSame(step.location, location)) continue;
    const bound = isFunction ? await variable(outline, name, inner) : undefined;
    // What is imported is declared elsewhere.
    if (bound === null) return undefined;
    const at = bound ?? property(outline, name, step.name, inner);
    if (at !== undefined) return at;
  }
  const way = retainerPath.find((step) => step.location && step.name.startsWith(LABEL) && isSame(step.location, location) && isWanted(step.edge));
  return way && (await variable(outline, way.edge, inner) ?? undefined);
}

/** The declaration of what no function has, a global variable for one, in the program's files that the culprit tells of. */
async function onPath({ holder: { name }, location, retainerPath }, texts) {
  const owner = retainerPath.find(({ edge }) => edge === name);
  if (!NAME.test(name) || !owner) return undefined;
  const places = [location, ...retainerPath.map((step) => step.location)].filter(Boolean);
  const own = places.filter((place) => place.package === undefined);
  const tried = new Set();
  for (const place of own.length > 0 ? own : places) {
    if (tried.has(place.file)) continue;
    if (tried.size === MOST_PATH_FILES) return undefined;
    tried.add(place.file);
    const outline = await texts.of(place.file);
    // The text has to be the one that was run.
    const inner = outline && functionAt(outline, place, undefined, place.generated !== undefined);
    if (!inner) continue;
    const at = owner.name === 'global' ? globalVariable(outline, name) : property(outline, name, owner.name);
    if (at !== undefined) return { file: place.file, ...outline.placeOf(at), ...(place.package && { package: place.package }) };
  }
  return undefined;
}

/** What the function or class at a place is called. */
function labelAt({ retainerPath }, place) {
  return retainerPath.find((step) => step.location && isSame(step.location, place))?.name;
}

function isSame(one, other) {
  return one.file === other.file && one.line === other.line && one.column === other.column;
}

function apply(culprit, place) {
  const { holder, location } = culprit;
  const before = holder.location;
  if (before) {
    if (before.package !== undefined) place.package ??= before.package;
    holder.reachedThrough = before;
  }
  holder.location = place;
  const isUnwritten = location === null || (before && isSame(location, before) && !isOfItself(culprit));
  if (isUnwritten && holder.event === undefined) culprit.location = { ...place };
}

/** Whether the thing is held by one of its kind, a link of a list for one: its place is its own. */
function isOfItself({ constructorName, holder, retainerPath: [first] }) {
  return first?.edge === holder.name && first.name === constructorName;
}

module.exports = { withDeclarations };
