'use strict';

// The outline of a program's text: its words, brackets, functions and classes. From tokens, not from a grammar: a line number has to be told
// of JavaScript, TypeScript and whatever comes next alike, and what is not understood costs a place, not a report.

const { performance } = require('node:perf_hooks');
// As they are before a test fakes them: a report waits for these.
const { setImmediate } = require('node:timers');
const jsTokens = require('js-tokens');

/** How long the program's thread is kept at a time. */
const SLICE_MS = 8;
const TOKENS_A_LOOK = 512;
const TOKENS_A_PAUSE = 16_384;
/** How often a text is read again because a `/` in it was misunderstood. */
const MOST_DIVISIONS = 8;
/** How far back the types of a result, or the modifiers of a method, may reach. */
const MOST_TYPE_TOKENS = 200;

const OPENERS = new Map([['{', '}'], ['(', ')'], ['[', ']'], ['`${', '}`']]);
const CLOSERS = new Set(OPENERS.values());
const CONTROL = new Set(['if', 'for', 'while', 'switch', 'with', 'catch']);
const MODIFIERS = new Set(['function', '*', 'async', 'get', 'set', 'static', 'public', 'private', 'protected', 'override', 'accessor']);
const WORD = /^#?[a-zA-Z$_\p{ID_Start}\\]/u;

const LITERALS = new Map([
  ['StringLiteral', undefined], ['NumericLiteral', '0'], ['RegularExpressionLiteral', '/./'], ['NoSubstitutionTemplate', '``'],
  ['TemplateHead', '`${'], ['TemplateTail', '}`'],
]);

/**
 * The tokens of `text` that count: `{ texts, starts, lines }`, with `lines` the offsets at which lines start; of literals only their kind is
 * kept, but strings whole. Undefined where a literal has no end: that is not what Node has run.
 */
async function tokensOf(text, jsx) {
  let mended = text;
  for (let tries = 0; tries < MOST_DIVISIONS; tries++) {
    const { tokens, openAt, isDivision } = await tokenised(mended, jsx);
    if (openAt === undefined) return { ...tokens, lines: lineStarts(text) };
    if (!isDivision) return undefined;
    mended = `${mended.slice(0, openAt)}%${mended.slice(openAt + 1)}`;
  }
  return undefined;
}

/** The tokens of `text`, or where the literal begins that has no end; a regular expression without one is a division after TypeScript's `x!`. */
async function tokenised(text, jsx) {
  const texts = [];
  const starts = [];
  const tokens = jsTokens(text, { jsx });
  let offset = 0;
  let seen = 0;
  let since = performance.now();
  for (const { type, value, closed } of tokens) {
    if (closed === false) return { openAt: offset, isDivision: type === 'RegularExpressionLiteral' };
    const kept = keptOf(type, value);
    if (kept !== undefined) {
      texts.push(kept);
      starts.push(offset);
    }
    offset += value.length;
    if (++seen % TOKENS_A_LOOK === 0 && performance.now() - since > SLICE_MS) {
      await pause();
      since = performance.now();
    }
  }
  return { tokens: { texts, starts } };
}

/** Lets the program go on with its own work. */
function pause() {
  return new Promise((resolve) => { setImmediate(resolve); });
}

function keptOf(type, value) {
  if (type === 'IdentifierName' || type === 'PrivateIdentifier' || type === 'Punctuator') return value;
  // In JSX only the brackets around JavaScript count.
  if (type === 'JSXPunctuator') return value === '{' || value === '}' ? value : undefined;
  return LITERALS.has(type) ? LITERALS.get(type) ?? value : undefined;
}

/** Lines as V8 counts them. */
function lineStarts(text) {
  const starts = [0];
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    if (code === 10 || code === 0x2028 || code === 0x2029 || (code === 13 && text.charCodeAt(at + 1) !== 10)) starts.push(at + 1);
  }
  return starts;
}

class Outline {
  texts;
  #starts;
  #lines;
  /** By token: the other bracket of its pair, and the innermost bracket around it (-1: none). */
  partner;
  parent;
  /** By `{`: `function`, `class`, `object` or `block`. */
  kinds = new Map();
  /** `{ from, params: [open, close], to, name, body }`, as indexes of tokens. */
  functions = [];
  /** The same by the token at which their parameters begin. */
  byParameters = new Map();
  /** `{ from, body, to, name, base }`. */
  classes = [];
  #isTyped;

