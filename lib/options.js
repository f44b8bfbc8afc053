'use strict';

// Options from a caller and from HEAPWARDEN_* in the environment: one voice for what is wrong with them.

const path = require('node:path');
const { Readable } = require('node:stream');
const { fileURLToPath } = require('node:url');
const { isMainThread } = require('node:worker_threads');
const { channelOptions, environmentChannels } = require('./channels/options');
const { HeapwardenError, invalidArg } = require('./errors');
const { processWarnings, warn } = require('./logger');
const { misspelled } = require('./misspelled');

/** See `docs/snapshots.md`, "Files". */
const MOST_FILES = 10;
const MOST_BYTES = 10 * 2 ** 30;

/**
 * Bytes allocated between two samples, on average, and how long sampling goes on. The interval is not a round number because V8 tells
 * only the bytes that a sample stands for, and with this one they tell most about the size of the object.
 */
const SAMPLING_INTERVAL_BYTES = 201_608;
const SAMPLING_MS = 600_000;

/** Recordings in a folder: see `docs/black-box.md`. */
const MOST_RECORDINGS = 10;

/** How long a process that dies waits for a report that is being written. */
const CRASH_WAIT_MS = 20_000;

const DAY_MS = 86_400_000;
const EVIDENCE = ['auto', 'summary', 'snapshot', 'none'];

/** The options of a MemoryMonitor, checked; ranges of numbers are the native half's to check. */
function monitorOptions(options = {}) {
  plainObject('options', options);
  const checked = {
    intervalMs: number('intervalMs', options.intervalMs),
    alertThresholdMB: number('alertThresholdMB', options.alertThresholdMB),
    maxSamples: number('maxSamples', options.maxSamples),
    historyBytes: number('historyBytes', options.historyBytes),
    evidence: oneOf('evidence', options.evidence ?? 'auto', EVIDENCE),
    directory: directory(options.directory),
    ...budget(options),
    allocationSites: allocationSites(options.allocationSites, options.evidence === 'snapshot'),
    listeners: boolean('listeners', options.listeners ?? true),
    blackBox: blackBox(options),
    containerWatch: boolean('containerWatch', options.containerWatch ?? true),
    postmortem: boolean('postmortem', options.postmortem ?? (isMainThread && blackBox(options) !== undefined)),
    heapLimit: heapLimit(options.heapLimit),
    routes: boolean('routes', options.routes ?? true),
    logger: logger(options.logger ?? processWarnings),
    channels: channelOptions(options.channels, { whole, oneOf, filePath, logger, redactionLevel }),
    flushMs: whole('flushMs', options.flushMs ?? 2000, 0, 60_000),
    service: serviceName(options.service),
  };
  const [wrong] = misspelled(Object.keys(options), Object.keys(checked));
  if (wrong) throw new HeapwardenError('HEAPWARDEN_ERR_INVALID_ARG', `options: expected ${wrong.meant}, found ${wrong.name}, which is no option`);
  return checked;
}

/** How the process's life is recorded; nothing where it is not. By default it is where a place for files was named, and can be. */
function blackBox({ blackBox: value, directory: place }) {
  const wanted = value === undefined ? place !== undefined && process.platform === 'linux' : value;
  if (wanted === false) return undefined;
  if (wanted !== true && (wanted === null || typeof wanted !== 'object' || Array.isArray(wanted))) {
    throw invalidArg('blackBox', 'true, false or an object', wanted);
  }
  const { bytes, files = MOST_RECORDINGS } = wanted === true ? {} : wanted;
  if (bytes !== undefined) whole('blackBox.bytes', bytes, 2 ** 18, 2 ** 26);
  return { bytes, files: whole('blackBox.files', files, 1, 100_000) };
}

