'use strict';

// The options of channels, checked; and what HEAPWARDEN_* makes of them. An address is never quoted: it may be a secret.

const path = require('node:path');
const { invalidArg } = require('../errors');

const TYPES = ['event', 'log', 'warning', 'file', 'webhook', 'otlp'];
const EVENTS = ['leak', 'threshold', 'recovered', 'oom-risk', 'heap-limit', 'container-limit', 'postmortem', 'listeners', 'error'];
/** What is worth somebody's phone; a log takes all. */
const URGENT = ['leak', 'threshold', 'recovered', 'oom-risk', 'heap-limit', 'container-limit', 'postmortem'];

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;

/**
 * The channels, checked: `[{ type, name, events, cooldownMs, ... }]`. `check`: how numbers, words, paths and loggers are checked elsewhere.
 */
function channelOptions(value, check) {
  if (value === undefined) return [];
  if (!Array.isArray(value)) throw invalidArg('channels', 'an array', value);
  return value.map((given, i) => channel(given, `channels[${i}]`, i, check));
}

function channel(given, at, index, { whole, oneOf, filePath, logger, redactionLevel }) {
  const options = typeof given === 'string' ? { type: given } : given;
  if (options === null || typeof options !== 'object') throw invalidArg(at, 'the name of a channel, or an object with its type', given);
  const type = oneOf(`${at}.type`, options.type, TYPES);
  const common = {
    type,
    name: nameOf(options.name ?? `${type} ${index + 1}`, at),
    events: events(options.events ?? (type === 'webhook' ? URGENT : EVENTS), at, oneOf),
    redact: redactionLevel(`${at}.redact`, options.redact ?? 'names'),
    cooldownMs: whole(`${at}.cooldownMs`, options.cooldownMs ?? HOUR_MS, 0, 30 * DAY_MS),
  };
  switch (type) {
    case 'log': return { ...common, logger: logger(options.logger) };
    case 'file':
      return {
        ...common,
        path: path.resolve(filePath(`${at}.path`, options.path)),
        maxBytes: whole(`${at}.maxBytes`, options.maxBytes ?? 10 * 2 ** 20, 1024, Number.MAX_SAFE_INTEGER),
      };
    case 'webhook': return { ...common, ...remote(options, at, whole), format: oneOf(`${at}.format`, options.format ?? 'json', ['json', 'slack']) };
    case 'otlp': return { ...common, ...remote(options, at, whole) };
    default: return common;
  }
}

function remote(options, at, whole) {
  return {
    url: address(`${at}.url`, options.url),
    headers: headersOf(`${at}.headers`, options.headers ?? {}),
    timeoutMs: whole(`${at}.timeoutMs`, options.timeoutMs ?? 10_000, 10, 600_000),
    maxAttempts: whole(`${at}.maxAttempts`, options.maxAttempts ?? 6, 1, 100),
    maxWaiting: whole(`${at}.maxWaiting`, options.maxWaiting ?? 16, 1, 1000),
    retryMs: whole(`${at}.retryMs`, options.retryMs ?? 1000, 1, 60_000),
  };
}

function address(name, value) {
  const wanted = 'an http: or https: URL';
  let url;
  try {
    url = new URL(value);
  } catch {
    throw invalidArg(name, wanted, typeof value === 'string' ? Symbol('hidden') : value);
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw invalidArg(name, wanted, Symbol('hidden'));
  return url;
}

function headersOf(name, value) {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalidArg(name, 'an object', value);
  for (const [key, text] of Object.entries(value)) {
    if (!/^[\w!#$%&'*+.^`|~-]+$/.test(key)) throw invalidArg(name, 'names of headers', Symbol('hidden'));
    if (typeof text !== 'string' || /[^\t\x20-\x7e\x80-\xff]/.test(text)) throw invalidArg(`${name}.${key}`, 'a text that a header may have', Symbol('hidden'));
  }
  return { ...value };
}

function events(value, at, oneOf) {
  if (!Array.isArray(value)) throw invalidArg(`${at}.events`, 'an array', value);
  return value.map((event, i) => oneOf(`${at}.events[${i}]`, event, EVENTS));
}

function nameOf(value, at) {
  if (typeof value !== 'string' || !/^[\w .-]{1,40}$/.test(value)) throw invalidArg(`${at}.name`, 'a short text of letters, digits, spaces, dots and dashes', value);
  return value;
}

/** The channels that the environment asks for; `text` and `count` read a variable. */
function environmentChannels(text, count) {
  const cooldownMs = count('HEAPWARDEN_ALERT_COOLDOWN_MS');
  const redact = text('HEAPWARDEN_ALERT_REDACT');
  const common = { ...(cooldownMs !== undefined && { cooldownMs }), ...(redact !== undefined && { redact }) };
  const channels = [];
  const url = text('HEAPWARDEN_WEBHOOK_URL');
  if (url !== undefined) {
    const authorization = text('HEAPWARDEN_WEBHOOK_AUTHORIZATION');
    channels.push({
      ...common, type: 'webhook', name: 'HEAPWARDEN_WEBHOOK_URL', url,
      ...(authorization !== undefined && { headers: { authorization } }),
      format: text('HEAPWARDEN_WEBHOOK_FORMAT') ?? (/^https:\/\/hooks\.slack\.com\//.test(url) ? 'slack' : 'json'),
    });
  }
  const otlp = text('HEAPWARDEN_OTLP_LOGS_URL');
  if (otlp !== undefined) channels.push({ ...common, type: 'otlp', name: 'HEAPWARDEN_OTLP_LOGS_URL', url: otlp });
  const file = text('HEAPWARDEN_ALERT_FILE');
  if (file !== undefined) channels.push({ ...common, type: 'file', name: 'HEAPWARDEN_ALERT_FILE', path: file });
  return channels.length > 0 ? channels : undefined;
}

module.exports = { channelOptions, environmentChannels };