  /** The outline of `text`; undefined where its brackets do not match. `file` tells the dialect. */
  static async of(text, file) {
    const tokens = await tokensOf(text.startsWith('\ufeff') ? text.slice(1) : text, /\.[jt]sx$/i.test(file));
    const outline = tokens && new Outline(tokens, /\.[mc]?tsx?$/i.test(file));
    if (!outline?.#pair()) return undefined;
    await pause();
    const bodies = outline.#findClasses();
    const { texts } = outline;
    for (let at = 0; at < texts.length; at++) {
      if (texts[at] === '=>') outline.#addArrow(at);
      else if (texts[at] === '{') outline.kinds.set(at, bodies.has(at) ? 'class' : outline.#kindOf(at));
      if ((at + 1) % TOKENS_A_PAUSE === 0) await pause();
    }
    return outline;
  }

  constructor({ texts, starts, lines }, isTyped) {
    this.texts = texts;
    this.#starts = starts;
    this.#lines = lines;
    this.#isTyped = isTyped;
  }

  #pair() {
    const { texts } = this;
    const partner = new Int32Array(texts.length).fill(-1);
    const parent = new Int32Array(texts.length);
    const open = [];
    for (let at = 0; at < texts.length; at++) {
      if (CLOSERS.has(texts[at])) {
        const opener = open.pop();
        if (opener === undefined || OPENERS.get(texts[opener]) !== texts[at]) return false;
        partner[opener] = at;
        partner[at] = opener;
      }
      parent[at] = open.length > 0 ? open[open.length - 1] : -1;
      if (OPENERS.has(texts[at])) open.push(at);
    }
    if (open.length > 0) return false;
    this.partner = partner;
    this.parent = parent;
    return true;
  }

  /** The bodies of all classes, each with its `class`. */
  #findClasses() {
    const { texts, partner } = this;
    const bodies = new Set();
    for (let from = 0; from < texts.length; from++) {
      if (texts[from] !== 'class' || this.isMember(from) || !(isWord(texts[from + 1]) || texts[from + 1] === '{')) continue;
      let base;
      // Inside of type parameters.
      let depth = 0;
      for (let at = from + 1; at < texts.length && !CLOSERS.has(texts[at]) && texts[at] !== ';'; at++) {
        if (texts[at] === '<') depth += 1;
        else if (/^>+$/.test(texts[at])) depth -= texts[at].length;
        else if (texts[at] === 'extends' && depth === 0) base ??= texts[at + 1];
        if (!OPENERS.has(texts[at])) continue;
        if (texts[at] === '{' && depth <= 0) {
          const isNamed = isWord(texts[from + 1]) && texts[from + 1] !== 'extends' && texts[from + 1] !== 'implements';
          this.classes.push({ from, body: at, to: partner[at], name: isNamed ? texts[from + 1] : undefined, base });
          bodies.add(at);
          break;
        }
        at = partner[at];
      }
    }
    return bodies;
  }

  /** Whether the word at `at` is a property: `.class`. */
  isMember(at) {
    return this.texts[at - 1] === '.' || this.texts[at - 1] === '?.';
  }