/** What is done at the heap's limit; nothing where nothing is. See docs/heap-limit.md. */
function heapLimit(value = true) {
  if (value === false) return undefined;
  if (value !== true && (value === null || typeof value !== 'object' || Array.isArray(value))) {
    throw invalidArg('heapLimit', 'true, false or an object', value);
  }
  const { slackMB, snapshot = false, captures = 1, waitMs = CRASH_WAIT_MS } = value;
  if (slackMB !== undefined && !(typeof slackMB === 'number' && slackMB >= 1 && slackMB <= 65_536)) {
    throw invalidArg('heapLimit.slackMB', 'a number from 1 to 65536', slackMB);
  }
  return {
    slackMB,
    snapshot: boolean('heapLimit.snapshot', snapshot),
    captures: whole('heapLimit.captures', captures, 1, 100),
    waitMs: whole('heapLimit.waitMs', waitMs, 0, 600_000),
  };
}

/** How a suspicion's allocations are sampled; nothing where they are not. */
function allocationSites(value = false, writesFiles) {
  if (value === false) return undefined;
  if (value === true) return { ...allocationOptions(), files: writesFiles };
  if (value === null || typeof value !== 'object' || Array.isArray(value)) {
    throw invalidArg('allocationSites', 'true, false or an object', value);
  }
  const { files = writesFiles, ...rest } = value;
  if (typeof files !== 'boolean') throw invalidArg('allocationSites.files', 'true or false', files);
  return { ...allocationOptions(rest, 'allocationSites.'), files };
}

/** The options of an allocation profile, checked. */
function allocationOptions(options = {}, prefix = '') {
  plainObject('options', options);
  const { samplingIntervalBytes = SAMPLING_INTERVAL_BYTES, maxMs = SAMPLING_MS } = options;
  return {
    samplingIntervalBytes: whole(`${prefix}samplingIntervalBytes`, samplingIntervalBytes, 1024, 2 ** 30),
    maxMs: whole(`${prefix}maxMs`, maxMs, 10, 3_600_000),
  };
}

const LEAK_CHECK = ['iterations', 'rounds', 'warmup', 'settleMs', 'setup', 'teardown'];
const LEAK_BUDGET = ['bytesPerIteration', 'objectsPerIteration', ...LEAK_CHECK];

/** How a function is tested for leaks, checked. */
function leakCheckOptions(options = {}) {
  onlyKnown('options', options, LEAK_CHECK);
  const { iterations = 1000, rounds = 4, settleMs = 100 } = options;
  whole('rounds', rounds, 4, 100);
  whole('iterations', iterations, rounds, 1e7);
  return {
    iterations, rounds,
    warmup: whole('warmup', options.warmup ?? Math.max(10, Math.ceil(iterations / 10)), 0, 1e7),
    settleMs: whole('settleMs', settleMs, 0, 60_000),
    setup: callback('setup', options.setup),
    teardown: callback('teardown', options.teardown),
  };
}

/** What a leak may come to in each call, and how it is tested, checked. */
function leakBudgetOptions(options) {
  onlyKnown('options', options, LEAK_BUDGET);
  const { bytesPerIteration, objectsPerIteration, ...check } = options;
  const limits = { bytesPerIteration, objectsPerIteration };
  for (const [name, value] of Object.entries(limits)) {
    if (value !== undefined && !(typeof value === 'number' && value > 0)) throw invalidArg(name, 'a number above 0', value);
  }
  if (bytesPerIteration === undefined && objectsPerIteration === undefined) {
    throw invalidArg('options', 'bytesPerIteration, objectsPerIteration or both', options);
  }
  return { limits, check };
}

/** How what files of tests leave behind is reported, checked. */
function perFileOptions(options = {}) {
  onlyKnown('perFile', options, ['report', 'heapMB']);
  const { report = 'error', heapMB = 50 } = options;
  return { report: oneOf('perFile.report', report, ['error', 'warn']), heapMB: whole('perFile.heapMB', heapMB, 1, 1e6) };
}

/** In a test a misspelt option would pass for a stricter test than it is. */
function onlyKnown(name, options, names) {
  plainObject(name, options);
  const stranger = Object.keys(options).find((key) => !names.includes(key));
  if (stranger !== undefined) throw invalidArg(name, names.join(', '), stranger);
}

