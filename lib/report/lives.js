'use strict';

// Lives as recordings (*.hwr) and exported series (*.jsonl) have them, in one form.

const fs = require('node:fs');
const { promisify } = require('node:util');
const zlib = require('node:zlib');
const { readRecording } = require('../recording');
const { replaySeries } = require('../replay');

const MOST_SERIES_BYTES = 256 * 2 ** 20;
const gunzip = promisify(zlib.gunzip);

/** A recording's life: `{ pid, threadId, node, title, from, samples, floors, events, status }`. */
function recordedLife(file) {
  const { header, samples, events, verdict } = readRecording(file);
  const told = events.map((event) => ({ ...event, at: Date.parse(event.at) }));
  return {
    pid: header.pid, threadId: header.threadId, node: header.node, title: header.title, verdict,
    samples: samples.map((sample) => ({ ...sample, at: Date.parse(sample.timestamp) })),
    floors: told.filter(({ type }) => type === 'major-gc').map(({ at, usedBytes }) => ({ at, bytes: usedBytes })),
    // Collections are in the floors; how full the container is, is a figure and no event.
    events: told.filter(({ type }) => !['major-gc', 'pause', 'container'].includes(type)),
  };
}

/** An exported series' life; its verdicts are those of the detector that is installed. */
async function seriesLife(file, { signal } = {}) {
  const records = linesOf(await textOf(file));
  const header = records.shift();
  if (header?.format !== 'heapwarden-series') throw new Error(`expected a series that exportSeries wrote, found ${header ? 'another format' : 'nothing'} at byte 0`);
  const samples = records.filter(({ sample }) => sample).map(({ t, sample }) => ({ ...sample, at: t, requests: sample.since?.requests ?? 0 }));
  const { traces } = await replaySeries(file, { explain: true, signal });
  const changes = traces[0]?.changes ?? [];
  return {
    pid: header.pid, threadId: header.threadId, node: header.node, title: null, verdict: traces[0]?.verdict ?? null, samples,
    floors: records.filter(({ gc }) => gc === 'major').map(({ t, used }) => ({ at: t, bytes: used })),
    events: [
      ...changes.map(({ at, verdict: { status, kind, growthBytesPerSecond } }) => ({ type: 'verdict', at: Date.parse(at), status, kind, growthBytesPerSecond })),
      ...records.filter(({ event }) => event).map(({ t, event }) => ({ type: 'note', at: t, text: event })),
    ].sort((a, b) => a.at - b.at),
  };
}

async function textOf(file) {
  const { size } = await fs.promises.stat(file);
  if (size > MOST_SERIES_BYTES) throw new Error(`expected a series of at most ${MOST_SERIES_BYTES} bytes, found ${size}`);
  const bytes = await fs.promises.readFile(file);
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) return (await gunzip(bytes, { maxOutputLength: MOST_SERIES_BYTES })).toString();
  if (bytes.length >= 4 && bytes.readUInt32LE(0) === 0xfd2fb528) throw new Error('expected a series that is plain or compressed with gzip, found zstd');
  return bytes.toString();
}

function linesOf(text) {
  let at = 0;
  return text.split('\n').flatMap((line) => {
    const offset = at;
    at += Buffer.byteLength(line) + 1;
    if (line.trim() === '') return [];
    try {
      return [JSON.parse(line)];
    } catch (error) {
      throw new Error(`expected a line of JSON, found none at byte ${offset}`, { cause: error });
    }
  });
}

module.exports = { recordedLife, seriesLife };