  #add(found) {
    this.functions.push(found);
    this.byParameters.set(found.params[0], found);
  }

  #addArrow(at) {
    const { texts, partner } = this;
    const close = texts[at - 1] === ')' ? at - 1 : this.#beforeType(at);
    const isSingle = close === undefined && isWord(texts[at - 1]);
    if (close === undefined && !isSingle) return;
    const params = isSingle ? [at - 1, at - 1] : [partner[close], close];
    const isAsync = texts[params[0] - 1] === 'async' && !this.isMember(params[0] - 1);
    const isBlock = texts[at + 1] === '{';
    this.#add({
      from: isAsync ? params[0] - 1 : params[0], params, name: undefined, body: at + 1,
      to: isBlock ? partner[at + 1] : this.endOfExpression(at + 1),
    });
  }

  /** The last token of the expression at `from`, as far as brackets and commas tell. */
  endOfExpression(from) {
    const { texts, partner } = this;
    let at = from;
    while (at < texts.length && !CLOSERS.has(texts[at]) && texts[at] !== ',' && texts[at] !== ';') {
      at = OPENERS.has(texts[at]) ? partner[at] + 1 : at + 1;
    }
    return at - 1;
  }

  /** The `)` of the parameters before a type of a result that ends before `at`; undefined where there is none. */
  #beforeType(at) {
    const { texts, partner } = this;
    if (!this.#isTyped) return undefined;
    let back = at - 1;
    for (let steps = 0; back > 0 && steps < MOST_TYPE_TOKENS; steps++) {
      if (texts[back] === ':') return texts[back - 1] === ')' && back < at - 1 ? back - 1 : undefined;
      if (CLOSERS.has(texts[back])) back = partner[back] - 1;
      else if (isWord(texts[back]) || /^(?:[<>.|&,?]|>>|>>>|=>|["'].*|0|``)$/s.test(texts[back])) back -= 1;
      else return undefined;
    }
    return undefined;
  }

  #kindOf(at) {
    const { texts, partner } = this;
    const before = texts[at - 1];
    if (before === '=>') return 'function';
    const close = before === ')' ? at - 1 : this.#beforeType(at);
    const given = close === undefined ? undefined : this.#headBefore(partner[close]);
    if (given) {
      this.#add({ ...given, params: [partner[close], close], body: at, to: partner[at] });
      return 'function';
    }
    return this.#isValue(at) ? 'object' : 'block';
  }

  /** Where the head of the function begins whose parameters do at `open`, and its name; undefined of what is no function. */
  #headBefore(open) {
    const { texts, partner, parent } = this;
    let at = open - 1;
    if (this.#isTyped && /^>+$/.test(texts[at])) at = this.#beforeGenerics(at);
    if (at < 0) return undefined;
    const isNamed = isWord(texts[at]) || /^["']|^0$/.test(texts[at]);
    if (!isNamed && texts[at] !== ']' && texts[at] !== '*') return undefined;
    const isInBody = ['class', 'object'].includes(this.kinds.get(parent[open]));
    const isControl = CONTROL.has(texts[at]) || (texts[at] === 'await' && texts[at - 1] === 'for');
    if (isControl && !isInBody) return undefined;
    const name = texts[at] === 'function' || !isWord(texts[at]) ? undefined : texts[at];
    let from = texts[at] === ']' ? partner[at] : at;
    while (MODIFIERS.has(texts[from - 1])) from -= 1;
    const isDeclared = texts.slice(from, at + 1).includes('function');
    return isInBody || isDeclared ? { from, name } : undefined;
  }

  #beforeGenerics(close) {
    let depth = 0;
    for (let at = close; at >= 0 && close - at < MOST_TYPE_TOKENS; at--) {
      if (/^>+$/.test(this.texts[at])) depth += this.texts[at].length;
      else if (this.texts[at] === '<' && --depth === 0) return at - 1;
      else if (this.texts[at] === ';') return -1;
    }
    return -1;
  }

  /** Whether the `{` at `at` begins an object, as far as can be told without a grammar. */
  #isValue(at) {
    const { texts, parent } = this;
    const before = texts[at - 1];
    if (before === ':') return parent[at] >= 0 && this.kinds.get(parent[at]) !== 'block' && this.kinds.get(parent[at]) !== 'function';
    if (before === '=') {
      const isType = this.#isTyped && (texts[at - 3] === 'type' || texts[at - 2] === '>');
      return !isType;
    }
    return before !== undefined && /^(?:[([,?]|&&|\|\||\?\?|\.{3}|\?\?=|\|\|=|&&=|return|default|await|yield)$/.test(before);
  }

  /** The token at a place of lines and columns from 1: the one that starts there or before; -1 where the text has no such place. */
  tokenAt({ line, column }) {
    if (line > this.#lines.length) return -1;
    const offset = this.#lines[line - 1] + column - 1;
    if (line < this.#lines.length && offset >= this.#lines[line]) return -1;
    return lastAtOrBefore(this.#starts, offset);
  }

  startsAt(at, { line, column }) {
    return at >= 0 && this.#starts[at] === this.#lines[line - 1] + column - 1;
  }

  placeOf(at) {
    const offset = this.#starts[at];
    const line = lastAtOrBefore(this.#lines, offset);
    return { line: line + 1, column: offset - this.#lines[line] + 1 };
  }

  lineOf(at) {
    return lastAtOrBefore(this.#lines, this.#starts[at]) + 1;
  }
}

function lastAtOrBefore(sorted, value) {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (sorted[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function isWord(text) {
  return text !== undefined && WORD.test(text);
}

module.exports = { Outline, isWord, pause };