function callback(name, value) {
  if (value !== undefined && typeof value !== 'function') throw invalidArg(name, 'a function', value);
  return value;
}

/** A path, checked. */
function filePath(name, value) {
  if (typeof value !== 'string' || value === '' || value.includes('\0')) throw invalidArg(name, 'a path', value);
  return value;
}

/** The options of a ListenerAuditor, checked. */
function auditorOptions(options = {}) {
  plainObject('options', options);
  const { intervalMs = 30_000, resources = true, locate = 'auto' } = options;
  if (typeof intervalMs !== 'number' || !(intervalMs >= 10 && intervalMs <= DAY_MS)) {
    throw invalidArg('intervalMs', `a number from 10 to ${DAY_MS}`, intervalMs);
  }
  return { intervalMs, resources: boolean('resources', resources), locate: oneOf('locate', locate, ['auto', 'none']) };
}

/** What the snapshots in a directory may come to, checked. */
function budget({ maxFiles = MOST_FILES, maxBytes = MOST_BYTES }) {
  return {
    maxFiles: whole('maxFiles', maxFiles, 1, Number.MAX_SAFE_INTEGER),
    maxBytes: whole('maxBytes', maxBytes, 1, Number.MAX_SAFE_INTEGER),
  };
}

/** The file that a series is to be exported to, if there is to be one. */
function exportOptions(options = {}) {
  plainObject('options', options);
  const file = options.path;
  if (file === undefined) return undefined;
  return path.resolve(filePath('path', file));
}

/** The options of a snapshot, checked. */
function snapshotOptions(options = {}) {
  plainObject('options', options);
  const { compress = false, mode = 'auto', summary = true } = options;
  const sourceMaps = whetherSourceMaps(options);
  if (options.path !== undefined && (typeof options.path !== 'string' || options.path === '')) {
    throw invalidArg('path', 'a path', options.path);
  }
  boolean('summary', summary);
  oneOf('mode', mode, ['auto', 'inline', 'clone']);
  oneOf('compress', compress, [false, 'gzip', 'zstd']);
  const redact = redactionLevel('redact', options.redact ?? 'full');
  return {
    path: options.path, directory: directory(options.directory), compress, summary, mode, sourceMaps,
    signal: abortSignal(options.signal), budget: budget(options), redact,
  };
}

/** How much of the heap may be told, checked. */
function redactionLevel(name, value) {
  return oneOf(name, value, ['full', 'names', 'shape']);
}

/** The options of the HTTP endpoints, checked; see `docs/endpoints.md`. */
function endpointOptions(options = {}, env = process.env) {
  plainObject('options', options);
  const { guard, monitor, metrics, allowFull = false, capturesPerMinute = 10, downloadMs = 300_000, stallMs = 20_000, prefix = '' } = options;
  for (const [name, value] of Object.entries({ guard, metrics })) {
    if (value !== undefined && typeof value !== 'function') throw invalidArg(name, 'a function', value);
  }
  if (monitor !== undefined && typeof monitor?.verdict !== 'function') throw invalidArg('monitor', 'a MemoryMonitor', monitor);
  // A guard that was given is meant to decide alone; a token beside it must have been given as well.
  const token = options.token ?? (guard ? undefined : fromEnvironment(env, 'HEAPWARDEN_TOKEN', String));
  if (token === undefined && guard === undefined) {
    throw new HeapwardenError('HEAPWARDEN_ERR_NO_AUTH',
      'the endpoints are not mounted, because anybody could read them: give { token } (node -p "crypto.randomBytes(32).toString(\'hex\')"), ' +
      'or set HEAPWARDEN_TOKEN, or give { guard(request) } of your own');
  }
  // Not in the message what was found: it may be the token.
  if (token !== undefined && (typeof token !== 'string' || !/^[\x21-\x7e]+$/.test(token))) {
    throw new HeapwardenError('HEAPWARDEN_ERR_INVALID_ARG', 'token: expected a string of visible ASCII characters without spaces, found something else');
  }
  return {
    token, guard, monitor, metrics,
    allowFull: boolean('allowFull', allowFull),
    capturesPerMinute: whole('capturesPerMinute', capturesPerMinute, 1, 600),
    downloadMs: whole('downloadMs', downloadMs, 100, DAY_MS),
    stallMs: whole('stallMs', stallMs, 50, DAY_MS),
    prefix: urlPrefix(prefix),
    directory: options.directory === undefined ? undefined : directory(options.directory),
    mode: oneOf('mode', options.mode ?? 'auto', ['auto', 'inline', 'clone']),
  };
}

