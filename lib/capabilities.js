'use strict';

// What works here and why not: each feature's own predicate, asked again. What a version of Node may lack is only asked for.
/* eslint n/no-unsupported-features/node-builtins: off */

const { constants } = require('node:os');
const { isMainThread, threadId } = require('node:worker_threads');
const v8 = require('node:v8');

/** The answer where there is no native part: everything rests on it. */
const WITHOUT_NATIVE = 'nothing of Heapwarden works without its native part';

/**
 * What works in this thread of this process: `{ heapwarden, platform, arch, libc, node, runtime, thread, permissionModel, native, features }`. A feature is
 * `{ available, reason, instead }` with, for some, what it found. Asks at the moment of the call; reads some ten files, forks nothing, never throws.
 */
function capabilities() {
  const native = loaded();
  const state = native.state;
  const features = {};
  for (const [name, feature] of Object.entries(FEATURES)) {
    try {
      features[name] = native.problem ? unavailable(native.problem, WITHOUT_NATIVE) : feature(state, features);
    } catch (error) {
      features[name] = unavailable(`it could not be asked: ${error?.message}`, null);
    }
  }
  return {
    heapwarden: require('../package.json').version,
    platform: process.platform,
    arch: process.arch,
    libc: state?.libc ?? null,
    node: process.version,
    runtime: runtime(),
    thread: { threadId, isMainThread },
    permissionModel: process.permission !== undefined,
    native: { available: !native.problem, reason: native.problem ?? null },
    features,
  };
}

function loaded() {
  try {
    return { state: require('./load').platformState() };
  } catch (error) {
    return { problem: String(error?.message ?? error) };
  }
}

/** Which runtime this is, and which version of it. */
function runtime() {
  const { bun, deno, electron, node } = process.versions;
  if (bun) return { name: 'bun', version: bun };
  if (deno) return { name: 'deno', version: deno };
  if (electron) return { name: 'electron', version: electron };
  return { name: 'node', version: node };
}

const available = (more) => ({ available: true, reason: null, instead: null, ...more });
const unavailable = (reason, instead, more) => ({ available: false, reason, instead, ...more });
/** `reason` is why not, if there is one. */
const feature = (reason, instead, more) => (reason ? unavailable(reason, instead, more) : available(more));

const bridgeReason = () => {
  const { bridge } = require('./bridge');
  return bridge.available ? undefined : bridge.reason ?? 'the bridge to V8 is not used';
};
/** Why a group of V8's functions cannot be called; `isThere` says whether they were found. */
const throughBridge = (isThere, what) => bridgeReason() ?? (isThere ? undefined : `this runtime does not export V8's functions for ${what}`);

