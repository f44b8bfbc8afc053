'use strict';

// What every answer has, and what of an error is told.

const HEADERS = {
  'Cache-Control': 'no-store',
  'X-Content-Type-Options': 'nosniff',
  'Content-Security-Policy': "default-src 'none'; frame-ancestors 'none'",
  'Referrer-Policy': 'no-referrer',
};

/** An error that may be told as it is. */
class HttpError extends Error {
  constructor(status, code, message, headers = {}) {
    super(message);
    this.status = status;
    this.code = code;
    this.headers = headers;
  }
}

/** What is told of the errors of a capture. Their own messages name folders and figures of the machine. */
const TOLD = {
  HEAPWARDEN_ERR_BUSY: [409, 'a capture is under way', { 'Retry-After': '10' }],
  HEAPWARDEN_ERR_NO_ROOM: [503, 'there is too little memory for a capture', { 'Retry-After': '60' }],
  HEAPWARDEN_ERR_OUT_OF_MEMORY: [503, 'there is too little memory for a capture', { 'Retry-After': '60' }],
  HEAPWARDEN_ERR_NO_SPACE: [503, 'there is too little space for a snapshot', { 'Retry-After': '60' }],
  HEAPWARDEN_ERR_IO: [503, 'the snapshot could not be written'],
  HEAPWARDEN_ERR_UNSUPPORTED: [501, 'this runtime cannot do that'],
};

/** What a client is told of `error`: never its own words, unless they are meant for clients. */
function toldOf(error) {
  if (error instanceof HttpError) return error;
  const code = typeof error?.code === 'string' && error.code.startsWith('HEAPWARDEN_ERR_') ? error.code : 'HEAPWARDEN_ERR_INTERNAL';
  const [status, message, headers] = TOLD[code] ?? [500, 'the request failed'];
  return new HttpError(status, code, message, headers);
}

/** Ends the response with a status and no body. */
function empty(response, status, headers = {}) {
  send(response, status, headers, undefined);
}

function json(response, value, status = 200, headers = {}) {
  send(response, status, { 'Content-Type': 'application/json; charset=utf-8', ...headers }, `${JSON.stringify(value)}\n`);
}

function text(response, body, type, status = 200) {
  send(response, status, { 'Content-Type': type }, body);
}

function send(response, status, headers, body) {
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  // HTTP/2 has no such header and refuses it.
  const { Connection, ...others } = headers;
  const isClosing = Connection !== undefined && (response.req?.httpVersionMajor ?? 1) < 2;
  response.writeHead(status, { ...HEADERS, ...others, ...(isClosing && { Connection }), 'Content-Length': body === undefined ? 0 : Buffer.byteLength(body) });
  response.end(body);
}

function failed(response, error) {
  const { status, code, message, headers } = toldOf(error);
  json(response, { error: code, message }, status, headers);
}

module.exports = { HEADERS, HttpError, empty, failed, json, text };