function urlPrefix(value) {
  if (typeof value !== 'string' || (value !== '' && !/^\/[\w/.-]*[\w.-]$/.test(value))) throw invalidArg('prefix', 'a path such as "/_heap"', value);
  return value;
}

/** The options of an analysis of snapshots, checked. */
function analysisOptions(options = {}) {
  plainObject('options', options);
  const { chunkBytes, onProgress } = options;
  if (chunkBytes !== undefined && !(Number.isInteger(chunkBytes) && chunkBytes > 0 && chunkBytes < 2 ** 32)) {
    throw invalidArg('chunkBytes', 'a whole number above 0', chunkBytes);
  }
  if (onProgress !== undefined && typeof onProgress !== 'function') throw invalidArg('onProgress', 'a function', onProgress);
  return { signal: abortSignal(options.signal), onProgress, pieceBytes: chunkBytes, sourceMaps: whetherSourceMaps(options) };
}

/** What a summary is to contain and may take, checked. */
function summaryOptions(options = {}) {
  const { objects = 0, territories = 0, threads = 1, shallowSizes = 'devtools' } = { ...options };
  oneOf('shallowSizes', shallowSizes, ['devtools', 'file']);
  return {
    ...analysisOptions(options),
    settings: {
      objects: whole('objects', objects, 0, 1e6),
      territories: whole('territories', territories, 0, 1e4),
      threads: whole('threads', threads, 1, 64),
      shallowSizes,
    },
  };
}

/** What a comparison is to contain, checked. */
function diffOptions(options = {}) {
  const { culprits = true, shallowSizes = 'file' } = { ...options };
  boolean('culprits', culprits);
  oneOf('shallowSizes', shallowSizes, ['file', 'devtools']);
  return { ...analysisOptions(options), settings: { culprits, shallowSizes } };
}

/** Which objects' paths are wanted, checked. */
function pathOptions(options) {
  const { ids, constructorName, limit } = { ...options };
  const given = analysisOptions(options);
  if (ids !== undefined) {
    if (!Array.isArray(ids)) throw invalidArg('ids', 'an array of object ids', ids);
    if (constructorName !== undefined) throw invalidArg('constructorName', 'nothing beside ids', constructorName);
    return { ...given, settings: { ids: ids.map((id, i) => whole(`ids[${i}]`, id, 0, 2 ** 32 - 1)) } };
  }
  if (typeof constructorName !== 'string') throw invalidArg('ids or constructorName', 'one of them', constructorName);
  return { ...given, settings: { constructorName, limit: whole('limit', limit ?? 10, 1, 1e6) } };
}

/** Whether places are led back to their sources, for which files beside the program are read. */
function whetherSourceMaps({ sourceMaps = true }) {
  if (typeof sourceMaps !== 'boolean') throw invalidArg('sourceMaps', 'true or false', sourceMaps);
  return sourceMaps;
}

function whole(name, value, least, most) {
  if (!Number.isInteger(value) || value < least || value > most) {
    throw invalidArg(name, `a whole number from ${least} to ${most}`, value);
  }
  return value;
}

/** A snapshot to read: a path as a string, or what gives its bytes. */
function snapshotSource(name, value) {
  if (typeof value === 'string') {
    if (value === '' || value.includes('\0')) throw invalidArg(name, 'a path', value);
    return value;
  }
  if (value instanceof URL) {
    if (value.protocol !== 'file:') throw invalidArg(name, 'a file: URL', value.href);
    return fileURLToPath(value);
  }
  // A web stream that waits for data cannot be ended by whoever iterates over it; this can.
  // Both are called experimental by the versions that warn of nothing and have them: 18 and 20.
  // eslint-disable-next-line n/no-unsupported-features/node-builtins
  if (value instanceof ReadableStream) return Readable.fromWeb(value);
  if (typeof value?.[Symbol.asyncIterator] === 'function') return value;
  throw invalidArg(name, 'a path, a file: URL, or a stream or async iterable of bytes', value);
}