/** Each is given what native code found, and the features before it. */
const FEATURES = {
  bridge: () => feature(bridgeReason(), 'the same figures from node:v8, node:perf_hooks and node:inspector, some of them later or coarser'),

  gcHooks() {
    const instead = typeof v8.GCProfiler === 'function'
      ? 'v8.GCProfiler: the same floors, told some turns of the event loop later'
      : 'PerformanceObserver: floors are too high by what was allocated until it is called';
    return feature(bridgeReason(), instead);
  },

  floors(state, { gcHooks }) {
    if (gcHooks.available || typeof v8.GCProfiler === 'function') return available();
    const { PerformanceObserver } = require('node:perf_hooks');
    if (PerformanceObserver.supportedEntryTypes?.includes('gc')) return available();
    return unavailable('this runtime tells nobody of its collections', 'samples, snapshots and thresholds only: no verdict is ever reached');
  },

  blockedLoop: () => feature(bridgeReason(), 'while the event loop is blocked a sample has the last figures, with their age (heapAgeMs)'),

  residentSet: ({ rssSource }) => feature(
    rssSource === 'procfs' ? undefined : '/proc/self/statm cannot be read, or this system has none', 'process.memoryUsage().rss, read when JavaScript runs',
    { source: rssSource }),

  nativeHeap: ({ nativeHeap }) => feature(
    nativeHeap ? undefined : 'the C library has no mallinfo2, or another allocator has taken its place', 'native growth is judged by the resident set'),

  inlineSnapshots() {
    const { bridge } = require('./bridge');
    const { room } = require('./clone');
    const more = { source: bridge.snapshots ? 'bridge' : 'node', shortage: room('inline').shortage ?? null };
    if (bridge.snapshots) return available(more);
    if (typeof v8.writeHeapSnapshot !== 'function') return unavailable('this runtime has no v8.writeHeapSnapshot', 'no look at the heap', more);
    // The path is one in the temporary folder, which it has to be allowed to write to.
    const refused = !mayWrite(require('node:os').tmpdir());
    return feature(refused && 'the permission model does not let v8.writeHeapSnapshot write to the temporary folder', 'no look at the heap', more);
  },

  clone() {
    const { clones, room } = require('./clone');
    return feature(clones.available ? undefined : clones.reason, 'looks at the heap are inline: the thread stands still for some 50 ms a megabyte',
      { shortage: clones.available ? room('clone').shortage ?? null : null, lastFailure: clones.lastFailure ?? null });
  },

  census({ walk }) {
    return feature(throughBridge(walk, 'a walk over the heap'), 'captureCensus counts in a whole snapshot, which needs several times the heap in memory');
  },

  nearHeapLimit: ({ nearHeapLimit, outOfMemory }) => feature(
    throughBridge(nearHeapLimit, 'the heap\'s limit'), 'no report at the heap\'s limit; with heapLimit.snapshot, Node\'s own snapshot in the working directory',
    { outOfMemory: nearHeapLimit && outOfMemory && bridgeReason() === undefined }),

  blackBox: ({ noBlackBox }) => feature(noBlackBox, 'no recording outlives the process, and a death leaves only what was reported before it'),

  fatalSignals: (_, { blackBox }) => feature(blackBox.available ? undefined : blackBox.reason, 'a fatal signal leaves no last words'),

  postmortem(_, { blackBox }) {
    if (!blackBox.available) return unavailable(`nothing is recorded here: ${blackBox.reason}`, 'recordings made elsewhere can be read with heapwarden postmortem');
    const refused = !mayRead() || !mayWrite();
    return feature(refused && 'the permission model does not let every file be read and written', 'nothing is told at the start; heapwarden postmortem, run without it');
  },

  containerLimit: ({ groups, groupLimitBytes }) => feature(
    groups ? undefined : noGroups(), 'the threshold follows V8\'s limit alone', { version: groups ?? null, limitBytes: groupLimitBytes ?? null }),

  containerWatch: ({ groups, groupLimitBytes }) => feature(
    !groups ? noGroups() : groupLimitBytes ? undefined : 'no memory control group of the process has a limit', 'no oom-risk of the container; a limit that is set later is seen'),

  pressure: ({ groups, pressure }) => feature(
    !groups ? noGroups() : pressure ? undefined : 'the process\'s control group tells no memory.pressure (version 1, or not accounted for by this kernel)',
    'the container\'s danger is judged by level and pace alone'),

  listenerAuditor(_, { clone, inlineSnapshots }) {
    const looks = clone.available || inlineSnapshots.available;
    return feature(undefined, null, { places: looks ? (clone.available ? 'clone' : 'inline') : 'none', resources: typeof process.getActiveResourcesInfo === 'function' });
  },

  allocationSites: ({ sampling }) => feature(
    inspectorReason(), 'no allocation sites in reports; startAllocationProfile throws HEAPWARDEN_ERR_UNSUPPORTED',
    { collectsAtEachLook: throughBridge(sampling, 'the sampling heap profiler') !== undefined }),

  requestCounts() {
    const { subscribe } = require('node:diagnostics_channel');
    const refusal = typeof subscribe !== 'function' ? 'this runtime has no diagnostics_channel.subscribe'
      : runtime().name === 'bun' ? 'Bun\'s servers do not tell node:diagnostics_channel of requests' : undefined;
    return feature(refusal, 'no counts of requests, and no route is named');
  },

  snapshotSignal() {
    const { refusal } = require('./trigger');
    return feature(refusal() ?? (Object.hasOwn(constants.signals, 'SIGUSR2') ? undefined : 'this system has no SIGUSR2'), 'writeSnapshot(), or the endpoint');
  },

  sourceMaps: () => feature(
    mayRead() ? undefined : 'the permission model does not let every file be read', 'places are those of the file that runs, as far as it may be read'),

  // The encoders are in the native part.
  compression: () => available({ formats: ['gzip', 'zstd'] }),

  leakTests: () => feature(
    typeof globalThis.gc === 'function' || typeof v8.setFlagsFromString === 'function' ? undefined : 'nobody can ask this runtime for a collection', 'run it with --expose-gc'),
};

function noGroups() {
  return process.platform === 'linux' ? 'no memory control group was found below /sys/fs/cgroup or in /proc/self/cgroup' : 'control groups are Linux\'s';
}

/** Why no inspector session can be had. */
function inspectorReason() {
  if (process.features?.inspector === false) return 'this runtime was built without an inspector';
  if (process.permission && !process.permission.has('inspector')) return 'the permission model refuses the inspector (--allow-inspector, where Node has it)';
  return undefined;
}

const mayRead = (place) => !process.permission || process.permission.has('fs.read', place);
const mayWrite = (place) => !process.permission || process.permission.has('fs.write', place);

module.exports = { capabilities };
