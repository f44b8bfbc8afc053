'use strict';

// A registry on loopback that has this package as if it were published, with a package for every platform, and sends whoever asks for anything
// else to the registry that npm is configured with.

const crypto = require('node:crypto');
const { once } = require('node:events');
const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const zlib = require('node:zlib');
const { run } = require('../steps');

/** The manifest in a tarball: the entry `package/package.json`, whose header has the length of it in octal. */
function manifestOf(tarball) {
  const tar = zlib.gunzipSync(fs.readFileSync(tarball));
  for (let at = 0; at < tar.length;) {
    const name = tar.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const bytes = Number.parseInt(tar.toString('latin1', at + 124, at + 136), 8) || 0;
    if (name === 'package/package.json') return JSON.parse(tar.toString('utf8', at + 512, at + 512 + bytes));
    at += 512 + Math.ceil(bytes / 512) * 512;
  }
  throw new Error(`${tarball} has no manifest`);
}

function packument(origin, tarball) {
  const manifest = manifestOf(tarball);
  const bytes = fs.readFileSync(tarball);
  const dist = {
    tarball: `${origin}/${manifest.name}/-/${path.basename(tarball)}`,
    shasum: crypto.createHash('sha1').update(bytes).digest('hex'),
    integrity: `sha512-${crypto.createHash('sha512').update(bytes).digest('base64')}`,
  };
  const { name, version } = manifest;
  return { name, 'dist-tags': { latest: version }, versions: { [version]: { ...manifest, _id: `${name}@${version}`, dist } }, time: { [version]: '2020-01-01T00:00:00.000Z' } };
}

/** Serves the tarballs; resolves to `{ url, close() }`. */
async function serve(tarballs) {
  const upstream = (await run('registry', 'npm', ['config', 'get', 'registry'], { quiet: true })).match(/https?:\S+/)[0].replace(/\/$/, '');
  const byName = new Map(tarballs.map((tarball) => [manifestOf(tarball).name, tarball]));
  const server = http.createServer((request, response) => {
    const [name, rest] = decodeURIComponent(request.url.slice(1)).split('/-/');
    const tarball = byName.get(name);
    if (tarball === undefined) return void response.writeHead(302, { location: upstream + request.url }).end();
    if (rest !== undefined) return void fs.createReadStream(tarball).pipe(response);
    response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(packument(url, tarball)));
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${server.address().port}`;
  return { url, close() { server.close(); server.closeAllConnections(); } };
}

module.exports = { manifestOf, serve };