function abortSignal(value) {
  if (value !== undefined && (typeof value?.aborted !== 'boolean' || typeof value.addEventListener !== 'function')) {
    throw invalidArg('signal', 'an AbortSignal', value);
  }
  return value;
}

/** Names that were looked for in the environment, and those that others look for. */
const VARIABLES = new Set([
  'HEAPWARDEN_BRIDGE', 'HEAPWARDEN_CLONE', 'HEAPWARDEN_OUTPUT', 'HEAPWARDEN_SNAPSHOT_COMPRESS', 'HEAPWARDEN_SNAPSHOT_REDACT', 'HEAPWARDEN_SNAPSHOT_SIGNAL', 'HEAPWARDEN_TOKEN',
]);

/** Says of variables that are nearly ones of ours what they were perhaps meant to be. It may be a variable of somebody else's: nothing fails. */
function tellMisspelled(env) {
  const names = Object.keys(env).filter((name) => /^HEAPWARDEN_/i.test(name));
  for (const { name, meant } of misspelled(names, [...VARIABLES])) warn(`${name} is no variable of heapwarden's: is ${meant} meant?`, 'HEAPWARDEN_VARIABLE');
}

/** The options that HEAPWARDEN_* sets; what is not set stays undefined. */
function environmentOptions(env = process.env) {
  const given = {
    intervalMs: fromEnvironment(env, 'HEAPWARDEN_INTERVAL_MS', Number),
    alertThresholdMB: fromEnvironment(env, 'HEAPWARDEN_ALERT_THRESHOLD_MB', Number),
    maxSamples: fromEnvironment(env, 'HEAPWARDEN_MAX_SAMPLES', Number),
    historyBytes: fromEnvironment(env, 'HEAPWARDEN_HISTORY_BYTES', Number),
    evidence: fromEnvironment(env, 'HEAPWARDEN_EVIDENCE', String),
    directory: fromEnvironment(env, 'HEAPWARDEN_DIR', String),
    maxFiles: fromEnvironment(env, 'HEAPWARDEN_MAX_FILES', Number),
    maxBytes: fromEnvironment(env, 'HEAPWARDEN_MAX_BYTES', Number),
    allocationSites: fromEnvironment(env, 'HEAPWARDEN_ALLOCATION_SITES', Boolean),
    listeners: onOrOff(env, 'HEAPWARDEN_LISTENERS'),
    blackBox: blackBoxFromEnvironment(env),
    containerWatch: onOrOff(env, 'HEAPWARDEN_CONTAINER_WATCH'),
    postmortem: onOrOff(env, 'HEAPWARDEN_POSTMORTEM'),
    heapLimit: heapLimitFromEnvironment(env),
    routes: onOrOff(env, 'HEAPWARDEN_ROUTES'),
    channels: environmentChannels((name) => fromEnvironment(env, name, String), (name) => fromEnvironment(env, name, Number)),
    flushMs: fromEnvironment(env, 'HEAPWARDEN_FLUSH_MS', Number),
    service: fromEnvironment(env, 'OTEL_SERVICE_NAME', String),
  };
  tellMisspelled(env);
  return given;
}

/** On, unless it is switched off: whoever sets a monitor beside a program wants to know what it died of. */
function blackBoxFromEnvironment(env) {
  const bytes = fromEnvironment(env, 'HEAPWARDEN_BLACK_BOX_BYTES', Number);
  const files = fromEnvironment(env, 'HEAPWARDEN_BLACK_BOX_FILES', Number);
  const on = onOrOff(env, 'HEAPWARDEN_BLACK_BOX') ?? process.platform === 'linux';
  return on && { ...(bytes !== undefined && { bytes }), ...(files !== undefined && { files }) };
}

