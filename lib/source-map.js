'use strict';

// The source map of one file: where it is looked for, what is believed of it, and what it says of places.

const path = require('node:path');
const { fileURLToPath, pathToFileURL } = require('node:url');
const v8 = require('node:v8');
// The name is looked up at each use: a loader may have put its own in its place.
const nodeModule = require('node:module');
const { FlattenMap, TraceMap, originalPositionFor, LEAST_UPPER_BOUND } = require('@jridgewell/trace-mapping');
const { segmentsAround } = require('./mappings');
const { openRegular } = require('./own-files');

/** Longer texts, of a map or of a file that has its map inside, are left alone. */
const MOST_BYTES = 16 * 2 ** 20;
/** What is read of a file's end at first: enough for a comment that names a file. */
const TAIL_BYTES = 4096;
/** Maps in sections are decoded whole: no more characters of them than this, some tens of milliseconds. */
const MOST_IN_SECTIONS = 256 * 1024;
/** What reading a text takes for a moment, in times its length: the bytes, the string, what is parsed of it. */
const READING_TAKES = 4;
/** The part of the heap's room that it may take. */
const ROOM_SHARE = 1 / 4;
const MOST_NAME_LENGTH = 4096;

/**
 * Where `places` (`{ line, column }`, from 1) of `file` are in its sources: an array of `{ file, line, column }`, or undefined where the
 * map says nothing; undefined where there is no map that can be used. Never throws, never goes to the network.
 *
 * `budget.bytes` is what may still be read, and is lowered by what was. `inside` is the `data:` URL that the code itself names as its map, where
 * that is not in the file.
 */
async function originalPlaces(file, places, budget, inside) {
  try {
    const { map, base } = named(file, inside, budget) ?? nodesOwn(file) ?? await besideOrInside(file, budget) ?? {};
    if (map === undefined) return undefined;
    if (map.sections !== undefined) return inSections(map, base, places);
    return inLines(map, base, places);
  } catch {
    // A map is a convenience: one that is broken, or cannot be read, leaves the place that V8 gave.
    return undefined;
  }
}

/** The map that Node knows, where the process runs with --enable-source-maps or a loader compiles in memory. */
function nodesOwn(file) {
  if (!path.isAbsolute(file) || typeof nodeModule.findSourceMap !== 'function') return undefined;
  const map = nodeModule.findSourceMap(file)?.payload;
  return map && { map, base: pathToFileURL(file).href };
}

function named(file, url, budget) {
  if (url === undefined || url.length > Math.min(MOST_BYTES, budget.bytes) || !path.isAbsolute(file) || !fits(url.length)) return undefined;
  budget.bytes -= url.length;
  return { map: parsed(inline(url)), base: pathToFileURL(file).href };
}

async function besideOrInside(file, budget) {
  if (!isLocal(file)) return undefined;
  const handle = await openRegular(file);
  if (!handle) return undefined;
  let url;
  try {
    url = await mappingUrl(handle, budget);
  } finally {
    await handle.close();
  }
  const base = pathToFileURL(file).href;
  if (url === undefined) {
    const map = await parsedFile(`${file}.map`, budget);
    // Not named by the file itself: only if it does not say that it is another's.
    const isOurs = map !== undefined && (typeof map.file !== 'string' || map.file === path.basename(file));
    return isOurs ? { map, base: `${base}.map` } : undefined;
  }
  if (url.startsWith('data:')) return { map: parsed(inline(url)), base };
  const resolved = localUrl(url, base);
  return resolved && { map: await parsedFile(fileURLToPath(resolved), budget), base: resolved.href };
}

/** The URL of a map, if it is a file of this machine: relative to `base`, and not one whose host is another machine. */
function localUrl(url, base) {
  const resolved = new URL(url, base);
  return resolved.protocol === 'file:' && resolved.host === '' && isLocal(fileURLToPath(resolved)) ? resolved : undefined;
}

/** Whether `file` is an absolute path that is not another machine's (`\\host\share`). */
function isLocal(file) {
  return path.isAbsolute(file) && !/^[\\/]{2}/.test(file) && !file.includes('\0');
}

