'use strict';

// A snapshot on its way to a client: a file that has no name any more once it is open, compressed as the client likes it, within a time.

const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { setTimeout, clearTimeout } = require('node:timers');
const { snapshotName, writeSnapshot } = require('../snapshot');
const { HEADERS } = require('./answer');

const PIECE = 256 * 1024;

/** By the client's order of preference, ours where it has none: zstd is smaller and faster. */
const ENCODINGS = ['zstd', 'gzip'];

/** What `Accept-Encoding` allows: `zstd`, `gzip` or false. */
function encodingFor(header = '') {
  const weights = new Map();
  for (const part of String(header).split(',').slice(0, 32)) {
    const [name, ...parameters] = part.trim().toLowerCase().split(/\s*;\s*/);
    const q = parameters.map((parameter) => /^q=([\d.]{1,5})$/.exec(parameter)?.[1]).find((weight) => weight !== undefined);
    weights.set(name, q === undefined ? 1 : Number(q) || 0);
  }
  const allowed = ENCODINGS.filter((name) => (weights.get(name) ?? 0) > 0);
  return allowed.sort((a, b) => weights.get(b) - weights.get(a))[0] ?? false;
}

/**
 * Takes a snapshot, redacted at `level`, and sends it. `asFile`: as a `.gz` file rather than an encoded answer. Gives up where the client
 * has gone (`signal`), takes nothing for `stallMs`, or is not through after `downloadMs`; whatever happens, no file is left.
 */
async function sendSnapshot(request, response, { level, asFile, signal, mode, directory = os.tmpdir(), downloadMs, stallMs }) {
  const encoding = asFile ? 'gzip' : encodingFor(request.headers['accept-encoding']);
  const folder = await fs.promises.mkdtemp(path.join(directory, 'heapwarden-download-'));
  let file;
  try {
    // What an unusual umask has taken.
    await fs.promises.chmod(folder, 0o700);
    const name = snapshotName();
    const written = await writeSnapshot({
      path: path.join(folder, name), compress: encoding, summary: false, mode, redact: level, signal, sourceMaps: false,
    });
    file = await fs.promises.open(written.path, 'r');
    await fs.promises.rm(folder, { recursive: true, force: true }).catch(() => {});
    const headers = {
      ...HEADERS,
      'Content-Type': asFile ? 'application/gzip' : 'application/json; charset=utf-8',
      'Content-Length': written.fileBytes ?? (await file.stat()).size,
      'Content-Disposition': `attachment; filename="${asFile ? `${name}.gz` : name}"`,
      'Heapwarden-Redaction': level,
      'Heapwarden-Pause-Ms': written.pauseMs.toFixed(1),
      'Heapwarden-Mode': written.mode,
      Vary: 'Accept-Encoding',
    };
    if (encoding && !asFile) headers['Content-Encoding'] = encoding;
    if (signal.aborted) return;
    response.writeHead(200, headers);
    await copy(file, response, { signal, downloadMs, stallMs });
  } finally {
    await file?.close().catch(() => {});
    // Where an open file cannot be removed it is now; what a system like that still holds is the temporary folder's.
    await fs.promises.rm(folder, { recursive: true, force: true }).catch(() => {});
  }
}

/** Sends what is in `file`, a piece at a time, as fast as the client takes it. Cuts the connection of one that does not. */
async function copy(file, response, { signal, downloadMs, stallMs }) {
  const cut = () => response.destroy();
  const whole = setTimeout(cut, downloadMs).unref();
  let stalled;
  try {
    const piece = Buffer.allocUnsafe(PIECE);
    for (;;) {
      const { bytesRead } = await file.read(piece, 0, PIECE, null);
      if (bytesRead === 0 || signal.aborted || response.destroyed) break;
      stalled = setTimeout(cut, stallMs).unref();
      // The next piece is read into the same memory: only when this one has left it.
      const isOpen = await new Promise((resolve) => {
        const gone = () => resolve(false);
        response.once('close', gone);
        response.write(piece.subarray(0, bytesRead), (error) => {
          response.off('close', gone);
          resolve(!error);
        });
      });
      clearTimeout(stalled);
      if (!isOpen) break;
    }
    if (!response.destroyed) await new Promise((resolve) => { response.once('close', resolve).end(resolve); });
  } finally {
    clearTimeout(stalled);
    clearTimeout(whole);
  }
}

module.exports = { encodingFor, sendSnapshot };