function heapLimitFromEnvironment(env) {
  const given = {
    slackMB: fromEnvironment(env, 'HEAPWARDEN_HEAP_LIMIT_SLACK_MB', Number),
    snapshot: fromEnvironment(env, 'HEAPWARDEN_HEAP_LIMIT_SNAPSHOT', Boolean),
    captures: fromEnvironment(env, 'HEAPWARDEN_HEAP_LIMIT_CAPTURES', Number),
    waitMs: fromEnvironment(env, 'HEAPWARDEN_CRASH_WAIT_MS', Number),
  };
  return (onOrOff(env, 'HEAPWARDEN_HEAP_LIMIT') ?? true) && given;
}

/** The signal that has a snapshot written, and how it is compressed and redacted, as HEAPWARDEN_* sets them. */
function triggerOptions(env = process.env) {
  const compress = fromEnvironment(env, 'HEAPWARDEN_SNAPSHOT_COMPRESS', String) ?? false;
  if (compress) oneOf('HEAPWARDEN_SNAPSHOT_COMPRESS', compress, ['gzip', 'zstd']);
  const redact = redactionLevel('HEAPWARDEN_SNAPSHOT_REDACT', fromEnvironment(env, 'HEAPWARDEN_SNAPSHOT_REDACT', String) ?? 'full');
  return { name: fromEnvironment(env, 'HEAPWARDEN_SNAPSHOT_SIGNAL', String), compress, redact };
}

/** How `heapwarden/register` tells what happens: `text` or `json`. */
function outputOption(env = process.env) {
  return oneOf('HEAPWARDEN_OUTPUT', fromEnvironment(env, 'HEAPWARDEN_OUTPUT', String) ?? 'text', ['text', 'json']);
}

/** Numbers are read strictly, so that `30s` is an error that names its variable and not NaN. */
function fromEnvironment(env, name, type) {
  VARIABLES.add(name);
  const text = env[name]?.trim();
  if (!text) return undefined;
  if (type === Number && !/^\d+(\.\d+)?$/.test(text)) throw invalidArg(name, 'a number', text);
  if (type === Boolean) return flag(name, text);
  return type(text);
}

function flag(name, text) {
  if (!['0', '1'].includes(text)) throw invalidArg(name, '0 or 1', text);
  return text === '1';
}

function onOrOff(env, name) {
  const text = fromEnvironment(env, name, String);
  return text === undefined ? undefined : oneOf(name, text, ['on', 'off']) === 'on';
}

function plainObject(name, value) {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) throw invalidArg(name, 'an object', value);
}

function number(name, value) {
  if (value !== undefined && typeof value !== 'number') throw invalidArg(name, 'a number', value);
  return value;
}

function boolean(name, value) {
  if (typeof value !== 'boolean') throw invalidArg(name, 'true or false', value);
  return value;
}

function oneOf(name, value, allowed) {
  if (!allowed.includes(value)) throw invalidArg(name, allowed.map((v) => JSON.stringify(v)).join(' or '), value);
  return value;
}

/** What alerts call the program; by default what OpenTelemetry does. */
function serviceName(value = process.env.OTEL_SERVICE_NAME?.trim()) {
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string' || value.length > 200) throw invalidArg('service', 'a text of 200 characters at most', value);
  return value;
}

function directory(value = 'heapwarden-evidence') {
  if (typeof value !== 'string' || value === '') throw invalidArg('directory', 'a path', value);
  return path.resolve(value);
}

function logger(value) {
  if (typeof value?.warn !== 'function') throw invalidArg('logger', 'an object with a function warn(details, message)', value);
  return value;
}

module.exports = {
  monitorOptions, auditorOptions, exportOptions, snapshotOptions, analysisOptions, summaryOptions, diffOptions, pathOptions,
  allocationOptions, endpointOptions, leakCheckOptions, leakBudgetOptions, perFileOptions, filePath, redactionLevel, snapshotSource,
  environmentOptions, outputOption, triggerOptions,
};
