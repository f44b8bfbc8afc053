'use strict';

// What JavaScript has to do with the heap's limit: native code watches it and writes the report; whatever needs the event loop is added here,
// if it ever runs again.

const os = require('node:os');
const v8 = require('node:v8');
const { threadId } = require('node:worker_threads');
const native = require('./load');
const { bridge } = require('./bridge');
const { clones } = require('./clone');
const { fromJson, translated } = require('./errors');
const { needed: lineEnds } = require('./line-ends');

const MB = 1024 * 1024;

/** A heap's limit, as a monitor watches it. */
class AtLimit {
  #options;
  #tell;
  #describe;

  /**
   * `tell(event, ...payload)` emits an event; `describe(report, spelled)` gives the promise of the report with what only files can tell.
   */
  constructor(options, tell, describe) {
    this.#options = options;
    this.#tell = tell;
    this.#describe = describe;
  }

  /** What native code is told when the watch begins; nothing where there is to be none, or none by native code. */
  begin() {
    const { heapLimit, directory, maxFiles, maxBytes, evidence } = this.#options;
    if (!heapLimit) return undefined;
    const { slackMB, snapshot, captures, waitMs } = heapLimit;
    if (!bridge.available) {
      if (snapshot) snapshotByNode();
      return undefined;
    }
    return {
      slackBytes: slackMB === undefined ? undefined : slackMB * MB,
      snapshot, captures, waitMs, directory, maxFiles, maxBytes, threadId, lineEnds,
      node: process.version,
      host: os.hostname(),
      blind: evidence === 'none' ? 'evidence is switched off' : undefined,
      noClone: clones.reason,
    };
  }

  /** Takes what native code has to tell, if anything, and tells it. */
  poll(monitor) {
    const json = monitor.takeAtLimit();
    if (!json) return;
    for (const { type, ...told } of JSON.parse(json)) {
      if (type === 'oom-risk') this.#tell('oom-risk', told);
      else this.#finish(told).catch((error) => this.#tell('error', error));
    }
  }

  /** Has the report complete: described, in its file, and told. */
  async #finish({ path, report, spelled, problem, cpuMs, peakBytes }) {
    if (problem) this.#tell('error', fromJson(problem));
    const looked = report.evidence.ladder.at(-1);
    if (looked?.mode === 'clone' && cpuMs !== undefined) Object.assign(looked, { cpuMs, peakBytes });
    await this.#describe(report, spelled);
    try {
      translated(() => native.writeFileAtomic(path, `${JSON.stringify(report, null, 2)}\n`));
    } catch (error) {
      this.#tell('error', error);
    }
    this.#tell('heap-limit', report, path);
  }
}

/** Without the bridge: Node's own snapshot, into the directory that `--diagnostic-dir` names or the working directory. Once a process. */
function snapshotByNode() {
  try {
    // Called experimental, since 18.10; where it is missing there is none.
    // eslint-disable-next-line n/no-unsupported-features/node-builtins
    v8.setHeapSnapshotNearHeapLimit?.(1);
  } catch {
    // Another number was set already, on the command line.
  }
}

module.exports = { AtLimit };