/** What the last line of the file names as its map. The whole file is read only where that line is longer than its tail. */
async function mappingUrl(handle, budget) {
  const { size } = await handle.stat();
  for (const bytes of [TAIL_BYTES, MOST_BYTES]) {
    const length = Math.min(size, bytes);
    if (length > budget.bytes || !fits(length)) return undefined;
    const text = await readAt(handle, size - length, length, budget);
    const match = /(?:^|[\r\n])[ \t]*\/\/[#@] ?sourceMappingURL=([^\s'"]+)[ \t]*(?:[\r\n]+(?:[ \t]*(?:\/\/[^\r\n]*)?)?)*$/.exec(lastLines(text));
    if (match) return match[1];
    // The tail of a data: URL is one long line.
    if (length === size || /[\r\n]./.test(text) || size > MOST_BYTES) return undefined;
  }
  return undefined;
}

/** From the last mention of a map on; a regular expression over megabytes of source would take its time. */
function lastLines(text) {
  const at = text.lastIndexOf('sourceMappingURL=');
  return at < 0 ? '' : text.slice(Math.max(0, at - 8));
}

async function readAt(handle, position, length, budget) {
  const buffer = Buffer.allocUnsafe(length);
  let at = 0;
  while (at < length) {
    const { bytesRead } = await handle.read(buffer, at, length - at, position + at);
    if (bytesRead === 0) break;
    at += bytesRead;
  }
  budget.bytes -= at;
  return buffer.toString('utf8', 0, at);
}

async function parsedFile(file, budget) {
  const text = await readText(file, budget, MOST_BYTES, READING_TAKES);
  return text === undefined ? undefined : parsed(text);
}

/**
 * The text of a file of this machine; undefined where there is none, or it is longer than `most` bytes or what is left of the budget, or the
 * heap has no room for `takes` times its length.
 */
async function readText(file, budget, most, takes) {
  if (!isLocal(file)) return undefined;
  const handle = await openRegular(file);
  if (!handle) return undefined;
  try {
    const { size } = await handle.stat();
    if (size > Math.min(most, budget.bytes) || !fits(size, takes)) return undefined;
    return await readAt(handle, 0, size, budget);
  } finally {
    await handle.close();
  }
}

function inline(url) {
  const comma = url.indexOf(',');
  const head = url.slice(0, comma);
  const data = url.slice(comma + 1);
  return head.endsWith(';base64') ? Buffer.from(data, 'base64').toString() : decodeURIComponent(data);
}

/** A map may start with `)]}'`, which keeps it from being run as a script. */
function parsed(text) {
  const map = JSON.parse(text.startsWith(')]}') ? text.slice(text.indexOf('\n') + 1) : text);
  return map !== null && typeof map === 'object' && !Array.isArray(map) ? map : undefined;
}

/** A map of which only the lines are decoded that are asked for: each place has a line of its own. */
function inLines(map, base, places) {
  const mappings = segmentsAround(map.mappings, places.map(({ line, column }) => ({ line: line - 1, column: column - 1 })));
  const traced = new TraceMap({ version: 3, sources: map.sources, sourceRoot: map.sourceRoot, names: [], mappings: mappings.map(unnamed) }, base);
  return places.map(({ column }, i) => original(traced, { line: i + 1, column }));
}

/** Names are not asked for, and may be missing. */
function unnamed(segments) {
  return segments.map((segment) => segment.slice(0, 4));
}

function inSections(map, base, places) {
  const length = map.sections.reduce((sum, section) => sum + (section.map.mappings?.length ?? Infinity), 0);
  if (!(length <= MOST_IN_SECTIONS)) return undefined;
  const traced = new FlattenMap(map, base);
  return places.map((place) => original(traced, place));
}

function original(traced, { line, column }) {
  const needle = { line, column: column - 1 };
  let found = originalPositionFor(traced, needle);
  // Before the first mapping of a line there is the next one.
  if (found.source === null) found = originalPositionFor(traced, { ...needle, bias: LEAST_UPPER_BOUND });
  if (typeof found.source !== 'string' || !isWhole(found.line) || !isWhole(found.column + 1)) return undefined;
  const file = nameOf(found.source);
  return file && { file, line: found.line, column: found.column + 1 };
}

/** Whether there is room for reading so many bytes: a process that leaks is not to die of the search for the line. */
function fits(bytes, takes = READING_TAKES) {
  const { heap_size_limit: limit, used_heap_size: used } = v8.getHeapStatistics();
  return bytes * takes <= (limit - used) * ROOM_SHARE;
}

function isWhole(number) {
  return Number.isInteger(number) && number >= 1 && number < 2 ** 32;
}

/** A source as reports name files: a path where it is one of this machine's, the URL (`webpack://...`) where not. */
function nameOf(source) {
  // eslint-disable-next-line no-control-regex
  if (source === '' || source.endsWith('/') || source.length > MOST_NAME_LENGTH || /[\u0000-\u001f\u007f]/.test(source)) return undefined;
  if (!source.startsWith('file:')) return source;
  const url = new URL(source);
  return url.host === '' ? fileURLToPath(url) : undefined;
}

module.exports = { originalPlaces, readText };
