'use strict';

// DevTools' own engine in Node: its worker's sources, bundled as they are, with the second thread that it uses in Chrome.

const fs = require('node:fs');
const { createRequire } = require('node:module');
const path = require('node:path');
const { pathToFileURL } = require('node:url');
const { MessageChannel, Worker, isMainThread, workerData } = require('node:worker_threads');
const { installed } = require('../install');

/** As DevTools' own reader of files. */
const CHUNK_BYTES = 10_000_000;
const CACHE = path.resolve(__dirname, '..', '..', '.cache', 'bench');
const ENTRY = 'node_modules/chrome-devtools-frontend/front_end/entrypoints/heap_snapshot_worker/heap_snapshot_worker.ts';

/** DevTools' build generates this module; only the locale's name is read by what is bundled. */
const locales = {
  name: 'locales',
  setup(build) {
    build.onResolve({ filter: /\/locales\.js$/ }, () => ({ path: 'locales', namespace: 'generated' }));
    build.onLoad({ filter: /.*/, namespace: 'generated' }, () => ({
      contents: `export const LOCALES = ['en-US']; export const BUNDLED_LOCALES = ['en-US'];
        export const DEFAULT_LOCALE = 'en-US'; export const REMOTE_FETCH_PATTERN = ''; export const LOCAL_FETCH_PATTERN = '';`,
    }));
  },
};

/** Bundles the engine once and resolves to the path of the module. */
async function bundle() {
  const { dependencies } = JSON.parse(fs.readFileSync(path.join(__dirname, 'package.json'), 'utf8'));
  const file = path.join(CACHE, `devtools-${dependencies['chrome-devtools-frontend']}.mjs`);
  if (fs.existsSync(file)) return file;
  installed(__dirname);
  const { build } = createRequire(path.join(__dirname, 'package.json'))('esbuild');
  fs.mkdirSync(CACHE, { recursive: true });
  const temporary = `${file}.${process.pid}.tmp`;
  await build({
    entryPoints: [path.join(__dirname, ENTRY)],
    outfile: temporary,
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    plugins: [locales],
    logLevel: 'error',
  });
  fs.renameSync(temporary, file);
  return file;
}

/** The engine's modules. */
function engine(file) {
  // Node 20 lacks it, Chrome has it.
  // eslint-disable-next-line n/no-unsupported-features/es-syntax
  Promise.withResolvers ??= function withResolvers() {
    const made = {};
    made.promise = new this((resolve, reject) => Object.assign(made, { resolve, reject }));
    return made;
  };
  return import(pathToFileURL(file).href);
}

/** Resolves to the `JSHeapSnapshot` of a file, computed as far as DevTools does before it shows anything. */
async function load(file) {
  const module = await bundle();
  const { HeapSnapshotLoader } = await engine(module);
  const loader = new HeapSnapshotLoader.HeapSnapshotLoader({ sendEvent() {} });
  const handle = await fs.promises.open(file);
  try {
    const buffer = Buffer.alloc(CHUNK_BYTES);
    for (;;) {
      const { bytesRead } = await handle.read(buffer, 0, CHUNK_BYTES);
      if (bytesRead === 0) break;
      // ASCII only, so that no character is ever cut in two.
      loader.write(buffer.latin1Slice(0, bytesRead));
      // The loader parses in microtasks: by the next turn it has taken the chunk, and none piles up.
      await new Promise(setImmediate);
    }
  } finally {
    await handle.close();
  }
  loader.close();
  const { port1, port2 } = new MessageChannel();
  const second = new Worker(__filename, { workerData: { module, port: port2 }, transferList: [port2] });
  try {
    return await loader.buildSnapshot(port1);
  } finally {
    port1.close();
    await second.terminate();
  }
}

module.exports = { bundle, engine, load };

if (!isMainThread && workerData?.module) {
  // Messages that come before the engine is there wait in the port.
  engine(workerData.module).then(({ HeapSnapshot }) => new HeapSnapshot.SecondaryInitManager(workerData.port));
}
