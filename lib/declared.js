'use strict';

// Where, in the outline of one file, a name is declared that a function or an object of that file has.

const { isWord, pause } = require('./outline');

const DECLARES = new Set(['const', 'let', 'var', 'using']);
const FIELD_MODIFIERS = new Set(['static', 'readonly', 'private', 'public', 'protected', 'declare', 'override', 'accessor', 'abstract']);
const ASSIGNS = new Set(['=', '??=', '||=', '&&=', '+=']);
const GLOBALS = new Set(['global', 'globalThis', 'self', 'window']);
const LABEL = '(closure) ';
/** Mentions of a name that are looked at before the program may go on. */
const MENTIONS_A_PAUSE = 2048;
/** How far from a name the statement that declares it may begin. */
const MOST_BACK = 2000;

/**
 * The function or class of `outline` that V8 says begins at `place`, or, where that came from a source map (`isMapped`), whose head has it:
 * `{ from, to, ... }` by token. Undefined where there is none, or one of another name than `label` says: another text than was run.
 */
function functionAt(outline, place, label, isMapped) {
  const at = outline.tokenAt(place);
  const all = [...outline.functions, ...outline.classes];
  if (isMapped) {
    const around = all.filter(({ from, body }) => at >= from && at <= body);
    const beside = () => all.filter(({ from }) => at >= 0 && outline.lineOf(from) === place.line);
    return nearest(around.length > 0 ? around : beside(), at, ({ from }) => from);
  }
  if (outline.startsAt(at, place)) {
    const found = all.find(({ params, from }) => at === (params ? params[0] : from) || (params && at === from && params[0] === from + 1));
    if (found) return isCalled(outline, found, label) ? found : undefined;
  }
  // A module's own function.
  return place.line === 1 && place.column === 1 ? { from: -1, to: outline.texts.length, body: -1, isFile: true } : undefined;
}

/** Whether a function has the name that V8 gives it; one without a name of its own has it from elsewhere. */
function isCalled({ texts }, { from, name, params }, label) {
  const isDeclared = texts[from] === 'function' || (texts[from] === 'async' && texts[from + 1] === 'function');
  if (!params || !isDeclared || name === undefined || !label?.startsWith(LABEL)) return true;
  return label === LABEL + name;
}

/**
 * The token at which the variable `name` is declared that a closure `inner` has: in the scope nearest around it, or in itself where it is what is
 * kept of a call. Null for an import, undefined where there is none.
 */
async function variable(outline, name, inner) {
  const found = [];
  for (const [i, at] of mentions(outline, name).entries()) {
    const bound = binding(outline, at);
    if (bound) found.push(bound);
    if ((i + 1) % MENTIONS_A_PAUSE === 0) await pause();
  }
  const around = found.filter(({ from, to }) => from <= inner.from && inner.to <= to && !(from === inner.from && to === inner.to));
  const ownerOfOne = ({ at, owner }) => owner ?? (at >= inner.body && at <= inner.to ? ownerOf(outline, at) : undefined);
  const isOwn = (one) => ownerOfOne(one) === inner || (inner.isFile && one.from === -1);
  const narrowest = (list) => {
    const width = list.reduce((least, { from, to }) => Math.min(least, to - from), Infinity);
    return nearest(list.filter(({ from, to }) => to - from === width), inner.from, ({ at }) => at);
  };
  // What is kept of a call that goes on has the function's own variables.
  const chosen = narrowest(around) ?? narrowest(found.filter(isOwn));
  if (chosen === undefined) return undefined;
  return chosen.isImport ? null : chosen.at;
}

/** What the mention of a name at `at` binds, if anything: `{ at, from, to }`, its scope by token, and `owner`, a function. */
function binding(outline, at) {
  const { texts, parent } = outline;
  if (outline.isMember(at) || !mayBind(texts, at)) return undefined;
  if (texts[at + 1] === '=>') return parameterOf(outline, at, at);
  // Out of the patterns around it.
  let start = at;
  let keyword = keywordBefore(outline, start);
  while (keyword === undefined && parent[start] >= 0 && isPattern(outline, parent[start], start)) {
    start = parent[start];
    keyword = keywordBefore(outline, start);
  }
  if (keyword === undefined && texts[parent[start]] === '(') {
    const found = isParameter(texts, start) && parameterOf(outline, at, parent[start]);
    if (found) return found;
  }
  if (keyword === undefined) return undefined;
  if (texts[keyword] === 'import') return { at, from: -1, to: texts.length, isImport: true };
  return { at, ...scopeOf(outline, keyword) };
}

function isParameter(texts, at) {
  return /^(?:[(,]|\.{3}|private|public|protected|readonly|override|\))$/.test(texts[at - 1]);
}

/** What stands on both sides of a name that is bound. */
function mayBind(texts, at) {
  const after = texts[at + 1];
  const before = texts[at - 1];
  const isEnd = after === undefined || /^(?:[=,;:?!)\]}]|of|in|=>|from|as)$/.test(after);
  const isBegin = before !== undefined && (/^(?:[{[(,:*]|\.{3})$/.test(before) || isWord(before));
  // `let found` at the end of a line.
  return isBegin ? isEnd || DECLARES.has(before) : after === '=>';
}

/** Whether `opener` begins a pattern that binds what is at `at`: not a key of it. */
function isPattern(outline, opener, at) {
  const { texts, partner } = outline;
  if (texts[opener] !== '{' && texts[opener] !== '[') return false;
  if (texts[opener] === '{' && texts[at + 1] === ':' && texts[at] !== '{' && texts[at] !== '[') return false;
  if (outline.kinds.get(opener) === 'function' || outline.kinds.get(opener) === 'class') return false;
  return /^(?:[=,:)\]}]|of|in|from)$/.test(texts[partner[opener] + 1] ?? '');
}

/** What the mention at `at` binds as one of the parameters that begin at `first`. */
function parameterOf(outline, at, first) {
  const owner = outline.byParameters.get(first);
  return owner && { at, from: owner.from, to: owner.to, owner };
}

/** The `const`, `let`, `var` or `import` whose list of names has what begins at `start`. */
function keywordBefore(outline, start) {
  const { texts, partner, parent, kinds } = outline;
  const isKeyword = (at) => (DECLARES.has(texts[at]) || texts[at] === 'import') && !outline.isMember(at) && texts[at + 1] !== '(';
  let at = start - 1;
  if (isKeyword(at)) return at;
  if (texts[at] === 'type' || texts[at] === 'as' || texts[at] === '*') {
    for (let steps = 0; steps < 4; steps++, at--) if (texts[at] === 'import') return at;
    return undefined;
  }
  const opener = parent[start];
  // Of lists, calls and objects there is no need to look through them all.
  const isList = opener >= 0 && (texts[opener] === '{' ? kinds.get(opener) === 'object' : !DECLARES.has(texts[opener + 1]));
  if (texts[at] !== ',' || isList) return undefined;
  for (let steps = 0; at > opener && steps < MOST_BACK; steps++) {
    if (isKeyword(at)) return at;
    if (texts[at] === ';') return undefined;
    at = partner[at] >= 0 ? partner[at] - 1 : at - 1;
  }
  return undefined;
}

/** The scope of what the statement at `keyword` declares, by token. */
function scopeOf(outline, keyword) {
  const { texts, partner, parent, kinds } = outline;
  let opener = parent[keyword];
  if (texts[keyword] === 'var') {
    while (opener >= 0 && kinds.get(opener) !== 'function') opener = parent[opener];
  } else if (texts[opener] === '(') {
    const close = partner[opener];
    return { from: opener, to: texts[close + 1] === '{' ? partner[close + 1] : outline.endOfExpression(close + 1) };
  }
  return opener < 0 ? { from: -1, to: texts.length } : { from: opener, to: partner[opener] };
}

/** The function whose body, outside of all functions in it, has the token. */
function ownerOf({ functions }, at) {
  const around = functions.filter(({ body, to }) => body <= at && at <= to);
  return around.reduce((inner, one) => (!inner || one.body > inner.body ? one : inner), undefined);
}

/**
 * The token at which the property `name` is made of an object of class `owner`: by a field of the class, by an assignment to `this` in it, by an
 * assignment to another object or by a literal.
 */
function property(outline, name, owner, inner) {
  const uses = mentions(outline, name);
  const near = inner ? inner.from : Infinity;
  const classes = familyOf(outline, owner, inner);
  for (const { body, to } of classes) {
    const fields = uses.filter((at) => outline.parent[at] === body && isField(outline, at));
    const within = fields.length > 0 ? fields : uses.filter((at) => at > body && at < to && isAssigned(outline, at, 'this'));
    if (within.length > 0) return within[0];
    const given = uses.find((at) => at > body && at < to && isGiven(outline, at));
    if (given !== undefined) return given;
  }
  const makers = owner ? outline.functions.filter((one) => one.name === owner.replace(LABEL, '')) : [];
  for (const { body, to } of makers) {
    const found = uses.find((at) => at > body && at < to && isAssigned(outline, at, 'this'));
    if (found !== undefined) return found;
  }
  const isPlain = owner === undefined || owner === 'Object';
  const assigned = uses.filter((at) => isAssigned(outline, at) && (receiver(outline, at) !== 'this' || isPlain));
  const written = isPlain ? uses.filter((at) => isKey(outline, at)) : [];
  for (const list of [assigned.filter((at) => isMade(outline, at)), written, assigned]) {
    const found = nearest(list, near, (at) => at);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** The classes of a name, or the one that is at the place, with those of this file that they extend. */
function familyOf({ classes }, owner, inner) {
  const called = owner?.replace(LABEL, '');
  const first = classes.filter(({ name }) => name !== undefined && name === called);
  const family = first.length > 0 ? first : classes.filter((one) => one === inner || (owner === undefined && inner?.name === 'constructor' && one.body < inner.from && inner.to < one.to));
  for (const one of family) {
    family.push(...classes.filter((other) => other.name !== undefined && other.name === one.base && !family.includes(other)));
  }
  return family;
}

/** Whether a class's body has a field at `at`: not a method, nor part of what another field is. */
function isField(outline, at) {
  const { texts } = outline;
  const before = texts[at - 1];
  const after = texts[at + 1];
  if (/^(?:\(|<|\.|\?\.)$/.test(after ?? '')) return false;
  const isFirst = /^[{};)]$/.test(before) || FIELD_MODIFIERS.has(before) || outline.lineOf(at - 1) < outline.lineOf(at);
  const isLast = /^[=;:!?}]$/.test(after ?? '') || outline.lineOf(at + 1) > outline.lineOf(at);
  return isFirst && isLast && !/^(?:[=:?,+\-*/%&|^<>.!~]|=>|\?\.|&&|\|\||\?\?|extends|new|await)$/.test(before);
}

/** Whether a constructor's parameter makes a field, as TypeScript has it. */
function isGiven(outline, at) {
  const owner = outline.byParameters.get(outline.parent[at]);
  return owner?.name === 'constructor' && FIELD_MODIFIERS.has(outline.texts[at - 1]);
}

/** Whether a value is assigned to the property at `at`, of `wanted` if that is given. */
function isAssigned(outline, at, wanted) {
  if (!outline.isMember(at) || !ASSIGNS.has(outline.texts[at + 1])) return false;
  return wanted === undefined || receiver(outline, at) === wanted;
}

function receiver({ texts }, at) {
  return texts[at - 2];
}

/** Whether what is assigned is made there. */
function isMade({ texts }, at) {
  return texts[at + 1] !== '+=' && /^(?:new|[[{0]|``|["'].*)$/s.test(texts[at + 2] ?? '');
}

function isKey(outline, at) {
  const { texts, parent, kinds } = outline;
  return texts[at + 1] === ':' && /^[{,]$/.test(texts[at - 1]) && kinds.get(parent[at]) === 'object';
}

/** The token at which the global `name` is made. */
function globalVariable(outline, name) {
  const uses = mentions(outline, name);
  const assigned = uses.filter((at) => isAssigned(outline, at) && GLOBALS.has(receiver(outline, at)));
  const found = assigned.find((at) => isMade(outline, at)) ?? assigned[0];
  if (found !== undefined || uses.some((at) => binding(outline, at))) return found;
  // Sloppy code makes one of any name that nobody has declared.
  return uses.find((at) => !outline.isMember(at) && outline.texts[at + 1] === '=' && /^[;{})]$/.test(outline.texts[at - 1] ?? ';'));
}

function mentions({ texts }, name) {
  const found = [];
  for (let at = texts.indexOf(name); at >= 0; at = texts.indexOf(name, at + 1)) found.push(at);
  return found;
}

/** The last of `list` at or before `near`, else the first. */
function nearest(list, near, tokenOf) {
  return list.filter((one) => tokenOf(one) <= near).at(-1) ?? list[0];
}

module.exports = { functionAt, variable, property, globalVariable, LABEL };
